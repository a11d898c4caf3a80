"""Text from outside, made fit to be shown."""


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
