"""COCO through tensorflow-datasets, from archives laid out like the official ones; no test asks the network."""

import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
import requests
import tensorflow_datasets as tfds
from tensorflow_datasets.object_detection import coco as tfds_coco

from helpers.fake_coco import TRAIN, VAL, write_official_archives
from ssd.data.readers.coco_json import coco_json
from ssd.data.readers.coco_tfds import CocoDetection, coco
from ssd.data.sample import Annotation, Splits
from ssd.errors import UserError

FILES = ("train2017.zip", "val2017.zip", "annotations_trainval2017.zip")


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_official_archives(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, archives: Path) -> Path:
    folder = tmp_path_factory.mktemp("tfds")
    _coco(folder, archives)
    return folder


def _coco(data_dir: Path, archives: Path | None, train: str = "train", val: str = "validation") -> Splits:
    return coco("coco2017", train, val, str(data_dir), None if archives is None else str(archives))


def _by_id(annotations: list[Annotation]) -> dict[str, Annotation]:
    return {annotation.id: annotation for annotation in annotations}


def test_the_splits(data_dir: Path) -> None:
    splits = _coco(data_dir, None)
    assert (splits.train.name, splits.val.name) == ("coco2017:train", "coco2017:val")
    for dataset, images in ((splits.train, TRAIN), (splits.val, VAL)):
        assert sorted(a.id for a in dataset.annotations) == [f"{image:012d}.jpg" for image in images]
    names = splits.train.class_names
    assert names == splits.val.class_names
    assert len(names) == 80
    assert (names[0], names[16], names[79]) == ("person", "dog", "toothbrush")


def test_crowds_areas_and_images_without_objects_are_kept(data_dir: Path) -> None:
    found = _by_id(list(_coco(data_dir, None).train.annotations))
    crowded = found["000000000009.jpg"]
    assert crowded.crowd.tolist() == [False, True]
    assert crowded.labels.tolist() == [16, 0]
    assert not crowded.difficult.any()
    np.testing.assert_array_equal(crowded.areas, np.array([350.75, 1500], np.float32))
    np.testing.assert_allclose(crowded.boxes[0], [3.5 / 40, 2.25 / 50, 33.5 / 40, 22.375 / 50], rtol=1e-6)
    np.testing.assert_array_equal(found["000000000025.jpg"].areas, np.array([0.4, 70.2], np.float32))
    empty = found["000000000030.jpg"]
    assert (empty.boxes.shape, empty.height, empty.width) == ((0, 4), 40, 50)


def test_images_are_the_original_bytes(archives: Path, data_dir: Path) -> None:
    splits = _coco(data_dir, None)
    for dataset, folder in ((splits.train, "train2017"), (splits.val, "val2017")):
        with zipfile.ZipFile(archives / f"{folder}.zip") as originals:
            for i, annotation in enumerate(dataset.annotations):
                assert dataset.read(i) == originals.read(f"{folder}/{annotation.id}")
                assert dataset[i].image.shape == (40, 50, 3)


def test_everything_is_as_the_json_reader_reads_it(archives: Path, data_dir: Path, tmp_path: Path) -> None:
    for file in FILES:
        with zipfile.ZipFile(archives / file) as archive:
            archive.extractall(tmp_path)
    arguments = [tmp_path / name for name in ("annotations/instances_train2017.json", "train2017")]
    arguments += [tmp_path / name for name in ("annotations/instances_val2017.json", "val2017")]
    from_json, through_tfds = coco_json(*map(str, arguments)), _coco(data_dir, None)
    for one, other in ((through_tfds.train, from_json.train), (through_tfds.val, from_json.val)):
        assert one.class_names == other.class_names
        expected = _by_id(list(other.annotations))
        assert len(one) == len(expected)
        for annotation in one.annotations:
            twin = expected[annotation.id]
            np.testing.assert_allclose(annotation.boxes, twin.boxes, rtol=1e-6, atol=1e-7)
            for key in ("labels", "difficult", "crowd", "areas"):
                np.testing.assert_array_equal(getattr(annotation, key), getattr(twin, key))
            assert (annotation.height, annotation.width) == (twin.height, twin.width)


