"""Keys whose value may name several things."""

from pathlib import Path


def split_source(source: str, separators: str = ",") -> list[str]:
    """The parts of `A,B`; a path that has a separator in its name may be given alone."""
    parts = [source]
    if not Path(source).exists():
        for separator in separators:
            parts = [piece for part in parts for piece in part.split(separator)]
    return parts
