"""The keys that every data set has, from the command line to the splits."""

from pathlib import Path

import pytest

from helpers.fake_voc import encoded_image, item, write_voc
from ssd.cli.checks import check
from ssd.cli.compose import compose_jobs, without_hydra
from ssd.data.sample import Splits
from ssd.errors import UserError
from ssd.experiment.splits import build_splits

CAT, DOG, CAR = (item(name, 1, 1, 9, 9) for name in ("cat", "dog", "car"))


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    images = {"a": [CAT, DOG], "b": [CAR], "c": [item("cat", 1, 1, 30, 30, difficult=True)], "d": [DOG]}
    return write_voc(tmp_path / "voc", images, {"trainval": ["a", "b", "c"], "test": ["d"]})


def splits_of(*overrides: str) -> Splits:
    (job,) = compose_jobs(overrides, multirun=False)
    cfg = without_hydra(job)
    check(cfg)
    return build_splits(cfg)


def test_all_of_it_together(voc: Path, tmp_path: Path) -> None:
    (tmp_path / "sky").mkdir()
    (tmp_path / "sky" / "a.jpg").write_bytes(encoded_image(5, 7))
    splits = splits_of(
        "dataset=voc_folder",
        f"dataset.path={voc}",
        "dataset.classes={pet:[cat,dog]}",
        "dataset.ignore_difficult=true",
        "dataset.ignore_smaller_than=5",
        "dataset.limit_train=2",
        "dataset.limit_val=1",
        f"dataset.negatives={tmp_path / 'sky'}",
    )
    assert splits.train.class_names == splits.val.class_names == ("pet",)
    assert [item.id for item in splits.train.annotations] == ["a.jpg", "b.jpg", "negatives:a.jpg"]
    assert [item.labels.tolist() for item in splits.train.annotations] == [[0, 0], [], []]
    assert len(splits.val) == 1


def test_classes_that_are_listed_stay_and_those_that_are_not_go(voc: Path) -> None:
    only = "dataset.train=test"
    assert splits_of("dataset=voc_folder", f"dataset.path={voc}", only).train.class_names == ("dog",)
    listed = splits_of("dataset=voc_folder", f"dataset.path={voc}", only, "dataset.class_names=[cat,dog]")
    assert listed.train.class_names == ("cat", "dog")


def test_data_sets_are_joined_each_with_keys_of_its_own(voc: Path, tmp_path: Path) -> None:
    other = write_voc(tmp_path / "other", {"a": [item("Hund", 1, 1, 9, 9)], "b": [CAT]}, {"all": ["a", "b"]})
    splits = splits_of(
        "dataset=joined",
        "+dataset@dataset.parts.one=voc_folder",
        f"dataset.parts.one.path={voc}",
        "dataset.parts.one.classes=[cat,dog]",
        "+dataset@dataset.parts.two=voc_folder",
        f"dataset.parts.two.path={other}",
        "dataset.parts.two.train=all",
        "dataset.parts.two.val=all",
        "dataset.parts.two.classes={dog:Hund}",
        "+dataset.weights.two=2",
    )
    assert splits.train.class_names == ("cat", "dog")
    assert [item.id for item in splits.train.annotations] == [f"one/{k}.jpg" for k in "abc"] + [
        "two/a.jpg",
        "two/b.jpg",
    ]
    assert splits.train.weights is not None
    assert splits.train.weights.tolist() == [1, 1, 1, 2, 2]
    assert [item.labels.tolist() for item in splits.val.annotations] == [[1], [1], []]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("dataset.classes=[cat,dgo]", "dataset.classes names dgo, which is no class of .*dog"),
        ("dataset.limit_train=0", "dataset.limit_train"),
        ("dataset.ignore_smaller_than=-1", "dataset.ignore_smaller_than"),
        ("dataset.negatives=nowhere", "dataset.negatives=nowhere"),
    ],
)
def test_mistakes(override: str, said: str, voc: Path) -> None:
    with pytest.raises(UserError, match=said):
        splits_of("dataset=voc_folder", f"dataset.path={voc}", override)
