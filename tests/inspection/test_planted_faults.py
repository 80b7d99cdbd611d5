"""Every planted fault is found, of each kind as many as there are, and nothing else."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from helpers.broken_voc import CLASSES, NAMED, TRAIN, VAL, Breaker, plant, write_sound
from helpers.damage import files_in
from ssd.data.look import look_at_images
from ssd.data.readers.voc_folder import voc_folder
from ssd.inspection.examine import examine, parts_of
from ssd.inspection.finding import Finding
from ssd.inspection.kinds import KINDS

BCCD = Path(__file__).parents[2].parent / "shared" / "data" / "bccd"


def _findings(root: Path, class_names: Sequence[str] | None = None) -> list[Finding]:
    splits = voc_folder(str(root), "trainval", "test", class_names, 0.2, 0, "cells", on_error="skip")
    return examine(splits, look_at_images(parts_of(splits)), image_size=300)


def _kinds(findings: Sequence[Finding]) -> Counter[str]:
    return Counter(finding.kind for finding in findings)


@pytest.mark.parametrize("seed", range(3))
def test_a_sound_folder_has_no_findings(tmp_path: Path, seed: int) -> None:
    assert _findings(write_sound(tmp_path, seed)) == []
    assert _findings(tmp_path, CLASSES) == []


def test_every_planted_fault_is_found_and_nothing_else(tmp_path: Path) -> None:
    folder = Breaker(write_sound(tmp_path))
    planted = plant(folder)
    before = files_in(tmp_path)
    findings = _findings(tmp_path, NAMED)
    assert _kinds(findings) == planted
    assert len(planted) >= 25
    assert files_in(tmp_path) == before
    for finding in findings:
        assert finding.text.endswith(".") or finding.kind == "class-unknown"
        assert not finding.file or Path(finding.file).exists() or finding.kind == "annotation-missing"


@pytest.mark.skipif(not BCCD.is_dir(), reason="the data set is not here")
def test_every_fault_planted_in_photographs_is_found_and_nothing_else(tmp_path: Path) -> None:
    root = Path(shutil.copytree(BCCD, tmp_path / "bccd"))
    own = _findings(root)  # it has some
    stems = {Path(finding.file).stem for finding in own} | {"BloodImage_00037"}
    planted = plant(Breaker(root, stems))
    assert _kinds(_findings(root, NAMED)) == _kinds(own) + planted


def test_the_planted_faults_leave_no_kind_out(tmp_path: Path) -> None:
    planted = plant(Breaker(write_sound(tmp_path)))
    elsewhere = {"image-malformed", "id-repeated", "number-as-text", "image-size", "box-empty"}  # of COCO JSON
    elsewhere |= {"files-odd"}  # of dataset=folder
    elsewhere |= {"prior-unreached"}  # of a detector and the data set: tests/inspection/test_priors.py
    elsewhere |= {"split-without-objects", *(kind for kind in KINDS if kind.startswith("suspect-"))}
    assert KINDS.keys() - planted.keys() == elsewhere
    assert len(TRAIN) + len(VAL) == 100
