"""A damaged image is found before the training, and named with its folder."""

from pathlib import Path

import pytest

from helpers.fake_voc import item, write_voc
from ssd.data.readers.voc_folder import voc_folder
from ssd.data.sound import with_sound_images
from ssd.errors import UserError

IMAGES = {name: [item("cat", 2, 2, 20, 20)] for name in ("a", "b", "c", "d")}


def test_damaged_images_are_named_with_their_folder(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "my cells", IMAGES, {"train": ["a", "b"], "val": ["c", "d"]})
    splits = voc_folder(str(root), "train", "val", None, 0.2, 0)
    with_sound_images(splits, "raise")
    for name in ("b", "d"):
        file = root / "JPEGImages" / f"{name}.jpg"
        file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(UserError, match=rf"{root}/JPEGImages/b\.jpg cannot be decoded.*1 more image is damaged, too"):
        with_sound_images(splits, "raise")
