"""Arguments of the command line. Standard library only."""

import argparse
from typing import NoReturn

from bench.errors import UserError


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line, as everywhere in the suite."""

    def error(self, message: str) -> NoReturn:
        """Raise ``UserError`` in the place of printing the usage and exiting."""
        raise UserError(f"{message}; --help explains every option")
