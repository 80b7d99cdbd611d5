"""What can be measured of a detector: itself in Keras, and the files that task=export made of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ssd.data.digest import annotation_digest
from ssd.data.sample import Dataset
from ssd.export.matrix import Variant, every_variant
from ssd.export.report import JSON
from ssd.runs.checkpoint import digest_of
from ssd.runs.reading import read_json

KERAS = "keras"  # among the formats
_REMEDY = "export again, or delete its folder"


@dataclass(frozen=True)
class Candidate:
    """One form of a detector.

    Attributes:
        detector: its name.
        format: keras, or one of task=export.
        precision: that it computes in.
        file: the checkpoint, or the exported file.
        checkpoint: that it was made of.
        policy: the Keras dtype policy that its network computes in, where that is Keras'.
        megabytes: that it takes.
        metrics: mAP and mAP50 on the validation images, as far as they are known; of an export from its check.
    """

    detector: str
    format: str
    precision: str
    file: Path
    checkpoint: Path
    policy: str
    megabytes: float
    metrics: Mapping[str, float]

    @property
    def name(self) -> str:
        """For people; the detector's left out."""
        return f"{self.format}_{self.precision}"


def of_keras(detector: str, checkpoint: Path, policies: Sequence[str]) -> list[Candidate]:
    """The checkpoint itself, in each policy."""
    megabytes = checkpoint.stat().st_size / 1e6
    return [
        Candidate(detector, KERAS, policy.removeprefix("mixed_"), checkpoint, checkpoint, policy, megabytes, {})
        for policy in policies
    ]


def of_exports(detector: str, checkpoint: Path, folder: Path, dataset: Dataset) -> tuple[list[Candidate], list[Path]]:
    """The newest file of each format and precision in the folder of a run's exports; and those of other checkpoints.

    Args:
        detector: its name.
        checkpoint: that the files must have been made of.
        folder: with a folder for each file and its report; may be missing.
        dataset: that the metrics of a report must be of to be taken from it.

    Raises:
        UserError: a report cannot be read.
    """
    made_of, judged_by = digest_of(checkpoint), annotation_digest(dataset)
    found: dict[Variant, Candidate] = {}
    others = []
    for place in sorted(folder.glob(f"*/{JSON}"), key=lambda report: _number(report.parent)):
        report = read_json(place, _REMEDY)
        file = place.parent / report["file"]
        if report.get("checkpoint") != made_of:
            others.append(file)
            continue
        kind, precision = report["format"], report["precision"]
        same = (report["digest"], report["images"]) == (judged_by, len(dataset))
        metrics = report["metrics"] if same else {}
        found[Variant(kind, precision)] = Candidate(
            *(detector, kind, precision, file, checkpoint, precision, report["megabytes"], metrics)
        )
    return [found[variant] for variant in every_variant() if variant in found], others


def _number(folder: Path) -> int:
    """Of a folder that had to get one: FORMAT_PRECISION_2."""
    number = re.search(r"_(\d+)$", folder.name)
    return int(number[1]) if number else 1
