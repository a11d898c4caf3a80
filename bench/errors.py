"""The one kind of error users are meant to see."""


class UserError(Exception):
    """Something the user can mend. The message is one line: what, where, the way out.

    The command line prints it and exits with status 2; nothing is left half-written.
    """


def last_line(said: str) -> str:
    """Of what a program wrote: of a traceback it says what, those above it only where."""
    return " ".join(said.strip().rpartition("\n")[2].split())
