"""EXIF's orientation: prediction turns, training follows the size that the annotation states."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from helpers.fake_voc import item, write_voc
from helpers.samples import make_sample
from ssd.data.damage import decode_files
from ssd.data.formats import read_header
from ssd.data.images import ImageFiles, decode_image, encoded_size, image_size
from ssd.data.orientation import MadeOn, annotated_size, made_on, turned
from ssd.data.readers.voc_folder import voc_folder
from ssd.data.sample import Dataset
from ssd.errors import UserError

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def encoded(orientation: int, kind: str = "PNG", pixels: np.ndarray = PIXELS) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format=kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    return file.getvalue()


def upright(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_as_pillow_turns(orientation: int, kind: str) -> None:
    data = encoded(orientation, kind, np.kron(PIXELS, np.ones((16, 16, 1), np.uint8)))
    image = decode_image(data, "a", upright=True)
    assert image.shape == ((64, 96, 3) if orientation < 5 else (96, 64, 3))
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - upright(data)).mean() < 3
    assert decode_image(data, "a").shape == (64, 96, 3)


def test_a_quarter_to_the_right_by_hand() -> None:
    row = np.array([[[1, 1, 1], [2, 2, 2]]], np.uint8)  # 1 2, which stands upright when its left end is at the top
    assert turned(row, 6)[..., 0].tolist() == [[1], [2]]
    assert turned(row, 8)[..., 0].tolist() == [[2], [1]]
    assert turned(row, 3)[..., 0].tolist() == [[2, 1]]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_tiff_is_always_upright(orientation: int) -> None:
    data = encoded(orientation, "TIFF")
    size = (4, 6) if orientation < 5 else (6, 4)
    assert encoded_size(data, "a") == size
    for asked in (False, True):
        assert np.array_equal(decode_image(data, "a", upright=asked), upright(data))


@pytest.mark.parametrize("orientation", [0, 9, 1000])
def test_a_number_that_is_none_is_no_turn(orientation: int) -> None:
    assert np.array_equal(decode_image(encoded(orientation), "a", upright=True), PIXELS)


def test_prediction_sees_upright_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(data := encoded(6))
    (image,), _ = decode_files([tmp_path / "a.png"], max_pixels=100)
    assert np.array_equal(image, upright(data))


def dataset(path: Path, data: bytes, height: int, width: int) -> Dataset:
    path.write_bytes(data)
    return Dataset("a", ("cat",), [make_sample((), height, width).annotation], ImageFiles([path]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_training_follows_the_annotated_size(orientation: int, tmp_path: Path) -> None:
    data = encoded(orientation)
    assert np.array_equal(dataset(tmp_path / "a.png", data, 4, 6)[0].image, PIXELS)
    other = dataset(tmp_path / "a.png", data, 6, 4)
    if orientation >= 5:
        assert np.array_equal(other[0].image, upright(data))
    else:
        with pytest.raises(UserError, match="its annotation says"):
            other[0]


@pytest.mark.parametrize(
    ("orientation", "stated", "size"),
    [
        (6, (6, 4), (6, 4)),
        (6, (4, 6), (4, 6)),
        (6, (0, 0), (4, 6)),
        (6, (60, 40), (4, 6)),
        (3, (6, 4), (4, 6)),
        (1, (6, 4), (4, 6)),
    ],
)
def test_which_size_an_annotation_was_made_on(
    orientation: int, stated: tuple[int, int], size: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(orientation))
    assert annotated_size(path, image_size(path), stated) == size


def test_a_voc_annotation_made_on_the_upright_picture_is_trained_on_upright(tmp_path: Path) -> None:
    write_voc(
        tmp_path, {"a": [item("cat", 1, 1, 2, 4)], "b": [item("cat", 1, 1, 2, 2)]}, {"all": ["a", "b"]}, size=(6, 4)
    )
    (tmp_path / "JPEGImages" / "a.jpg").write_bytes(data := encoded(6))
    splits = voc_folder(str(tmp_path), "all", "all", None, 0.2, 0)
    assert np.array_equal(splits.train[0].image, upright(data))
    assert splits.train[0].annotation.boxes.tolist() == pytest.approx(np.array([[0, 0, 4 / 6, 2 / 4]]))


@pytest.mark.parametrize(
    ("orientation", "annotated", "found"),
    [
        (1, (4, 6), None),
        (6, (4, 6), MadeOn.stored),
        (6, (6, 4), MadeOn.upright),
        (3, (4, 6), MadeOn.either),
        (2, (4, 6), MadeOn.either),
    ],
)
def test_what_an_annotation_was_made_on(orientation: int, annotated: tuple[int, int], found: MadeOn | None) -> None:
    header = read_header(io.BytesIO(encoded(orientation)), "a", exif=True)
    assert made_on((header.height, header.width), header.orientation, annotated) is found


def test_a_square_does_not_tell() -> None:
    header = read_header(io.BytesIO(encoded(6, pixels=PIXELS[:, :4])), "a", exif=True)
    assert made_on((header.height, header.width), header.orientation, (4, 4)) is MadeOn.either
