"""Keys whose value may name several things."""

import os
import re


def split_source(source: str, separators: str = ",") -> list[str]:
    """The parts of `A,B`; a path that is there and has a separator in its name stays whole.

    >>> split_source("A+B,C", "+,")
    ['A', 'B', 'C']
    """
    pieces = re.split(f"([{re.escape(separators)}])", source)  # at odd places the separators
    parts, first = list[str](), 0
    while first < len(pieces):
        ends = range(len(pieces), first, -2)
        end = next((end for end in ends if _exists("".join(pieces[first:end]))), first + 1)
        parts.append("".join(pieces[first:end]))
        first = end + 1
    return parts


def _exists(path: str) -> bool:
    return os.path.exists(path)  # False too for what no file system takes
