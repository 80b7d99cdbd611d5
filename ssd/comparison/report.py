"""The report of a comparison: one page with its chart, all of it as JSON, and the lines for the terminal."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ssd.comparison.data import SplitChange
from ssd.comparison.results import Compared, Results
from ssd.comparison.settings import Row, in_a_line
from ssd.comparison.surroundings import Surroundings
from ssd.figures.differences import draw_differences
from ssd.runs.files import write_json, write_text
from ssd.runs.folder import CODE_DIFF, PLOTS, REPORT, REPORT_PAGE
from ssd.runs.html import self_contained
from ssd.runs.markdown import markdown_table

COMPARISON = Path("comparison.json")
PICTURE = PLOTS / "differences.png"
_ROWS = 30  # of a table on the page; all are in the JSON
_EXPLAINED = (
    "± is the standard deviation of the difference over {draws:,} draws of the {images:,} images with replacement, the "
    "same for both sides; p is two-sided, and below 0.05 the difference is larger than chance. Images are drawn, not "
    "trainings: how much another seed would have changed is told by runs with other seeds (`source=A1,A2+B1,B2`) alone."
)
_OF_CLASSES = "p is of each class alone: of twenty that do not differ one falls below 0.05."


@dataclass(frozen=True)
class Comparison:
    """What differs between two sides.

    Attributes:
        a, b: the run folders of each.
        settings: rows of what differs.
        around: code, packages and machine.
        data: what differs of each split that both have.
        notes: what could not be told, in sentences.
        same_weights: whether both judged the same weights; None where that is not known.
        results: None where they cannot be compared.
        incomparable: why not.
    """

    a: tuple[Path, ...]
    b: tuple[Path, ...]
    settings: tuple[Row, ...]
    around: Surroundings
    data: tuple[SplitChange, ...]
    notes: tuple[str, ...]
    same_weights: bool | None
    results: Results | None
    incomparable: str = ""

    @property
    def verdict(self) -> list[str]:
        """A sentence for each of the first two metrics; or why there is none."""
        if self.results is None:
            return [f"The results cannot be compared: {self.incomparable}."]
        sentences = [f"{metric}." for metric in self.results.metrics[:2]]
        return ["A and B have the same weights, bit for bit.", *sentences] if self.same_weights else sentences

    @property
    def lines(self) -> dict[str, str]:
        """What differs, a line for each part."""
        return {
            "settings": in_a_line(self.settings, "setting") or "the same",
            **{f"data, {change.split}": str(change) for change in self.data},
            **self.around.lines,
        }


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Writes report.md, report.html, comparison.json, the chart and, where the code differs, code.diff."""
    found = comparison.results
    if found is not None:
        (folder / PLOTS).mkdir(exist_ok=True)
        draw_differences([(item.name, item.difference) for item in (*found.metrics, *found.classes)], folder / PICTURE)
    if comparison.around.diff:
        write_text(folder / CODE_DIFF, comparison.around.diff)
    text = "\n\n".join(_sections(comparison)) + "\n"
    write_text(folder / REPORT, text)
    write_text(folder / REPORT_PAGE, self_contained(text, folder))
    write_json(folder / COMPARISON, as_json(comparison))


def note(comparison: Comparison) -> str:
    """For MLflow's page, which has the chart elsewhere."""
    return "\n\n".join(section for section in _sections(comparison)[1:] if not section.startswith("!["))


def as_json(comparison: Comparison) -> dict[str, Any]:
    """All of it, in plain values."""
    around = asdict(comparison.around)
    around.pop("diff")
    return {
        "a": [str(folder) for folder in comparison.a],
        "b": [str(folder) for folder in comparison.b],
        "verdict": comparison.verdict,
        "same_weights": comparison.same_weights,
        "results": None if comparison.results is None else _results_as_json(comparison.results),
        "settings": comparison.settings,
        "around": around,
        "data": [asdict(change) | {"same": change.same} for change in comparison.data],
        "notes": comparison.notes,
    }


def result_rows(items: Sequence[Compared], name: str) -> list[dict[str, Any]]:
    """Rows for people: values from 0 to 1, as everywhere, their difference in points of a hundredth."""
    return [
        {
            name: item.name,
            "A": item.a,
            "B": item.b,
            "B - A, points": "" if item.difference is None else f"{100 * item.difference.value:+.1f}",
            "±": "" if item.difference is None else f"{100 * item.difference.deviation:.1f}",
            "p": "" if item.difference is None else f"{item.difference.p:.3f}",
            "larger than chance": "yes" if item.sure else "no",
        }
        for item in items
    ]


def _results_as_json(found: Results) -> dict[str, Any]:
    def rows(items: Sequence[Compared]) -> dict[str, Any]:
        return {
            item.name: {
                "a": item.a,
                "b": item.b,
                "difference": None if item.difference is None else item.difference._asdict(),
                "larger_than_chance": item.sure,
            }
            for item in items
        }

    return {
        "images": found.images,
        "draws": found.draws,
        "metrics": rows(found.metrics),
        "classes": rows(found.classes),
    }


def _sections(comparison: Comparison) -> list[str]:
    found = comparison.results
    sides = "\n".join(
        f"- {side}: {', '.join(f'`{os.path.relpath(folder)}`' for folder in folders)}"
        for side, folders in (("A", comparison.a), ("B", comparison.b))
    )
    sections = ["# A and B compared", sides, "\n".join(f"**{sentence}**" for sentence in comparison.verdict)]
    if found is not None:
        explained = _EXPLAINED.format(draws=found.draws, images=found.images)
        sections += [f"## Results\n\n{markdown_table(result_rows(found.metrics, 'metric'))}\n\n{explained}"]
        sections += [f"![Differences with the range of 95 % of the draws]({PICTURE.as_posix()})"]
        sections += [f"## Classes (AP)\n\n{_table(result_rows(found.classes, 'class'))}\n\n{_OF_CLASSES}"]
    sections.append(f"## Settings\n\n{_table(comparison.settings) or 'The same.'}")
    code = f"{comparison.around.code}{_see_diff(comparison)}."
    sections.append(f"## Code\n\n{code[0].upper()}{code[1:]}")
    sections.append(f"## Data\n\n{_data(comparison.data)}")
    around = _table(comparison.around.rows) or ("Not known." if comparison.around.missing else "The same.")
    sections.append(f"## Packages and machine\n\n{around}")
    if comparison.notes:
        sections.append("## Notes\n\n" + "\n".join(f"- {line}" for line in comparison.notes))
    return sections


def _see_diff(comparison: Comparison) -> str:
    return f"; see `{CODE_DIFF}`" if comparison.around.diff else ""


def _data(changes: Sequence[SplitChange]) -> str:
    parts = [f"- {change.split}: {change}" for change in changes]
    rows = [
        {"split": change.split, "image": name, "what": what}
        for change in changes
        for name, what in (
            *((name, "added") for name in change.added),
            *((name, "gone") for name in change.gone),
            *((name, f"{more} boxes added, {fewer} gone") for name, (more, fewer) in change.changed.items()),
        )
    ]
    return "\n".join(parts or ["- not known"]) + (f"\n\n{_table(rows)}" if rows else "")


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    more = len(rows) - _ROWS
    return markdown_table(rows[:_ROWS]) + (f"\n\n… and {more} more, in `{COMPARISON}`." if more > 0 else "")
