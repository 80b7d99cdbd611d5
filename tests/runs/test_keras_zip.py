"""Damage of a checkpoint is found wherever it is."""

import zipfile

import pytest

from helpers.fake_checkpoint import write_detector
from ssd.errors import UserError
from ssd.runs.checkpoint import check_checkpoint


def members(file):
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def whole(tmp_path):
    return write_detector(tmp_path / "whole.keras")


def test_a_bit_that_flipped_is_found_or_changes_nothing(whole, tmp_path):
    content, before = whole.read_bytes(), members(whole)
    file = tmp_path / "flipped.keras"
    found = 0
    places = range(0, len(content), 3)
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        file.write_bytes(flipped)
        try:
            check_checkpoint(file)
        except UserError as error:
            assert str(file) in str(error)  # noqa: PT017 (either is right, but not a change unseen)
            found += 1
        else:
            assert members(file) == before
    assert found > 0.9 * len(places)  # the rest is dates and the like


def test_a_file_cut_anywhere_is_found(whole, tmp_path):
    content = whole.read_bytes()
    file = tmp_path / "cut.keras"
    for length in range(4, len(content), 7):
        file.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"cut\.keras cannot be read as a checkpoint \(its end is missing"):
            check_checkpoint(file)
