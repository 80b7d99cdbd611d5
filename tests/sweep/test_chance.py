"""Whether the best job is ahead by more than chance, from what each recorded; Holm's correction by hand."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.fake_detections import random_set
from helpers.sweep_jobs import write_job
from ssd.data.annotations import Annotations
from ssd.evaluation.bootstrap import Difference
from ssd.evaluation.record import Judged, write_judged
from ssd.inference.detections import Detections
from ssd.sweep.report.chance import _corrected
from ssd.sweep.report.terminal import print_table
from ssd.sweep.report.write import write_report

DETECTIONS, ANNOTATIONS = random_set(3, 60)
EXACT = [Detections(item.boxes, item.labels, np.ones(len(item.labels), np.float32)) for item in ANNOTATIONS]


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a job and what it found; a fifth of the draws do."""
    monkeypatch.setattr("ssd.sweep.report.chance._DRAWS", 200)

    def write(number: int, given: list[str], found: list[Detections] | None, value: float) -> Path:
        folder = write_job(tmp_path, number, given, value)
        if found is not None:
            judged = Judged(("a", "b", "c", "d"), Annotations.of(ANNOTATIONS), found)
            write_judged(folder / "validation.npz", judged)
        return folder

    return write


def test_the_report_says_which_jobs_are_behind_for_sure(
    tmp_path: Path, record: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    record(0, ["a=1", "seed=0"], EXACT, 0.99)
    record(1, ["a=1", "seed=1"], [*EXACT[:-1], DETECTIONS[-1]], 0.98)  # but for one image
    record(2, ["a=2", "seed=0"], DETECTIONS, 0.5)
    record(3, ["a=2", "seed=1"], None, 0.4)  # older than the records
    report = write_report(tmp_path)
    text = (tmp_path / "sweep.md").read_text()
    assert "Its lead is larger than chance over 1 of 2 other jobs, not over 1.\n" in text
    assert "Not compared, as they recorded no detections of these images: 3." in text
    assert report.chance is not None
    assert (report.chance.jobs[2].sure, report.chance.jobs[1].sure) == (True, False)
    assert report.chance.groups == {}  # one of the second configuration is not known
    with (tmp_path / "sweep.csv").open(newline="") as file:
        rows = {row["job"]: row for row in csv.DictReader(file)}
    assert float(rows["2"]["to_best"]) == pytest.approx(report.chance.jobs[2].difference.value)
    assert float(rows["2"]["to_best_p"]) < 0.05
    assert rows["0"]["to_best"] == rows["3"]["to_best"] == ""
    print_table(report.jobs, report.chance)
    assert "mAP50 0.990. Its lead is larger than chance over 1 of 2 other jobs, not over 1." in capsys.readouterr().out


def test_configurations_are_compared_by_the_mean_over_their_seeds(tmp_path: Path, record: Callable[..., Path]) -> None:
    record(0, ["a=1", "seed=0"], EXACT, 0.99)
    record(1, ["a=1", "seed=1"], EXACT, 0.98)
    record(2, ["a=2", "seed=0"], DETECTIONS, 0.5)
    folder = record(3, ["a=2", "seed=1"], DETECTIONS, 0.4)
    report = write_report(tmp_path)
    assert report.chance is not None
    assert list(report.chance.groups) == [2]
    assert report.chance.groups[2].sure
    assert "| rank | a | runs | mAP50 | to the best |" in (tmp_path / "sweep.md").read_text()
    (folder / "validation.npz").write_bytes(b"damaged")
    assert write_report(tmp_path).chance.unknown == (3,)  # type: ignore[union-attr]


def test_without_records_nothing_is_said(tmp_path: Path, record: Callable[..., Path]) -> None:
    record(0, ["a=1"], None, 0.9)
    record(1, ["a=2"], DETECTIONS, 0.5)
    assert write_report(tmp_path).chance is None
    (tmp_path / "0_job" / "validation.npz").write_bytes(b"damaged")
    assert write_report(tmp_path).chance is None
    assert "to the best" not in (tmp_path / "sweep.md").read_text()


def test_p_is_corrected_as_holm_does() -> None:
    one = Difference(-0.1, 0.05, -0.2, 0.0, 0.01)
    found = _corrected({7: replace_p(one, 0.04), 8: replace_p(one, 0.01), 9: replace_p(one, 0.03), 10: None})
    assert {number: behind.p for number, behind in found.items()} == pytest.approx({8: 0.03, 9: 0.06, 7: 0.06})
    assert [number for number, behind in found.items() if behind.sure] == [8]
    assert str(found[8]) == "-10.0 ± 5.0 (p = 0.030) *"


def replace_p(one: Difference, p: float) -> Difference:
    return one._replace(p=p)
