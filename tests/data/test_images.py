"""Decoding: every kind of file a user may have, and every way it may be broken."""

import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from ssd.data.formats import REDUCTIONS
from ssd.data.images import ImageFiles, decode_image, encoded_size, image_size, reduced_size, reducible
from ssd.errors import UserError


def _encode(image: np.ndarray, extension: str) -> bytes:
    return cv2.imencode(extension, image)[1].tobytes()


def _jpeg() -> bytes:
    return _encode(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8), ".jpg")


def test_channels_come_out_as_red_green_blue() -> None:
    bgr = np.full((3, 5, 3), (30, 20, 10), np.uint8)
    image = decode_image(_encode(bgr, ".png"), "a.png")
    assert image.dtype == np.uint8
    assert image.shape == (3, 5, 3)
    assert image[1, 2].tolist() == [10, 20, 30]


def test_grey_gets_three_equal_channels() -> None:
    image = decode_image(_encode(np.full((3, 5), 77, np.uint8), ".png"), "grey.png")
    assert image.shape == (3, 5, 3)
    assert (image == 77).all()


def test_alpha_is_dropped_and_not_blended() -> None:
    image = decode_image(_encode(np.full((3, 5, 4), (30, 20, 10, 0), np.uint8), ".png"), "alpha.png")
    assert image.shape == (3, 5, 3)
    assert image[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 3), (3, 5, 4)])
def test_sixteen_bits_keep_the_upper_eight(shape: tuple[int, ...]) -> None:
    image = decode_image(_encode(np.full(shape, 200 * 256 + 3, np.uint16), ".png"), "deep.png")
    assert image.dtype == np.uint8
    assert image.shape == (3, 5, 3)
    assert (image == 200).all()


def test_the_orientation_tag_does_not_turn_the_image() -> None:
    # An EXIF segment with orientation 6 (turn by 90 degrees), as a camera writes it after the start marker.
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    segment = b"\xff\xe1" + (len(tiff) + 8).to_bytes(2, "big") + b"Exif\0\0" + tiff
    data = _jpeg()[:2] + segment + _jpeg()[2:]
    assert decode_image(data, "turned.jpg").shape == (48, 64, 3)
    assert encoded_size(data, "turned.jpg") == (48, 64)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_a_file_that_ends_early_is_refused(kept: float, extension: str) -> None:
    data = _encode(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8), extension)
    with pytest.raises(UserError, match=r"holiday.* cannot be (decoded|read).* cut short"):
        decode_image(data[: int(len(data) * kept)], "holiday")


def test_a_jpeg_without_its_last_marker_is_refused() -> None:
    with pytest.raises(UserError, match="cut short"):
        decode_image(_jpeg()[:-2], "a.jpg")


def test_bytes_after_the_image_are_fine() -> None:
    assert decode_image(_jpeg() + b"\0\0extra", "a.jpg").shape == (48, 64, 3)


def test_an_empty_file_is_named() -> None:
    with pytest.raises(UserError, match=r"a\.jpg is an empty file"):
        decode_image(b"", "a.jpg")


@pytest.mark.parametrize("data", [b"hello", b"\xff\xd8\xff", b"<html>not found</html>" * 50])
def test_what_is_no_image_is_named(data: bytes) -> None:
    with pytest.raises(UserError, match=r"a\.jpg cannot be read"):
        decode_image(data, "a.jpg")
    with pytest.raises(UserError, match=r"a\.jpg cannot be read"):
        encoded_size(data, "a.jpg")


def test_size_from_the_header_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(_jpeg()[:-500])
    assert image_size(tmp_path / "a.jpg") == (48, 64)


def test_size_of_a_missing_or_empty_file_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"empty\.jpg cannot be read"):
        image_size(tmp_path / "empty.jpg")
    with pytest.raises(UserError, match=r"gone\.jpg cannot be opened"):
        image_size(tmp_path / "gone.jpg")


def test_files_are_read_by_index_and_a_vanished_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"two")
    read = ImageFiles([tmp_path / "a", tmp_path / "b"])
    assert read(1) == b"two"
    with pytest.raises(UserError, match="a cannot be read"):
        read(0)


def _claiming(width: int, height: int) -> bytes:
    """A small PNG whose header says that it is a large one."""
    small = _encode(np.zeros((4, 4, 3), np.uint8), ".png")
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + small[24:29]
    return small[:12] + header + zlib.crc32(header).to_bytes(4, "big") + small[33:]


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((10_001, 10_000), r"large.png has 10001 x 10000 pixels, more than the 100000000 of dataset.max_pixels"),
        ((30_000, 30_000), r"large.png has more than 178956970 pixels"),
    ],
)
def test_an_image_too_large_is_refused_before_it_is_decoded(size: tuple[int, int], said: str) -> None:
    tracemalloc.start()
    with pytest.raises(UserError, match=said):
        decode_image(_claiming(*size), "large.png")
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_the_limit_can_be_another() -> None:
    with pytest.raises(UserError, match=r"more than the 3071 of dataset.max_pixels"):
        decode_image(_jpeg(), "a.jpg", max_pixels=48 * 64 - 1)
    assert decode_image(_jpeg(), "a.jpg", max_pixels=48 * 64).shape == (48, 64, 3)


@pytest.mark.parametrize("size", [(48, 64), (49, 66), (7, 9), (1, 1)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_jpeg_is_decoded_at_a_part_of_its_sides(size: tuple[int, int], reduction: int) -> None:
    bgr = np.full((*size, 3), (200, 100, 30), np.uint8)
    data = _encode(bgr, ".jpg")
    image = decode_image(data, "a.jpg", reduction=reduction)
    assert reducible(data)
    assert image.shape[:2] == reduced_size(size, reduction)
    assert np.abs(image.astype(int) - (30, 100, 200)).max() <= 3
    assert not reducible(_encode(bgr, ".png"))


def test_a_jpeg_cut_short_is_named_at_every_size() -> None:
    for reduction in REDUCTIONS:
        with pytest.raises(UserError, match="cannot be decoded"):
            decode_image(_jpeg()[:-500], "a.jpg", reduction=reduction)
