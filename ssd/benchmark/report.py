"""The table of a benchmark, as CSV and Markdown."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssd.benchmark.candidates import Candidate
from ssd.benchmark.worker import DISTURBED, Measured
from ssd.figures.benchmark import Point
from ssd.runs.files import whole
from ssd.runs.markdown import markdown_table

STEPS = ("read", "resize", "network", "nms")


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        candidate: what was measured.
        batch_size: images that passed together.
        threads: of the process.
        measured: what came out.
    """

    candidate: Candidate
    batch_size: int
    threads: int
    measured: Measured

    @property
    def disturbed(self) -> bool:
        """Whether other processes had a part in the times."""
        return self.measured.others > DISTURBED

    @property
    def name(self) -> str:
        """For MLflow, where there may be several of a detector."""
        return f"{self.candidate.detector}/{self.candidate.name}/batch_{self.batch_size}_threads_{self.threads}"

    @property
    def point(self) -> Point | None:
        """Of the chart, where mAP is known."""
        one, found = self.candidate, self.measured
        if "mAP" not in one.metrics:
            return None
        return Point(one.detector, one.format, one.precision, found.latency, found.p95, one.metrics["mAP"])

    def values(self) -> dict[str, Any]:
        """As numbers, for CSV and MLflow; shares are of the steps' sum."""
        found = self.measured
        steps = {name: getattr(found, name) for name in STEPS}
        whole = sum(steps.values())
        return {
            "detector": self.candidate.detector,
            "format": self.candidate.format,
            "precision": self.candidate.precision,
            "batch": self.batch_size,
            "threads": self.threads,
            "megabytes": round(self.candidate.megabytes, 2),
            "latency_ms": round(found.latency, 3),
            "p95_ms": round(found.p95, 3),
            "images_per_second": round(found.images_per_second, 2),
            **{f"{name}_share": round(value / whole, 4) for name, value in steps.items()},
            "mAP": self.candidate.metrics.get("mAP"),
            "mAP50": self.candidate.metrics.get("mAP50"),
            "memory_mb": round(found.memory, 1),
            "start_s": round(found.start, 2),
            "others_share": round(found.others, 4),
            "detections": found.detections,
        }

    def metrics(self) -> dict[str, float]:
        """The numbers among them that are measured, and known."""
        named = ("batch", "threads")
        return {
            name: value for name, value in self.values().items() if isinstance(value, int | float) and name not in named
        }

    def in_words(self) -> str:
        """In a line of the log."""
        found = self.measured
        return f"{self.name}: {found.latency:.1f} ms, p95 {found.p95:.1f} ms, {found.images_per_second:.1f} images/s"

    def cells(self) -> dict[str, str]:
        """For people."""
        values = self.values()
        metrics = {name: "" if values[name] is None else f"{values[name]:.4f}" for name in ("mAP", "mAP50")}
        return {
            "detector": values["detector"],
            "format": values["format"],
            "precision": values["precision"],
            "batch": str(self.batch_size),
            "threads": str(self.threads),
            "MB": f"{values['megabytes']:.1f}",
            "ms": f"{values['latency_ms']:.1f}" + ("*" if self.disturbed else ""),
            "p95": f"{values['p95_ms']:.1f}",
            "images/s": f"{values['images_per_second']:.1f}",
            **{f"{name} %": f"{100 * values[f'{name}_share']:.0f}" for name in STEPS},
            **metrics,
            "memory MB": f"{values['memory_mb']:.0f}",
            "start s": f"{values['start_s']:.1f}",
        }


def cells_of(rows: Sequence[Row]) -> list[dict[str, str]]:
    """The cells of all, without the column of detectors where there is but one."""
    several = len({row.candidate.detector for row in rows}) > 1
    return [{name: cell for name, cell in row.cells().items() if several or name != "detector"} for row in rows]


def write_csv(rows: Sequence[Row], file: Path) -> None:
    """Writes the values of all rows."""
    with whole(file) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0].values()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.values() for row in rows)


def in_markdown(rows: Sequence[Row], facts: Mapping[str, str], notes: Sequence[str], picture: str) -> str:
    """The report of a benchmark.

    Args:
        rows: of its table.
        facts: what it was made with: the machine, the data, the command.
        notes: what the reader has to know, a sentence each.
        picture: the file of the chart, beside the report.
    """
    parts = [
        "# Benchmark",
        f"{facts['images']} on {facts['hardware']}. Latency: from the files of a batch to their detections, one step "
        "after the other (median, and what 95 % stay below); its shares: reading and decoding, resizing, the network, "
        "decoding boxes and NMS. images/s: the next images are read meanwhile. Memory: the largest of the process.",
        markdown_table(cells_of(rows)),
        f"![mAP over latency]({picture})",
        *(["\n".join(f"- {note}" for note in notes)] if notes else []),
        f"```sh\n{facts['command']}\n```",
    ]
    return "\n\n".join(parts) + "\n"
