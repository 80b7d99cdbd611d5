"""Images whose data is damaged inside but that decode: counted and named once, before a training and in prediction."""

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from helpers.fake_voc import item, write_voc
from ssd.data.damage import decode_files, say_damaged, warn_of_damage
from ssd.data.images import MAX_PIXELS
from ssd.data.readers.voc_folder import voc_folder
from ssd.data.sample import Splits
from ssd.data.sound import with_sound_images
from ssd.errors import UserError

END = b"\xff\xd9"


def _smooth(extension: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    return cv2.imencode(extension, cv2.GaussianBlur(noise, (0, 0), 3))[1].tobytes()


def _middle(data: bytes, content: bytes) -> bytes:
    half = len(data) // 2
    return data[:half] + content + data[half + len(content) :]


def _with_comment_of_wrong_checksum(png: bytes) -> bytes:
    return png[:-12] + (10).to_bytes(4, "big") + b"tEXtComment\0hi" + b"\0\0\0\0" + png[-12:]


# kind → extension, what is done to a sound file, whether the image is damaged; None: it is refused.
KINDS: dict[str, tuple[str, Callable[[bytes], bytes], bool | None]] = {
    "sound": (".jpg", lambda data: data, False),
    "bytes after the end": (".jpg", lambda data: data + b"more", False),
    "cut and closed": (".jpg", lambda data: data[: len(data) // 2] + END, True),
    "cut": (".jpg", lambda data: data[: len(data) // 2], None),
    "without its end": (".jpg", lambda data: data[:-2], None),
    "extraneous bytes": (".jpg", lambda data: data[:-2] + b"garbage!!" * 5 + END, True),
    "zeros in the scan": (".jpg", lambda data: _middle(data, bytes(300)), True),
    "a marker in the scan": (".jpg", lambda data: _middle(data, b"\xff\xd3"), True),
    "a sound png": (".png", lambda data: data, False),
    "a png's comment": (".png", _with_comment_of_wrong_checksum, True),
    "a png's data": (".png", lambda data: _middle(data, bytes(9)), None),
}


@pytest.mark.parametrize(("extension", "spoil", "damaged"), KINDS.values(), ids=KINDS)
def test_damage_inside_is_heard_of_and_what_cannot_be_decoded_refused(
    tmp_path: Path, extension: str, spoil: Callable[[bytes], bytes], damaged: bool | None
) -> None:
    file = tmp_path / f"a{extension}"
    file.write_bytes(spoil(_smooth(extension)))
    if damaged is None:
        with pytest.raises(UserError, match=rf"{file} cannot be decoded"):
            decode_files([file], MAX_PIXELS)
    else:
        images, found = decode_files([file], MAX_PIXELS)
        assert images[0].shape == (120, 160, 3)
        assert found == ([str(file)] if damaged else [])


def _splits(root: Path) -> Splits:
    stems = [f"image{number}" for number in range(8)]
    write_voc(root, {stem: [item("cat", 2, 2, 20, 20)] for stem in stems}, {"train": stems[:5], "val": stems[5:]})
    for number in (1, 3, 6):
        file = root / "JPEGImages" / f"image{number}.jpg"
        file.write_bytes(file.read_bytes()[:-2] + b"garbage" + END)
    return voc_folder(str(root), "train", "val", None, 0.2, 0)


def test_before_a_training_they_are_counted_and_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    splits = _splits(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.jpg")}
    with_sound_images(splits, "raise")
    (warning,) = caplog.messages
    folder = tmp_path / "JPEGImages"
    assert warning.startswith("3 images have damaged data inside; they were decoded as far as possible: ")
    assert f"{folder}/image1.jpg, {folder}/image3.jpg, {folder}/image6.jpg; replace them by a sound copy" in warning
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.jpg")} == before


def test_they_are_said_even_where_another_image_ends_the_command(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    splits = _splits(tmp_path)
    file = tmp_path / "JPEGImages" / "image0.jpg"
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"image0\.jpg cannot be decoded"):
        with_sound_images(Splits(splits.train, splits.train), "raise")
    assert "2 images have damaged data" in caplog.text


def test_suspects_that_are_sound_are_not_blamed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    splits = _splits(tmp_path)
    warn_of_damage([(splits.train, 0), (splits.train, 1), (splits.train, 2)])
    assert "1 image has damaged data inside" in caplog.text
    assert "image1.jpg" in caplog.text
    assert "image0.jpg" not in caplog.text


def test_many_are_counted_and_five_named(caplog: pytest.LogCaptureFixture) -> None:
    say_damaged([f"{number}.jpg" for number in range(40)])
    assert "40 images" in caplog.text
    assert "4.jpg, ...;" in caplog.text
    assert "5.jpg" not in caplog.text


def test_nothing_is_said_of_sound_images_and_what_others_write_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    splits = _splits(tmp_path)

    class Chatty:
        def __call__(self, index: int) -> bytes:
            os.write(2, b"a library speaks of something else\n")
            return (tmp_path / "JPEGImages" / "image0.jpg").read_bytes()

    with caplog.at_level(logging.WARNING):
        chatty = replace(splits.train, read=Chatty())
        with_sound_images(Splits(chatty, chatty), None)
    assert not caplog.messages
    assert "a library speaks of something else" in capfd.readouterr().err
