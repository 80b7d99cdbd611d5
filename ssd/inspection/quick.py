"""The part of an inspection that precedes every training: what the annotations tell, said in a line for each kind."""

import logging
from collections import Counter

from ssd.data.sample import Splits
from ssd.inspection.examine import check_annotations
from ssd.inspection.finding import Finding
from ssd.inspection.kinds import KINDS, Severity

log = logging.getLogger(__name__)

# What `ssd.data.oddities` has said when the data set was read.
_SAID = ("class-background", "object-twice", "class-only-in-val", "class-only-in-train", "split-without-objects")


def say_findings(splits: Splits, image_size: int) -> None:
    """Warns of each kind that a training is most likely worse for, with how many there are and the first.

    Args:
        splits: of the data set.
        image_size: side in pixels of the square that the network sees.
    """
    count, firsts = Counter[str](), dict[str, Finding]()
    for findings in check_annotations(splits, image_size):
        first = findings[0]
        count[first.kind] += len(findings)
        firsts.setdefault(first.kind, first)
    for key, kind in KINDS.items():
        if key not in firsts or key in _SAID or kind.severity == Severity.note:
            continue
        where = f"{firsts[key].file}: " if firsts[key].file else ""
        log.warning(
            "%s: %d (task=inspect lists them); the first: %s%s %s",
            *(kind.title, count[key], where, firsts[key].text, kind.advice),
        )
