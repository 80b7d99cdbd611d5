"""Texts of users in pictures: drawn as they are, and never read as more than letters."""

from ssd.errors import is_writable

_MARK = "\N{REPLACEMENT CHARACTER}"


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters: where something must go it is from the middle, as long names differ at their ends."""
    kept = limit - 1
    return text if len(text) <= limit else f"{text[: kept // 3]}…{text[len(text) - (kept - kept // 3) :]}"


def drawable(text: str, longest: int = 60) -> str:
    """The text in one line of at most `longest` letters. A data set's names are in one line, an old file's may not."""
    return "".join(letter if is_writable(letter) else _MARK for letter in shorten(text, longest))


def plain(text: str, longest: int = 30) -> str:
    """`drawable` for matplotlib, which would read what stands between two dollar signs as a formula."""
    return drawable(text, longest).replace("$", r"\$")
