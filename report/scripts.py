"""The scripts that a page draws its charts with: Vega's, as vl-convert bundles them."""

import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import vl_convert

from bench import files
from bench.kept import FOLDER


def scripts() -> str:
    """One script, for the browser.

    To bundle it takes two seconds, and it depends on nothing but vl-convert: the environment that
    holds that keeps it. Outside of one nothing is left in what belongs to the system.
    """
    kept = Path(sys.prefix, FOLDER, f"vega-{metadata.version('vl-convert-python')}.js")
    owned = sys.prefix != sys.base_prefix
    if owned and kept.is_file():
        with suppress(OSError, UnicodeError):
            return kept.read_text(encoding="utf-8")
    # The stub of vl-convert 1.9 asks for what it defaults to.
    made = str(vl_convert.javascript_bundle())  # type: ignore[call-arg]
    if owned:
        with suppress(OSError):
            kept.parent.mkdir(exist_ok=True)
            files.replace(kept, made)
    return made
