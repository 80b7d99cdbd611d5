"""What a user is meant to read: the one exception, and the words that several messages share."""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something the user gave is wrong: a configuration key, a file, an annotation.

    The message is one sentence that names the file or key, says what is wrong and what to do; `run.py` prints it
    without a stack trace and exits with `status`.
    """

    status = 2


class FaultyDataError(UserError):
    """What was asked for is done, and has found errors: a status of its own tells scripts of it."""

    status = 1


def first_line(error: BaseException) -> str:
    """The first line that another library's exception says, or its kind where it says nothing."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def is_writable(letter: str) -> bool:
    """Whether a letter can stand in a line: no line break, no control character, no half of a surrogate pair."""
    return unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp")


def innermost(error: BaseException) -> BaseException:
    """The exception that all others in its chain were raised because of, or while it was handled."""
    seen = {id(error)}
    while (cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        if id(cause) in seen:
            break
        seen.add(id(cause))
        error = cause
    return error


def reason(error: BaseException, longest: int = 300) -> str:
    """What went wrong, in one line, for a sentence: the innermost cause's kind and message, cut where it goes on."""
    cause = innermost(error)
    said = " ".join(str(cause).split())
    said = f"{said[:longest]}…" if len(said) > longest else said
    return f"{type(cause).__name__}: {said}" if said else type(cause).__name__


def kind_of(value: object) -> str:
    """What a value is, for "gave …": None, or its type's name."""
    return "None" if value is None else f"a {type(value).__name__}"


def closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name most like `name`, whatever its capitals; None where none is like it.

    Args:
        name: as it was given.
        known: the names there are.
        cutoff: least similarity, 0 to 1, as `difflib` counts it.
    """
    by_lower = {other.lower(): other for other in reversed(list(known))}
    found = get_close_matches(name.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None


def nearest(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" where a known name is like `name`, else "; choose one of: …" of at most a dozen names."""
    names = list(known)
    if not names:
        return ""
    if (found := closest(name, names)) is not None:
        return f"; did you mean '{found}'?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"; choose one of: {shown}"
