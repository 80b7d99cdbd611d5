"""The nearest valid name, for error messages."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" where a known name is like `name`, else "; choose one of …" of at most a dozen names."""
    names = list(known)
    if close := get_close_matches(name, names, n=1):
        return f"; did you mean '{close[0]}'?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"; choose one of: {shown}"
