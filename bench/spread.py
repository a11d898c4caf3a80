"""``nox -s spread``: how far harmless rounding goes; tolerances are made of it.

Every framework takes the certificate's steps with each workload's own settings: as it is, with two
threads, and from starting weights that are one unit in the last place off. The largest deviations
from the float64 reference are written to ``bench/spread.toml``: those of a framework's first mode
hold for all its modes, but for those that were measured on their own (``--mode``).

Another kind of processor rounds otherwise, in other kernels: ``--widen`` keeps the larger of what
stands there and what is seen.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console

from bench import certificate
from bench.certificate import QUANTITIES, SPREAD, Measured, Tolerance
from bench.contract import Precision
from bench.errors import UserError
from bench.machine import usable_cpus
from bench.progress import say
from bench.prove import Case, arms, cases, modes, prove, ready
from bench.runner import worker_cpus

NUDGES = 3
"""Starts that differ by rounding."""

PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")

HEADING = """\
# How far correct implementations are from the float64 reference: the largest relative deviations
# over one and two threads and starts one unit in the last place apart, on CPUs.
# Written by `nox -s spread`; bench/certificate.py makes tolerances of it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 written, 1 some trainer failed, 2 bad input, 130 interrupted."""
    console = Console(stderr=True)
    options = parser().parse_args(arguments)
    options.dtype = options.dtype or PRECISIONS
    seen = certificate.spread()
    try:
        for case in cases(options, "cpu"):
            own, framework = certificate.arms(case.framework, case.mode)
            arm = framework if case.mode == modes(case.framework)[0] else own
            of = Measured(case.workload, case.precision, arm)
            found = measure(case, console)
            seen = {**seen, of: larger(seen[of], found) if options.widen and of in seen else found}
            write(seen)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """Every option, explained."""
    result = argparse.ArgumentParser(
        prog="nox -s spread --",
        description="Measure how far rounding takes correct implementations from the reference; "
        "write bench/spread.toml, of which the certificates' tolerances are made.",
    )
    arms(result)
    result.add_argument("--dtype", action="append", choices=PRECISIONS, help="repeatable")
    result.add_argument(
        "--widen",
        action="store_true",
        help="keep what stands there where it is larger: it was seen on other processors",
    )
    return result


def measure(case: Case, console: Console) -> Tolerance:
    """The largest deviations of one case; raises ``UserError`` where it cannot be run."""
    run = ready(case, "cpu", lambda line: say(console, line))
    outcomes = [prove(case, run, worker_cpus(1), nudges=NUDGES)]
    if len(usable_cpus()) > 1:
        outcomes.append(prove(case, run, worker_cpus(2)))
    for outcome in outcomes:
        say(console, f"{' '.join(case)}: {outcome.status} ({outcome.seconds:.0f} s)")
    earned = [outcome.certificate for outcome in outcomes if outcome.certificate]
    values = asdict(certificate.worst(earned)) if len(earned) == len(outcomes) else {}
    if any(values.get(name) is None for name in QUANTITIES):
        reasons = "; ".join(outcome.message for outcome in outcomes if outcome.message)
        raise UserError(f"{' '.join(case)} has no spread: {reasons}")
    return Tolerance(**{name: values[name] for name in QUANTITIES})


def larger(one: Tolerance, other: Tolerance) -> Tolerance:
    """Of two spreads the larger, quantity by quantity."""
    return Tolerance(**{name: max(getattr(one, name), getattr(other, name)) for name in QUANTITIES})


def write(seen: Mapping[Measured, Tolerance]) -> None:
    """Replace the file."""
    lines = [HEADING]
    for of, values in sorted(seen.items()):
        lines.append(f"[{'.'.join(of)}]")
        lines += [f"{name} = {value:.1e}" for name, value in asdict(values).items()]
        lines.append("")
    SPREAD.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
