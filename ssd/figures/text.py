"""Texts of users in pictures: drawn as they are, and never read as more than letters."""

from ssd.errors import is_writable
from ssd.figures.style import shorten

_MARK = "\N{REPLACEMENT CHARACTER}"


def drawable(text: str, longest: int = 60) -> str:
    """The text in one line of at most `longest` letters. A data set's names are in one line, an old file's may not."""
    return "".join(letter if is_writable(letter) else _MARK for letter in shorten(text, longest))


def plain(text: str, longest: int = 30) -> str:
    """`drawable` for matplotlib, which would read what stands between two dollar signs as a formula."""
    return drawable(text, longest).replace("$", r"\$")
