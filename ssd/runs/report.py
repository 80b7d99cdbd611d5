"""The report of one run: in its folder as Markdown and as one HTML file, and without pictures for MLflow."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ssd.runs.best_by import main_metrics
from ssd.runs.files import write_text
from ssd.runs.folder import REPORT, REPORT_PAGE
from ssd.runs.html import self_contained
from ssd.runs.markdown import markdown_table


@dataclass(frozen=True)
class RunReport:
    """What is told about a run.

    Attributes:
        title: e.g. "mobilenet_v2 ssd300 on voc_folder".
        command: what a user types to get this run.
        minutes: wall clock time of the training.
        metrics: of the reported checkpoint, e.g. mAP50; the order is kept, behind that of the main ones.
        best_by: of the run; its metric is told first.
        facts: of the detector: parameters, gflops, latency_ms; what is not known is left out.
        per_class: one row per class, e.g. class, images, objects, precision, recall, AP50, AP.
        datasets: one row per split, e.g. split, name, images, objects, digest.
        settings: the main choices, e.g. backbone, detector, batch size.
        hardware, versions: where it ran and with which packages.
        mlflow_run, mlflow_ui: run id and what opens the page; None when it was not tracked.
    """

    title: str
    command: str
    minutes: float
    metrics: Mapping[str, float]
    best_by: str
    facts: Mapping[str, float]
    per_class: Sequence[Mapping[str, Any]]
    datasets: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]
    hardware: str
    versions: Mapping[str, str]
    mlflow_run: str | None
    mlflow_ui: str | None

    def write(self, folder: Path, pictures: Mapping[str, Path]) -> Path:
        """Writes folder/report.md and report.html, the same with its pictures inside, and gives the path of the first.

        Args:
            folder: the run folder; pictures inside it are linked relatively, so that it can be moved or published.
            pictures: caption -> PNG file, in the order shown; those that do not exist are left out.
        """
        shown = [_picture(folder, caption, path) for caption, path in pictures.items() if path.exists()]
        again = "- The whole configuration is in `config.yaml`, the epochs are in `results.csv`.\n" + self._packages
        if self.mlflow_run:
            again += f"\n- MLflow run `{self.mlflow_run}`: `{self.mlflow_ui}`"
        sections = [
            f"# {self.title}",
            *self._first,
            *self._numbers,
            *(["## Curves and pictures\n\n" + "\n\n".join(shown)] if shown else []),
            *self._conditions,
            f"## Again\n\n{again}",
        ]
        text = "\n\n".join(sections) + "\n"
        write_text(folder / REPORT, text)
        write_text(folder / REPORT_PAGE, self_contained(text, folder))
        return folder / REPORT

    def note(self) -> str:
        """For MLflow's page, which has the title and the pictures elsewhere and may cut the end."""
        return "\n\n".join([*self._first, *self._conditions, self._packages, *self._numbers])

    @property
    def _first(self) -> list[str]:
        """The result in a sentence or two, and the command."""
        values = [f"{name} {value:.3f}" for name, value in self._main.items()]
        result = f"{', '.join(values)} after " if values else ""
        sentences = [f"{result}{self.minutes:.1f} minutes on {self.hardware}."]
        if known := [form.format(self.facts[name]) for name, form in _FACTS.items() if name in self.facts]:
            sentences.append(f"{', '.join(known)}.")
        return ["\n".join(sentences), f"```sh\n{self.command}\n```"]

    @property
    def _main(self) -> dict[str, float]:
        return {name: self.metrics[name] for name in main_metrics(self.best_by) if name in self.metrics}

    @property
    def _numbers(self) -> list[str]:
        rows = [{"metric": key, "value": float(value)} for key, value in (self._main | dict(self.metrics)).items()]
        tables = {"Result": rows, "Classes": self.per_class}
        return [f"## {caption}\n\n{markdown_table(table)}" for caption, table in tables.items() if table]

    @property
    def _conditions(self) -> list[str]:
        tables = {
            "Data": self.datasets,
            "Settings": [{"setting": key, "value": str(value)} for key, value in self.settings.items()],
        }
        return [f"## {caption}\n\n{markdown_table(table)}" for caption, table in tables.items() if table]

    @property
    def _packages(self) -> str:
        return f"- Packages: {', '.join(f'{name} {version}' for name, version in self.versions.items())}."


_FACTS = {
    "parameters": "{:,.0f} parameters",
    "gflops": "{:.2f} GFLOPs per image",
    "latency_ms": "{:.1f} ms for one image with decoding",
}


def _picture(folder: Path, caption: str, path: Path) -> str:
    return f"### {caption}\n\n![{caption}]({quote(Path(os.path.relpath(path, folder)).as_posix())})"
