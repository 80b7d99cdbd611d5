"""The report of an inspection: one page with its pictures in it, all findings as JSON, and a few lines."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Dataset, Splits
from ssd.figures.box_shapes import box_shapes
from ssd.figures.charts import label_statistics
from ssd.inspection.examine import parts_of
from ssd.inspection.finding import Finding
from ssd.inspection.kinds import KINDS, Kind, Severity
from ssd.inspection.objects import Objects, counts_of, objects_of
from ssd.inspection.pictured import draw_findings
from ssd.inspection.priors import PriorCheck, prior_section, priors_as_json
from ssd.runs.files import write_json, write_text
from ssd.runs.folder import FINDINGS, PLOTS, REPORT, REPORT_PAGE
from ssd.runs.html import self_contained
from ssd.runs.markdown import markdown_table

_ROWS = 20  # of a kind on the page; all are in the JSON
_MANY = 50  # classes on the page's table


@dataclass(frozen=True)
class Inspection:
    """What was inspected and found.

    Attributes:
        splits: of the data set.
        findings: all of them.
        image_size: side in pixels of the square that the network sees.
        seconds: it took.
        priors: what the detector's reach.
        no_priors: why that is not known, where it is not.
    """

    splits: Splits
    findings: Sequence[Finding]
    image_size: int
    seconds: float
    priors: PriorCheck | None = None
    no_priors: str = ""

    @property
    def name(self) -> str:
        """Of the data set."""
        return self.splits.train.name.partition(":")[0]

    def count(self, severity: Severity) -> int:
        """Findings of a severity."""
        return sum(finding.of.severity == severity for finding in self.findings)

    @property
    def by_kind(self) -> list[tuple[str, Kind, list[Finding]]]:
        """The kinds that were found, the worst first, each with its findings."""
        found = {key: [finding for finding in self.findings if finding.kind == key] for key in KINDS}
        kinds = [(key, KINDS[key], findings) for key, findings in found.items() if findings]
        return sorted(kinds, key=lambda item: item[1].severity)

    @property
    def summary(self) -> str:
        """The counts in a sentence."""
        images = sum(len(part) for part in parts_of(self.splits))
        counts = ", ".join(_counted(self.count(severity), severity.name) for severity in Severity)
        return f"{counts} in {images:,} images, {self.seconds:.1f} s"


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def write_inspection(inspection: Inspection, folder: Path) -> None:
    """Writes report.md, report.html, findings.json and plots/ into `folder`."""
    (folder / PLOTS).mkdir(parents=True, exist_ok=True)
    write_json(folder / FINDINGS, _as_json(inspection))
    text = (
        "\n\n".join(
            [
                *_overview(inspection),
                *_data(inspection, folder),
                *_priors(inspection, folder),
                *_found(inspection, folder),
            ]
        )
        + "\n"
    )
    write_text(folder / REPORT, text)
    write_text(folder / REPORT_PAGE, self_contained(text, folder))


def _as_json(inspection: Inspection) -> dict[str, Any]:
    findings = [
        {
            "kind": finding.kind,
            "severity": finding.of.severity.name,
            "split": finding.shown[0].split if finding.shown else None,
            "file": finding.file or None,
            "object": finding.object,
            "reason": finding.text,
            "advice": finding.of.advice,
        }
        for _, _, found in inspection.by_kind
        for finding in found
    ]
    counts = {f"{severity.name}s": inspection.count(severity) for severity in Severity}
    about = {"dataset": inspection.name, "seconds": round(inspection.seconds, 2), **counts}
    priors = {"priors": priors_as_json(inspection.priors)} if inspection.priors is not None else {}
    return {**about, **priors, "findings": findings}


def _overview(inspection: Inspection) -> list[str]:
    rows = [
        {"": kind.severity.name, "what": kind.title, "how many": len(found)} for _, kind, found in inspection.by_kind
    ]
    return [
        f"# Inspection of {inspection.name}",
        f"{inspection.summary}. A training stops at errors, or leaves them out by `dataset.on_error=skip`; it goes on "
        "with warnings; a note may be meant so.",
        markdown_table(rows) if rows else "Nothing was found.",
    ]


def _data(inspection: Inspection, folder: Path) -> list[str]:
    parts = parts_of(inspection.splits)
    columns = {part.name: objects_of(part) for part in parts}
    statistics, shapes = folder / PLOTS / "label_statistics.png", folder / PLOTS / "box_shapes.png"
    label_statistics(parts[0].annotations, parts[0].class_names, statistics)
    ratios = {name: _ratios(objects) for name, objects in columns.items()}
    box_shapes({name: objects.boxes for name, objects in columns.items()}, ratios, inspection.image_size, shapes)
    return [
        "## Data",
        markdown_table([_split_row(part, columns[part.name], inspection.image_size) for part in parts]),
        markdown_table(_class_rows(parts, columns)),
        f"### Objects of {parts[0].name}\n\n![Objects](plots/{statistics.name})",
        f"### Boxes\n\n![Sizes and shapes](plots/{shapes.name})",
    ]


def _priors(inspection: Inspection, folder: Path) -> list[str]:
    if inspection.priors is not None:
        return prior_section(inspection.priors, folder)
    return [f"## Priors\n\nLeft out: {inspection.no_priors}"] if inspection.no_priors else []


def _ratios(objects: Objects) -> NDArray[np.float64]:
    """(N,) width over height in the image's pixels."""
    sides = (objects.boxes[:, 2:] - objects.boxes[:, :2]) * objects.sizes
    return sides[:, 1] / sides[:, 0]


