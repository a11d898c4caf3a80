"""The claims that are tested, a file each; a new file is a new claim."""

from importlib import import_module
from pkgutil import iter_modules

from report.verdicts import Claim


def _found() -> tuple[Claim, ...]:
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    claims: list[Claim] = [module.CLAIM for module in modules]
    return tuple(sorted(claims, key=lambda claim: claim.place))


CLAIMS = _found()
"""In the order in which they are shown."""
