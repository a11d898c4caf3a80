"""Arguments of the command line that several of the suite's jobs have."""

import argparse
import platform
from collections.abc import Iterable, Sequence
from typing import NoReturn, get_args

from bench.contract import Allocator
from bench.errors import UserError


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line, as everywhere in the suite."""

    def error(self, message: str) -> NoReturn:
        """Raise ``UserError`` in the place of printing the usage and exiting."""
        raise UserError(f"{message}; --help explains every option")


def add_allocator(to: argparse.ArgumentParser) -> None:
    """The option ``--allocator``."""
    to.add_argument(
        "--allocator",
        default="default",
        choices=get_args(Allocator),
        help="keep: glibc keeps what a step frees for the next one, in every framework (default)",
    )


def check_allocator(wanted: Allocator) -> None:
    """Raise ``UserError`` where this system cannot do it."""
    if wanted == "keep" and platform.libc_ver()[0] != "glibc":
        raise UserError("--allocator keep: a setting of glibc, which this system does not have")


def percentage(text: str) -> float:
    """``0.03`` or ``3%``; raises ``ArgumentTypeError`` for what is neither."""
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def chosen(kind: str, wanted: Sequence[str] | None, known: Iterable[str]) -> list[str]:
    """Those of ``known`` that are wanted, in their order; all where nothing is.

    Raises ``UserError`` for what is not known.
    """
    known = list(known)
    for name in wanted or ():
        if name not in known:
            raise UserError(f"unknown {kind} {name!r}; there are: {', '.join(known)}")
    return [name for name in known if not wanted or name in wanted]