def _split_row(part: Dataset, objects: Objects, image_size: int) -> dict[str, Any]:
    sides = np.sqrt((objects.boxes[:, 2:] - objects.boxes[:, :2]).prod(axis=1)) * image_size
    low, middle, high = np.percentile(sides, (5, 50, 95)) if len(sides) else (np.nan,) * 3
    return {
        "split": part.name,
        "images": len(part),
        "without objects": sum(not len(item.labels) for item in part.annotations),
        "objects": len(objects.labels),
        "crowds": int(objects.crowd.sum()),
        f"side at {image_size} pixels: 5 %": float(low),
        "median": float(middle),
        "95 %": float(high),
    }


def _class_rows(parts: Sequence[Dataset], columns: Mapping[str, Objects]) -> list[dict[str, Any]]:
    """Objects and images of each class in each split, the most frequent first; the last row is of all that is left."""
    names = parts[0].class_names
    counts = {part.name: counts_of(columns[part.name], len(names)) for part in parts}
    order = np.argsort(-sum(counts.values()), kind="stable")  # type: ignore[arg-type]
    images = {
        name: np.bincount(np.unique(np.stack([objects.image, objects.labels], 1), axis=0)[:, 1], minlength=len(names))
        for name, objects in columns.items()
    }
    rows = [
        {"class": names[label]}
        | {f"objects in {name}": int(counts[name][label]) for name in counts}
        | {f"images in {name}": int(images[name][label]) for name in counts}
        for label in order[:_MANY].tolist()
    ]
    if (rest := len(names) - len(rows)) > 0:
        rows.append({"class": f"and {rest} more"})
    return rows


def _root(inspection: Inspection) -> str:
    """The folder that all files with findings are in; empty where they have none in common."""
    files = [finding.file for finding in inspection.findings if os.sep in finding.file]
    with suppress(ValueError):  # no file, or some relative ones
        return os.path.commonpath([os.path.dirname(file) for file in files]).rstrip(os.sep)
    return ""


def _found(inspection: Inspection, folder: Path) -> list[str]:
    datasets = {part.name: part for part in parts_of(inspection.splits)}
    root = _root(inspection)

    def short(text: str) -> str:
        return text.replace(f"{root}{os.sep}", "") if root else text

    sections, severity = ([f"Files are named from `{root}`."] if root else []), None
    for key, kind, findings in inspection.by_kind:
        if kind.severity != severity:
            severity = kind.severity
            sections.append(f"## {severity.name.capitalize()}s")
        sections += [f"### {kind.title}: {len(findings):,}", kind.advice]
        picture = folder / PLOTS / f"{key}.png"
        if draw_findings(findings, datasets, picture):
            sections.append(f"![{kind.title}](plots/{picture.name})")
        rows = [{"file": short(finding.file) or "the data set", "reason": short(finding.text)} for finding in findings]
        sections.append(markdown_table(rows[:_ROWS]))
        if len(findings) > _ROWS:
            sections.append(f"The other {len(findings) - _ROWS:,} are in `{FINDINGS}`.")
    return sections
