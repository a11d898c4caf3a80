"""Text from outside, made fit to be shown."""

LONGEST = 300
"""Characters of a text that a page still shows."""


def plain(text: str) -> str:
    r"""Replace every character that is not printable by its escape, such as ``\x1b``.

    Of white space only the plain blank is printable, so the result is one line.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def shortened(text: str) -> str:
    """A text that may be of any length, as long as a page shows it; the CSV files hold all."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
