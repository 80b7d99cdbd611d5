"""A data set written in another format with all of its splits."""

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.label_files import DRAWN, image, text, xml
from ssd.cli.compose import compose_jobs
from ssd.data.folder.reader import folder
from ssd.experiment.converted import convert_if_asked
from ssd.experiment.splits import build_splits

BIRD = replace(DRAWN[8], split="test", objects=(*DRAWN[8].objects, ("bird", (5, 5, 30, 30))))


@pytest.mark.parametrize("kind", ["coco", "yolo", "voc"])
def test_a_split_that_is_not_used_is_written_too(tmp_path: Path, kind: str) -> None:
    for drawn in (*DRAWN[:7], replace(DRAWN[7], split="test"), BIRD):
        image(tmp_path / "pets" / drawn.split, drawn)
        text(tmp_path / "pets" / drawn.split / f"{drawn.stem}.xml", xml(drawn))
    place = f"dataset.path={tmp_path / 'pets'}"
    (cfg,) = compose_jobs(["task=inspect", "dataset=folder", place, f"dataset.convert={kind}"], multirun=False)
    convert_if_asked(cfg, build_splits(cfg))
    written = str(tmp_path / f"pets_{kind}")
    usual, other = folder(written), folder(written, val="test")
    assert (len(usual.train), len(usual.val), len(other.val)) == (6, 1, 2)
    labels = [[other.val.class_names[i] for i in item.labels] for item in other.val.annotations]
    assert labels == [["cat", "dog"], ["cat", "bird"]]
