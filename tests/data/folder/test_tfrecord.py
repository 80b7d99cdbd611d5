"""TFRecords as TensorFlow itself writes them, read without it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from helpers.fake_voc import encoded_image
from helpers.label_files import DRAWN, NAMES, TFOD, Drawn, image, table, text, tfod_rows, truth, xml
from ssd.data.folder.crc32c import crc32c
from ssd.data.folder.reader import folder
from ssd.errors import UserError


def _feature(values: list[Any]) -> tf.train.Feature:
    if values and isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if values and isinstance(values[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def example(d: Drawn, texts: bool = True, **changes: list[Any]) -> bytes:
    height, width = d.size
    scale = {"xmin": (0, width), "ymin": (1, height), "xmax": (2, width), "ymax": (3, height)}
    values: dict[str, list[Any]] = {
        "image/encoded": [encoded_image(*d.size, seed=sum(d.stem.encode()))],
        "image/filename": [d.file.encode()],
        "image/height": [height],
        "image/width": [width],
        "image/object/class/label": [NAMES.index(name) + 1 for name, _ in d.objects],
        **{f"image/object/bbox/{key}": [b[i] / side for _, b in d.objects] for key, (i, side) in scale.items()},
    }
    if texts:
        values["image/object/class/text"] = [name.encode() for name, _ in d.objects]
    values |= {key.replace("__", "/"): value for key, value in changes.items()}
    features = tf.train.Features(feature={key: _feature(value) for key, value in values.items()})
    return tf.train.Example(features=features).SerializeToString()


def write(path: Path, records: list[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


@pytest.mark.parametrize("texts", [True, False])
def test_the_same_boxes_and_images(tmp_path: Path, texts: bool) -> None:
    train, val = ([d for d in DRAWN if d.split == split] for split in ("train", "val"))
    write(tmp_path / "train.tfrecord-00000-of-00002", [example(d, texts) for d in train[:4]])
    write(tmp_path / "train.tfrecord-00001-of-00002", [example(d, texts) for d in train[4:]])
    write(tmp_path / "valid" / "pets.record", [example(d, texts) for d in val])
    if not texts:
        text(tmp_path / "label_map.pbtxt", "item {\n  id: 1\n  name: 'cat'\n}\nitem {\n  name: \"dog\"\n  id: 2\n}\n")
    splits = folder(str(tmp_path))
    assert (len(splits.train), len(splits.val)) == (6, 3)
    assert splits.train.class_names == ("cat", "dog")
    expected = truth(DRAWN)
    for part in (splits.train, splits.val):
        for row, item in enumerate(part.annotations):
            objects = expected[Path(item.id).stem]
            assert [part.class_names[label] for label in item.labels] == [name for name, _ in objects]
            pixels = item.boxes * np.tile([item.height, item.width], 2)
            np.testing.assert_allclose(pixels, [box for _, box in objects], atol=1e-4)
            assert part[row].image.shape[:2] == (item.height, item.width)


def test_beside_the_table_and_the_xml_that_they_were_made_of(tmp_path: Path) -> None:
    """All that a tutorial of the Object Detection API leaves."""
    for d in DRAWN:
        image(tmp_path / "images" / d.split, d)
        text(tmp_path / "images" / d.split / f"{d.stem}.xml", xml(d))
    for split in ("train", "val"):
        drawn = [d for d in DRAWN if d.split == split]
        table(tmp_path / "images" / f"{split}_labels.csv", TFOD, tfod_rows(drawn))
        write(tmp_path / f"{split}.record", [example(d) for d in drawn])
    splits = folder(str(tmp_path))
    assert splits.train.annotations[0].id == "images/train/img 0.jpg"
    assert (len(splits.train), len(splits.val)) == (6, 3)
    write(tmp_path / "val.record", [example(d) for d in DRAWN[7:]])
    with pytest.raises(UserError, match=r"only the Pascal VOC XML has objects of img 6\.jpg"):
        folder(str(tmp_path))


def test_what_is_wrong_in_them(tmp_path: Path) -> None:
    file = tmp_path / "train.record"
    write(file, [example(DRAWN[0], texts=False)])
    with pytest.raises(UserError, match=r"Record 0 in .* has the class 1, and no name of it: put its label_map\.pbtxt"):
        folder(str(tmp_path))
    write(file, [example(DRAWN[0], image__object__bbox__xmin=[0.1, 0.2])])
    with pytest.raises(UserError, match=r"Record 0 in .* lists of objects that are not of one length"):
        folder(str(tmp_path))
    write(file, [example(DRAWN[0], image__encoded=[])])
    with pytest.raises(UserError, match=r"Record 0 in .* has no image/encoded"):
        folder(str(tmp_path))
    write(file, [example(d) for d in DRAWN])
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"ends inside the record at byte \d+: copy the file again"):
        folder(str(tmp_path))
    damaged = bytearray(example(DRAWN[0]))
    damaged[:2] = b"\xff\xff"
    write(file, [bytes(damaged)])
    with pytest.raises(UserError, match=r"Record 0 in .* holds no tf\.train\.Example"):
        folder(str(tmp_path))
    write(file, [example(d) for d in DRAWN])
    part = folder(str(tmp_path)).train
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read"):
        part[len(part) - 1]


def test_a_damaged_record_is_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    """Of nine records the third has a flipped bit, which nothing but its checksum tells, and the last is cut short."""
    file = tmp_path / "train.record"
    examples = [example(d) for d in DRAWN]
    write(file, examples)
    content = bytearray(file.read_bytes())
    content[sum(len(data) + 16 for data in examples[:2]) + 12 + len(examples[2]) // 2] ^= 1
    file.write_bytes(content[:-100])
    with pytest.raises(UserError, match=r"Record 2 in .* is damaged: its checksum is another; copy the file again"):
        folder(str(tmp_path))
    splits = folder(str(tmp_path), on_error="skip")
    assert len(splits.train) + len(splits.val) == 7
    assert [(found.kind, found.object) for found in splits.problems if found.left_out] == [
        ("object-malformed", "record 2"),
        ("annotation-unreadable", None),
    ]
    content[3] ^= 1  # of the first record's length
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged record at byte 0|ends inside the record at byte 0"):
        folder(str(tmp_path))


@pytest.mark.parametrize("size", [0, 1, 3, 4, 63, 1000, 16_385])
def test_the_checksum_is_that_of_its_definition(size: int) -> None:
    data = bytes((7 * i + i // 11) % 256 for i in range(size))
    state = 0xFFFFFFFF
    for byte in data:  # RFC 3720, a bit at a time
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    assert crc32c(data) == state ^ 0xFFFFFFFF


def test_the_checksum_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283
