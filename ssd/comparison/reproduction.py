"""Whether a training that was done again came to the same: results, weights, and what could explain a difference."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ssd.comparison.data import split_change
from ssd.comparison.settings import Row, differing, in_a_line, that_matter
from ssd.comparison.surroundings import Surroundings, read_record, surroundings
from ssd.data.recorded import read_annotations
from ssd.runs.files import write_json, write_text
from ssd.runs.flat import flatten
from ssd.runs.folder import ANNOTATIONS, BEST, LAST, RESULTS
from ssd.runs.markdown import markdown_table
from ssd.runs.reading import at
from ssd.runs.results import read_results
from ssd.runs.started import config_of

REPORT, VALUES = Path("reproduction.md"), Path("reproduction.json")
_OF_THE_CLOCK = ("minutes", "train/images_per_second", "train/waiting")  # columns of results.csv
_SHOWN = 10  # differing numbers


@dataclass(frozen=True)
class Reproduction:
    """A training and its repetition.

    Attributes:
        source, again: their folders.
        epochs: of each.
        numbers: rows of what differs in results.csv, times aside.
        weights: checkpoint → whether all its numbers are the same, bit for bit; None where the source has it no more.
        settings: rows of what differs.
        data: split → what differs, in words.
        same_data: None where the source did not note it.
        around: code, packages and machine.
        by_the_clock: whether minutes ended the training, which no machine repeats.
    """

    source: Path
    again: Path
    epochs: tuple[int, int]
    numbers: tuple[Mapping[str, Any], ...]
    weights: Mapping[str, bool | None]
    settings: tuple[Row, ...]
    data: Mapping[str, str]
    same_data: bool | None
    around: Surroundings
    by_the_clock: bool

    @property
    def same(self) -> bool:
        """Whether every number and all weights that are there are the same."""
        return self.epochs[0] == self.epochs[1] and not self.numbers and False not in self.weights.values()

    @property
    def verdict(self) -> str:
        """The sentence."""
        known = [name for name, same in self.weights.items() if same is not None]
        if self.same:
            weights = f", and the weights of {' and '.join(known)}, bit for bit" if known else "; no weights are left"
            return f"reproduced: all numbers of {self.epochs[0]} epochs are the same{weights}"
        parts = []
        if self.epochs[0] != self.epochs[1]:
            parts.append(f"{self.epochs[0]} epochs had been made, now {self.epochs[1]}")
        if self.numbers:
            first = self.numbers[0]
            parts.append(
                f"{len(self.numbers)} numbers of {RESULTS} differ, the first in epoch {first['epoch']}: "
                f"{first['column']} {first['source']} → {first['again']}"
            )
        parts += [f"{name} has other weights" for name, same in self.weights.items() if same is False]
        return f"not reproduced: {'; '.join(parts)} ({self._explanation})"

    @property
    def lines(self) -> dict[str, str]:
        """What is the same and what differs, a line for each part."""
        weights = {True: "the same, bit for bit", False: "others", None: "not there any more"}
        return {
            "numbers": f"{len(self.numbers)} differ" if self.numbers else "the same",
            **{f"weights, {name}": weights[same] for name, same in self.weights.items()},
            "settings": in_a_line(self.settings, "setting") or "the same",
            **{f"data, {split}": text for split, text in self.data.items()},
            **self.around.lines,
        }

    @property
    def _explanation(self) -> str:
        """What else is not the same."""
        found = {
            "settings": bool(self.settings),
            "data": self.same_data is False,
            "code": self.around.same_code is False,
            "packages or machine": bool(self.around.rows),
            "the clock ended it": self.by_the_clock,
        }
        if differing := [name for name, differs in found.items() if differs]:
            return f"what else differs: {', '.join(differing)}"
        return "of what else is known nothing differs"


def reproduction(source: Path, again: Path, root: Path, digest: Callable[[Path], str]) -> Reproduction:
    """Compares a training with its repetition.

    Args:
        source, again: their folders.
        root: of the program.
        digest: of a checkpoint's weights (`ssd.models.weights_digest`).

    Raises:
        UserError: a file of theirs is damaged.
    """
    rows = [read_results(folder / RESULTS) for folder in (source, again)]
    configs = [config_of(folder) or {} for folder in (source, again)]
    settings = differing("setting", *([that_matter(flatten(config))] for config in configs))
    data, same_data = _data(source, again)
    return Reproduction(
        source=source,
        again=again,
        epochs=(len(rows[0]), len(rows[1])),
        numbers=tuple(_numbers(*rows)),
        weights={file.name: _same_weights(source / file, again / file, digest) for file in (BEST, LAST)},
        settings=tuple(settings),
        data=data,
        same_data=same_data,
        around=surroundings([source], [again], root),
        by_the_clock=at(configs[0], "training.minutes") is not None,
    )


def write_reproduction(found: Reproduction, folder: Path) -> None:
    """Writes reproduction.md and reproduction.json."""
    rows = [{"what": name, "": text} for name, text in found.lines.items()]
    sections = [
        f"# {found.verdict[:1].upper()}{found.verdict[1:]}.",
        f"`{os.path.relpath(found.source)}`, done again in `{os.path.relpath(found.again)}`",
        markdown_table(rows),
    ]
    if found.numbers:
        more = len(found.numbers) - _SHOWN
        rest = f"\n\n… and {more} more, in `{VALUES}`." if more > 0 else ""
        sections.append(f"## {RESULTS}\n\n{markdown_table(found.numbers[:_SHOWN])}{rest}")
    if found.settings:
        sections.append(f"## Settings\n\n{markdown_table(found.settings)}")
    if found.around.rows:
        sections.append(f"## Packages and machine\n\n{markdown_table(found.around.rows)}")
    if found.around.diff:
        sections.append(f"## Code\n\n```diff\n{found.around.diff}```")
    write_text(folder / REPORT, "\n\n".join(sections) + "\n")
    values = asdict(found) | {"same": found.same, "verdict": found.verdict}
    values["source"], values["again"] = str(found.source), str(found.again)
    write_json(folder / VALUES, values)


def _numbers(had: Sequence[Mapping[str, float]], has: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """What differs in the epochs that both have, in order; a number that one lacks differs, too."""
    found: list[dict[str, Any]] = []
    by_epoch = {row["epoch"]: row for row in has}
    for row in had:
        if (other := by_epoch.get(row["epoch"])) is None:
            continue
        for column in dict.fromkeys((*row, *other)):
            if column not in _OF_THE_CLOCK and row.get(column) != other.get(column):
                values = [f"{side[column]:.6g}" if column in side else "-" for side in (row, other)]
                found.append({"epoch": int(row["epoch"]), "column": column, "source": values[0], "again": values[1]})
    return found


def _same_weights(one: Path, other: Path, digest: Callable[[Path], str]) -> bool | None:
    return digest(one) == digest(other) if one.is_file() and other.is_file() else None


def _data(source: Path, again: Path) -> tuple[dict[str, str], bool | None]:
    """What differs of each split, by what both noted of it; and whether nothing does."""
    records = [read_record(folder) for folder in (source, again)]
    digests = [at(record, "data") or {} for record in records]
    if records[0] is None or not digests[0]:
        return {"train and val": "not known, as the source did not note it"}, None
    if (source / ANNOTATIONS).is_file() and (again / ANNOTATIONS).is_file():
        had, has = (read_annotations(folder / ANNOTATIONS) for folder in (source, again))
        changes = {split: split_change(split, had[split], has[split]) for split in had if split in has}
        return {split: str(change) for split, change in changes.items()}, all(one.same for one in changes.values())
    same = {split: at(digests[1], f"{split}.digest") == at(noted, "digest") for split, noted in digests[0].items()}
    return {split: "the same" if one else "another digest" for split, one in same.items()}, all(same.values())
