"""The one kind of error users are meant to see."""


class UserError(Exception):
    """Something the user can mend. The message is one line: what, where, the way out.

    The command line prints it and exits with status 2; nothing is left half-written.
    """
