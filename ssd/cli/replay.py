"""Which of a run's stored settings are given to Hydra again: its folder may come from a stranger, and Hydra calls."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ssd.config.overrides import key_of
from ssd.console import say

# What a `_target_` in an override may name: parts of this project, Keras' optimizers, albumentations' transforms.
_TARGETS = re.compile(r"ssd\.(data|models|tasks|training)\.[\w.]+|keras\.optimizers\.[\w.]+|albumentations\.[A-Z]\w*")
_NAMED = re.compile(r"_target_['\"]?\s*[:=]\s*['\"]?([^'\",}\s]*)")
_RESOLVER = re.compile(r"\$\{[^{}]*:")


def replayed(lines: Sequence[str], folder: Path, trusted: bool) -> list[str]:
    """The settings of a run that can neither call, nor write, nor read what is not the run's; the others are said.

    Args:
        lines: overrides, as its folder has them.
        folder: of the run.
        trusted: whether the user has asked for all of them (`trust=true`).
    """
    if trusted:
        return list(lines)
    left_out = [line for line in lines if not _is_harmless(line)]
    if left_out:
        shown = ", ".join(line if len(line) <= 80 else f"{line[:80]}…" for line in left_out)
        say(
            f"left out of what {os.path.relpath(folder)} was started with, as it could run or read anything: {shown}; "
            "if you know where the folder comes from, trust=true takes it"
        )
    return [line for line in lines if line not in left_out]


def _is_harmless(line: str) -> bool:
    key = key_of(line)
    if line.startswith("~") or re.match(r"hydra\b", key) or _RESOLVER.search(line):
        return False
    return all(_TARGETS.fullmatch(target) for target in _NAMED.findall(line))
