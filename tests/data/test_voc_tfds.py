"""VOC through tensorflow-datasets, from archives laid out like the official ones; no test asks the network."""

from pathlib import Path

import numpy as np
import pytest
import requests
import tensorflow_datasets as tfds

from helpers.fake_voc import OFFICIAL, write_official_archives
from ssd.data.readers.voc_folder import voc_folder
from ssd.data.readers.voc_tfds import VocDetection, voc
from ssd.data.sample import Splits
from ssd.errors import UserError


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_official_archives(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tfds")


def _voc(train: list[str], val: list[str], data_dir: Path, archives: Path | None) -> Splits:
    return voc("voc", train, val, str(data_dir), None if archives is None else str(archives))


def _ids(splits: Splits) -> list[list[str]]:
    return [sorted(a.id for a in dataset.annotations) for dataset in (splits.train, splits.val)]


def test_voc2007(archives: Path, data_dir: Path) -> None:
    splits = _voc(["2007/train+validation"], ["2007/test"], data_dir, archives)
    assert _ids(splits) == [["000005.jpg", "000007.jpg", "000009.jpg"], ["000001.jpg", "000002.jpg"]]
    assert len(splits.train.class_names) == 20
    assert splits.train.class_names[0] == "aeroplane"
    second = next(a for a in splits.train.annotations if a.id == "000007.jpg")
    assert [splits.train.class_names[label] for label in second.labels] == ["dog", "person"]
    assert second.difficult.tolist() == [False, True]
    np.testing.assert_allclose(second.boxes, [[2 / 40, 2 / 50, 30 / 40, 21 / 50], [0.0, 0.0, 1.0, 1.0]], atol=1e-6)
    assert (second.height, second.width) == (40, 50)


def test_voc2012(archives: Path, data_dir: Path) -> None:
    splits = _voc(["2012/train"], ["2012/validation"], data_dir, archives)
    assert _ids(splits) == [["2008_000008.jpg"], ["2008_000002.jpg", "2008_000003.jpg"]]


def test_voc0712_mixes_the_years_and_reads_the_original_bytes(archives: Path, data_dir: Path) -> None:
    splits = _voc(["2007/train+validation", "2012/train+validation"], ["2007/test"], data_dir, archives)
    assert len(splits.train) == 6
    originals = {file.name: file.read_bytes() for file in archives.rglob("JPEGImages/*.jpg")}
    for dataset in (splits.train, splits.val):
        for i, annotation in enumerate(dataset.annotations):
            assert dataset.read(i) == originals[annotation.id]
            assert dataset[i].image.shape == (40, 50, 3)
    with pytest.raises(IndexError):
        splits.train.read(6)


def test_boxes_are_those_of_the_folder_reader(archives: Path, data_dir: Path) -> None:
    through_tfds = _voc(["2007/train"], ["2007/validation"], data_dir, archives)
    folder = archives / "unpacked VOCtrainval_06-Nov-2007.tar" / "VOCdevkit" / "VOC2007"
    from_folder = voc_folder(str(folder), "train", "val", list(through_tfds.train.class_names), 0.2, 0)
    for one, other in ((through_tfds.train, from_folder.train), (through_tfds.val, from_folder.val)):
        expected = {annotation.id: annotation for annotation in other.annotations}
        assert set(expected) == {annotation.id for annotation in one.annotations}
        for annotation in one.annotations:
            np.testing.assert_allclose(annotation.boxes, expected[annotation.id].boxes, atol=1e-6)
            assert annotation.labels.tolist() == expected[annotation.id].labels.tolist()
            assert annotation.difficult.tolist() == expected[annotation.id].difficult.tolist()


def test_archives_are_needed_only_once_and_stay_as_they_are(archives: Path, tmp_path: Path) -> None:
    before = {file: (archives / file).read_bytes() for file in OFFICIAL}
    _voc(["2012/train"], ["2012/validation"], tmp_path, archives)
    again = _voc(["2012/train"], ["2012/validation"], tmp_path, None)
    assert len(again.val) == 2
    assert {file: (archives / file).read_bytes() for file in OFFICIAL} == before
    assert not list(tmp_path.rglob("unpacked*"))


def test_slices_are_those_of_tensorflow_datasets(archives: Path, data_dir: Path) -> None:
    assert len(_voc(["2007/train[:1]+validation"], ["2007/test[1:]"], data_dir, archives).train) == 2
    with pytest.raises(UserError, match="cannot be read"):
        _voc(["2007/train[:0]"], ["2007/test"], data_dir, archives)
    with pytest.raises(UserError, match="cannot be read"):
        _voc(["2007/train[half]"], ["2007/test"], data_dir, archives)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("2012/test", "no public annotations"),
        ("2007/val", r"no such split 'val'"),
        ("2007/tset", r"no such split 'tset'; did you mean 'test'\?"),
        ("2008/train", "VOC through tensorflow-datasets is 2007/... or 2012/..."),
        ("train", "VOC through tensorflow-datasets is"),
        ("2007/", "no such split ''"),
    ],
)
def test_a_wrong_split_is_named(item: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        _voc(["2007/train"], [item], tmp_path, None)
    assert "dataset.val" in str(caught.value)


def test_no_split_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least one entry"):
        _voc([], ["2007/test"], tmp_path, None)


def test_a_missing_archive_is_named(archives: Path, tmp_path: Path) -> None:
    (tmp_path / "VOCtrainval_06-Nov-2007.tar").symlink_to(archives / "VOCtrainval_06-Nov-2007.tar")
    with pytest.raises(UserError, match=r"dataset\.archives=.* has no VOCtest_06-Nov-2007\.tar: download") as caught:
        _voc(["2007/train"], ["2007/validation"], tmp_path / "data", tmp_path)
    assert "no VOCtrainval" not in str(caught.value)


@pytest.mark.parametrize("kept", [0, 1000, 30_000])
def test_a_cut_archive_leaves_nothing_broken_behind(archives: Path, tmp_path: Path, kept: int) -> None:
    cut = tmp_path / "cut"
    cut.mkdir()
    name = "VOCtrainval_11-May-2012.tar"
    (cut / name).write_bytes((archives / name).read_bytes()[:kept])
    with pytest.raises(
        UserError, match=rf"archives of VOC 2012 in dataset\.archives=.* could not be prepared .*{name}"
    ):
        _voc(["2012/train"], ["2012/validation"], tmp_path / "data", cut)
    assert len(_voc(["2012/train"], ["2012/validation"], tmp_path / "data", archives).train) == 1


def test_without_a_network_the_message_says_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", no_network)
    monkeypatch.setattr(requests, "head", lambda *_, **__: None)  # something answers
    with pytest.raises(UserError, match="VOC 2012 could not be downloaded") as caught:
        _voc(["2012/train"], ["2012/validation"], tmp_path, None)
    for part in (
        "Name or service not known",
        "VOCtrainval_11-May-2012.tar",
        "host.robots.ox.ac.uk",
        "dataset.archives",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("error", "reason"), [(requests.ConnectionError, "no connection"), (requests.ConnectTimeout, "no answer")]
)
def test_where_nothing_answers_no_download_is_begun(
    error: type[Exception], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise error("HTTPSConnectionPool(host=...): Max retries exceeded")

    monkeypatch.setattr(requests, "head", nobody)
    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", lambda *_: pytest.fail("a download"))
    with pytest.raises(UserError, match=rf"VOC 2012 is not here yet, and \S+ cannot be reached \({reason}\): connect"):
        _voc(["2012/train"], ["2012/validation"], tmp_path, None)


def test_a_preparation_that_is_killed_starts_again(
    archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(VocDetection, "_generate_example", killed)
        with pytest.raises(KeyboardInterrupt):
            _voc(["2012/train"], ["2012/validation"], tmp_path, archives)
    assert len(_voc(["2012/train"], ["2012/validation"], tmp_path, archives).val) == 2


def test_addresses_are_those_whose_checksums_tensorflow_datasets_knows() -> None:
    from ssd.data.readers.voc_tfds import _ORIGINS

    known = tfds.core.download.checksums.get_all_url_infos()
    assert {address for origin in _ORIGINS.values() for address in origin.addresses.values()} <= set(known)
