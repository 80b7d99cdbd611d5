"""The report of exports: what each was checked by and came to, as JSON, Markdown and a table on the terminal."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ssd.data.digest import annotation_digest
from ssd.export.blame import Layer
from ssd.export.check import METRICS, TOLERANCES, Check, Original
from ssd.export.matrix import Variant
from ssd.runs.files import write_json, write_text
from ssd.runs.markdown import markdown_table

JSON, MARKDOWN = "report.json", "report.md"
_WORST = 10  # layers that are told


@dataclass(frozen=True)
class Exported:
    """A file that was written and looked at.

    Attributes:
        variant: format and precision.
        file: a SavedModel's is a folder.
        megabytes: that it takes, with all that belongs to it.
        seconds: that writing it took.
        check: of its detections.
        blamed: where that failed, in a sentence what is to blame; else empty.
        layers: where it failed, those that add most to the error first.
    """

    variant: Variant
    file: Path
    megabytes: float
    seconds: float
    check: Check
    blamed: str
    layers: Sequence[Layer]

    @property
    def failed(self) -> bool:
        """Whether it differs by more than its precision explains."""
        return bool(self.check.failures)

    def row(self, original: Original) -> dict[str, Any]:
        """Of a table of exports."""
        found = self.check.differences
        metrics: dict[str, str] = {}
        for name in METRICS:
            if name in original.metrics:
                value = self.check.metrics.get(name, 0.0)
                metrics |= {name: f"{value:.4f}", f"Δ {name}": f"{value - original.metrics[name]:+.4f}"}
        return {
            "format": self.variant.format,
            "precision": self.variant.precision,
            "MB": f"{self.megabytes:.1f}",
            "detections": found.detections,
            "missing": found.missing,
            "extra": found.extra,
            "Δ score": f"{found.score:.1g}",
            "Δ box": f"{found.box:.1g}",
            **metrics,
            "check": "failed" if self.failed else "passed",
        }

    def values(self, original: Original) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "format": self.variant.format,
            "precision": self.variant.precision,
            "file": self.file.name,
            "megabytes": self.megabytes,
            "seconds": self.seconds,
            "checkpoint": original.checkpoint,
            "images": len(original.detections),
            "dataset": original.dataset.name,
            "digest": annotation_digest(original.dataset),
            "tolerance": TOLERANCES[self.variant.precision]._asdict(),
            "differences": asdict(self.check.differences),
            "metrics": self.check.metrics,
            "original_metrics": original.metrics,
            "passed": not self.failed,
            "failures": self.check.failures,
            "blamed": self.blamed,
            "layers": [layer._asdict() for layer in self.layers],
        }

    def write(self, original: Original) -> list[Path]:
        """Writes report.json and report.md beside the file, and gives them."""
        folder = self.file.parent
        write_json(folder / JSON, self.values(original))
        write_text(folder / MARKDOWN, self._text(original))
        return [folder / JSON, folder / MARKDOWN]

    def _text(self, original: Original) -> str:
        tolerance = TOLERANCES[self.variant.precision]
        allowed = f"{tolerance.metric} may lose {tolerance.loss:g}"
        if tolerance.exact is not None:
            allowed += f", and detections must be the same, scores and boxes within {tolerance.exact:g}"
        parts = [
            f"# {self.variant.format}, {self.variant.precision}: {'failed' if self.failed else 'passed'}",
            f"`{self.file.name}` beside the float32 detector on {len(original.detections)} images of "
            f"{original.dataset.name}: {allowed}.",
            markdown_table([self.row(original)]),
            self._compared(original),
        ]
        if self.failed:
            parts += ["## Failed", "\n".join(f"- {failure}" for failure in (*self.check.failures, self.blamed))]
        if self.layers:
            rows = [
                {"layer": layer.name, "error": f"{layer.error:.2g}", "added": f"{layer.added:.2g}"}
                for layer in self.layers[:_WORST]
            ]
            parts += [
                "## Layers",
                "Errors of outputs on one image, as a share of their size (root mean squares), and what of it the "
                "layer's inputs do not have.",
                markdown_table(rows),
            ]
        return "\n\n".join(parts) + "\n"

    def _compared(self, original: Original) -> str:
        exact = TOLERANCES[self.variant.precision].exact is not None
        which = "All detections" if exact else f"Detections with a score of at least {original.least:g}"
        rounding = f"; {ties} are left out, as rounding decides" if (ties := self.check.differences.tied) else ""
        return f"{which} are compared{rounding}."


def overview(exports: Sequence[Exported], original: Original, command: str) -> str:
    """All exports of a command in one Markdown page."""
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in original.metrics.items())
    failures = [
        f"- {one.variant.name}: {'; '.join((*one.check.failures, one.blamed))}" for one in exports if one.failed
    ]
    parts = [
        "# Exports",
        f"The float32 detector on {len(original.detections)} images of {original.dataset.name}: "
        f"{metrics or 'no objects'}.",
        markdown_table([one.row(original) for one in exports]),
        *(["## Failed", "\n".join(failures)] if failures else []),
        f"```sh\n{command}\n```",
    ]
    return "\n\n".join(parts) + "\n"
