"""A checkpoint is found and judged by its file alone; a run nearby is named where there is none."""

from pathlib import Path

import pytest

from helpers.fake_checkpoint import write_archive, write_detector
from ssd.errors import UserError
from ssd.runs.checkpoint import check_checkpoint, checkpoint_file
from ssd.runs.folder import BEST, LAST

FUNCTIONAL = b'{"class_name": "Functional", "config": {}}'


def test_the_best_is_used_and_without_one_the_last(tmp_path: Path) -> None:
    last = write_detector(tmp_path / LAST)
    assert checkpoint_file(tmp_path) == last
    best = write_detector(tmp_path / BEST)
    assert checkpoint_file(tmp_path) == best
    check_checkpoint(tmp_path)


def test_a_folder_without_one_is_answered_with_the_newest_run_that_has_one(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed = tmp_path / "outputs" / "train" / "3_failed"
    failed.mkdir(parents=True)
    with pytest.raises(UserError, match="has no checkpoint; check the path, which is relative to"):
        checkpoint_file("outputs/train/3_failed")
    for run in ("train/1_old", "multirun/s/0_job", "train/2_new"):
        write_detector(tmp_path / "outputs" / run / LAST)
    (tmp_path / "outputs" / "latest").symlink_to(tmp_path / "outputs" / "train" / "1_old")
    (tmp_path / "outputs" / "latest_sweep").symlink_to(tmp_path / "outputs" / "multirun" / "s")
    with pytest.raises(UserError, match=r"the newest run here that has one is checkpoint=outputs/train/2_new$"):
        checkpoint_file("outputs/train/3_failed")
    with pytest.raises(UserError, match=r"outputs/nothing is neither .* checkpoint=outputs/train/2_new$"):
        checkpoint_file("outputs/nothing")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"cannot be read as a checkpoint \(it is empty\)"),
        (b"hello", r"cannot be read as a checkpoint \(it is not a \.keras file\)"),
        (b"\x89HDF\r\n\x1a\n", r"cannot be read as a checkpoint \(it is an HDF5 file, the format of older Keras"),
    ],
)
def test_what_is_no_archive_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "my.keras"
    file.write_bytes(content)
    with pytest.raises(UserError, match=rf"my\.keras {message}"):
        check_checkpoint(file)


def test_other_and_damaged_archives_are_refused(tmp_path: Path) -> None:
    whole = write_detector(tmp_path / "whole.keras")
    cut = tmp_path / "cut.keras"
    cut.write_bytes(whole.read_bytes()[:-30])
    flipped = tmp_path / "flipped.keras"
    flipped.write_bytes(whole.read_bytes().replace(b"weightsweights", b"weightsweighty", 1))
    other = write_archive(tmp_path / "other.keras", {"config.json": FUNCTIONAL, "model.weights.h5": b""})
    part = write_archive(tmp_path / "part.keras", {"config.json": b"{}"})
    twice = tmp_path / "twice.keras"
    twice.write_bytes(whole.read_bytes() + b"more")
    for file, message in (
        (cut, r"cannot be read as a checkpoint \(its end is missing or is not its own: it was cut short"),
        (twice, "its end is missing or is not its own"),
        (flipped, r"model\.weights\.h5 is damaged"),
        (other, "holds a Functional, not a detector"),
        (part, r"model\.weights\.h5 is missing"),
    ):
        with pytest.raises(UserError, match=message):
            check_checkpoint(file)
