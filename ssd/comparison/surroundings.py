"""With what two sides were made: code, packages, machine, as each run noted it (`ssd.experiment.record`)."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssd.comparison.settings import Row, differing, in_a_line
from ssd.runs.code import diff_of_commits
from ssd.runs.flat import flatten
from ssd.runs.folder import CODE_DIFF, RECORD
from ssd.runs.reading import at, read_json, read_text

_COMPARED = ("versions", "machine", "environment", "precision")
_REMEDY = "put it back, or take it away to do without"

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Surroundings:
    """What two sides were made with.

    Attributes:
        missing: runs that noted nothing, as they are older than that.
        code: a phrase on what differs.
        same_code: whether nothing does; None where it is not known.
        diff: the differences as text; empty where there are none, or none are known.
        rows: packages, machine, environment and precision, where they differ.
    """

    missing: tuple[Path, ...]
    code: str
    same_code: bool | None
    diff: str
    rows: tuple[Row, ...]

    @property
    def lines(self) -> dict[str, str]:
        """What differs, a line for each part."""
        versions = [row for row in self.rows if row["what"].startswith("versions.")]
        others = [row for row in self.rows if row not in versions]
        otherwise = "not known" if self.missing else "the same"
        return {
            "code": self.code,
            "packages": in_a_line(versions, "what") or otherwise,
            "machine": in_a_line(others, "what") or otherwise,
        }


def surroundings(a: Sequence[Path], b: Sequence[Path], root: Path) -> Surroundings:
    """What differs between the runs of two sides.

    Args:
        a, b: their folders.
        root: of the program, whose repository may know their commits.

    Raises:
        UserError: a file of theirs is damaged.
    """
    records = {folder: read_record(folder) for folder in (*a, *b)}
    known = {folder: record for folder, record in records.items() if record is not None}
    missing = tuple(folder for folder in records if folder not in known)
    if missing:
        told = ", ".join(os.path.relpath(folder) for folder in missing)
        return Surroundings(missing, f"not known, as there is no {RECORD} in {told}", None, "", ())
    sides = [[_flat(known[folder]) for folder in side] for side in (a, b)]
    rows = tuple(differing("what", *sides))
    if len({at(record, "code.digest") for record in known.values()}) == 1:
        return Surroundings((), f"the same ({_commit(known[a[0]])})", True, "", rows)
    one, other = known[a[0]], known[b[0]]
    diff = _diff(a[0], b[0], one, other, root)
    return Surroundings((), f"{_commit(one)} → {_commit(other)}{_amount(diff)}", False, diff, rows)


def read_record(folder: Path) -> dict[str, Any] | None:
    """What a run noted of itself; None where it is older than that.

    Raises:
        UserError: that is damaged.
    """
    file = folder / RECORD
    return read_json(file, _REMEDY) if os.path.lexists(file) else None


def _flat(record: Record) -> dict[str, str]:
    return flatten({name: record[name] for name in _COMPARED if record.get(name)})


def _commit(record: Record) -> str:
    commit = at(record, "code.commit")
    name = f"commit {commit[:10]}" if isinstance(commit, str) else f"files {str(at(record, 'code.digest'))[:10]}"
    return f"{name} with changes" if at(record, "code.dirty") else name


def _diff(a: Path, b: Path, one: Record, other: Record, root: Path) -> str:
    """From commit to commit, where the repository here has both, then what was changed since each."""
    commits = [str(at(record, "code.commit")) for record in (one, other)]
    between = diff_of_commits(root, *commits) if commits[0] != commits[1] and "None" not in commits else ""
    parts = [f"# from A's commit to B's\n{between}\n"] if between else []
    for side, folder in (("A", a), ("B", b)):
        if (folder / CODE_DIFF).is_file():
            parts.append(f"# what {side} had changed since its commit\n{read_text(folder / CODE_DIFF, _REMEDY)}")
    return "\n".join(parts)


def _amount(diff: str) -> str:
    files = set(re.findall(r"^diff --git a/(\S+)", diff, re.MULTILINE))
    return f", {len(files)} files differ" if files else ""