def test_boxes_without_a_side_are_left_out_and_counted(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ssd"):
        found = _by_id(list(_coco(data_dir, None).train.annotations))
    assert found["000000000034.jpg"].labels.tolist() == [0]
    assert "coco2017:train: 1 boxes without width or height are left out: annotation 105 in" in caplog.text


def test_boxes_over_the_edge_are_clipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    over = {1: [(18, [10.3, 5.1, 39.705, 34.9], 900.0, 0), (1, [-2.0, 30.0, 12.0, 20.0], 100.0, 0)]}
    with caplog.at_level(logging.WARNING, "ssd"):
        train = _coco(tmp_path / "data", write_official_archives(tmp_path / "zips", train=over)).train
    np.testing.assert_allclose(
        train.annotations[0].boxes, [[5.1 / 40, 10.3 / 50, 1.0, 1.0], [0.75, 0.0, 1.0, 0.2]], rtol=1e-6
    )
    assert "1 of 2 boxes reach outside their image" in caplog.text
    assert "annotation 101 (person) in 000000000001.jpg" in caplog.text


def test_an_inverted_box_names_its_annotation(tmp_path: Path) -> None:
    wrong = write_official_archives(tmp_path / "zips", val={7: [(18, [10.0, 5.0, -3.0, 4.0], 12.0, 0)]})
    with pytest.raises(UserError, match=r"annotation 100 \(dog\) in 000000000007\.jpg is inverted"):
        _coco(tmp_path / "data", wrong)


def test_archives_are_needed_only_once_and_stay_as_they_are(archives: Path, tmp_path: Path) -> None:
    before = {file: (archives / file).read_bytes() for file in FILES}
    _coco(tmp_path, archives)
    assert len(_coco(tmp_path, None).val) == 3
    assert {file: (archives / file).read_bytes() for file in FILES} == before
    assert not list(tmp_path.rglob("unpacked*"))


def test_slices_are_those_of_tensorflow_datasets(data_dir: Path) -> None:
    splits = _coco(data_dir, None, "train[:1]+validation[1:]", "validation[:50%]")
    assert (len(splits.train), len(splits.val)) == (3, 2)
    for wrong in ("train[:0]", "train[half]"):
        with pytest.raises(UserError, match=r"The split train.* of coco_detection/2017/1\.1\.0 cannot be read"):
            _coco(data_dir, None, wrong)


@pytest.mark.parametrize(
    ("split", "message"),
    [("val", "no such split 'val'"), ("test", "no such split 'test'"), ("validaton", r"did you mean 'validation'\?")],
)
def test_a_wrong_split_is_named(split: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        _coco(tmp_path, None, val=split)
    assert "dataset.val has" in str(caught.value)


def test_missing_archives_are_named(archives: Path, tmp_path: Path) -> None:
    (tmp_path / "val2017.zip").symlink_to(archives / "val2017.zip")
    message = r"has no train2017\.zip and no annotations_trainval2017\.zip: download train2017\.zip, val2017\.zip and "
    with pytest.raises(UserError, match=message) as caught:
        _coco(tmp_path / "data", tmp_path)
    assert "cocodataset.org" in str(caught.value)


def test_a_cut_archive_leaves_nothing_broken_behind(archives: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    cut.mkdir()
    for file in FILES:
        content = (archives / file).read_bytes()
        (cut / file).write_bytes(content[: len(content) // 2] if file == "val2017.zip" else content)
    with pytest.raises(
        UserError, match=r"archives of COCO 2017 in dataset\.archives=.* could not be prepared .*val2017"
    ):
        _coco(tmp_path / "data", cut)
    assert len(_coco(tmp_path / "data", archives).val) == 3


def test_without_a_network_the_message_says_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", no_network)
    monkeypatch.setattr(requests, "head", lambda *_, **__: None)  # something answers
    with pytest.raises(UserError, match="COCO 2017 could not be downloaded") as caught:
        _coco(tmp_path, None)
    for part in ("Name or service not known", *FILES, "cocodataset.org", "dataset.archives"):
        assert part in str(caught.value)


def test_addresses_are_those_of_tensorflow_datasets_without_the_test_images() -> None:
    from ssd.data.readers.coco_tfds import _ORIGIN

    known = tfds.core.download.checksums.get_all_url_infos()
    assert set(_ORIGIN.addresses.values()) <= set(known)
    (config,) = [config for config in tfds_coco.Coco.BUILDER_CONFIGS if config.name == "2017"]
    used = {split.images for split in config.splits} | {split.annotations for split in config.splits}
    assert used - {file.removesuffix(".zip") for file in FILES} == {"test2017", "image_info_test2017"}


def test_features_are_those_of_tensorflow_datasets_but_for_areas_and_unchecked_boxes(tmp_path: Path) -> None:
    ours, theirs = (
        make(config="2017", data_dir=str(tmp_path)).info.features for make in (CocoDetection, tfds_coco.Coco)
    )
    assert set(ours) == set(theirs)
    ours, theirs = (features["objects"].feature for features in (ours, theirs))
    assert set(ours) == set(theirs)
    assert {key for key in ours if repr(ours[key]) != repr(theirs[key])} == {"area"}
    assert ours["area"].np_dtype == np.float32
    assert ours["bbox"].bbox_format is None
