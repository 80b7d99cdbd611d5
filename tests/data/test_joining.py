"""Several data sets as one, images without objects, and images that are seen more often."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.fake_voc import encoded_image
from ssd.data.images import ImageFiles
from ssd.data.joining import joined, with_negatives
from ssd.data.problems import SKIP, Problems
from ssd.data.rows import concatenated, take
from ssd.data.sample import Annotation, Dataset, Splits
from ssd.data.sampling import class_balanced_factors, repeated
from ssd.errors import UserError


def image(name: str, *labels: int) -> Annotation:
    count = len(labels)
    none = np.zeros(count, np.bool_)
    boxes = np.tile(np.array([0, 0, 1, 1], np.float32), (count, 1))
    return Annotation(name, 8, 9, boxes, np.array(labels, np.int32), none, none, np.ones(count, np.float32))


def dataset(name: str, names: tuple[str, ...], *labels: tuple[int, ...]) -> Dataset:
    annotations = [image(f"{row}.jpg", *found) for row, found in enumerate(labels)]
    return Dataset(name, names, annotations, lambda index: f"{name} {index}".encode())


PETS = dataset("pets:train", ("cat", "dog"), (0,), (1, 1))
CARS = dataset("cars:train", ("car", "cat"), (0, 1), (), (0,))


def test_parts_have_the_classes_of_all_and_names_of_their_own() -> None:
    found = joined({"p": Splits(PETS, PETS), "c": Splits(CARS, CARS)}, {}, "both")
    assert found.train.name == "both:train"
    assert found.train.class_names == found.val.class_names == ("cat", "dog", "car")
    assert [item.labels.tolist() for item in found.train.annotations] == [[0], [1, 1], [2, 0], [], [2]]
    assert [item.id for item in found.val.annotations] == ["p/0.jpg", "p/1.jpg", "c/0.jpg", "c/1.jpg", "c/2.jpg"]
    reads = [found.train.read(index).decode() for index in range(5)]
    assert reads == ["pets:train 0", "pets:train 1", "cars:train 0", "cars:train 1", "cars:train 2"]
    assert found.train.weights is None


def test_a_part_of_weight_two_is_trained_on_twice_as_often() -> None:
    splits = joined({"p": Splits(PETS, PETS), "c": Splits(CARS, CARS)}, {"c": 2}, "both")
    found = repeated(splits.train, class_balanced=False, seed=3)
    assert [item.id[:3] for item in found.annotations] == ["p/0", "p/1", "c/0", "c/0", "c/1", "c/1", "c/2", "c/2"]
    assert splits.val.weights is None


@pytest.mark.parametrize("weights", [{"x": 1}, {"p": 0}, {"p": -1}, {"p": "many"}, {"p": 101}, {"p": float("nan")}])
def test_weights_that_are_none(weights: dict) -> None:
    with pytest.raises(UserError, match=r"dataset.weights has .*; it takes a number"):
        joined({"p": Splits(PETS, PETS)}, weights, "both")


def test_no_parts() -> None:
    with pytest.raises(UserError, match=r"dataset.parts is empty"):
        joined({}, {}, "both")


def test_images_of_a_second_folder_have_no_objects(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.jpg", "deep/a.PNG"):
        (tmp_path / name).write_bytes(encoded_image(5, 7))
    for name in ("notes.txt", "c.svg"):
        (tmp_path / name).write_text("no image")
    found = with_negatives(PETS, str(tmp_path), Problems())
    assert [item.id for item in found.annotations[2:]] == ["negatives:b.jpg", "negatives:deep/a.PNG"]
    assert [(item.height, item.width, len(item.labels)) for item in found.annotations[2:]] == [(5, 7, 0)] * 2
    assert found[3].image.shape == (5, 7, 3)
    assert found.read(1) == b"pets:train 1"
    assert f"files of a kind that is not read (1): {tmp_path / 'c.svg'};" in caplog.text


def test_a_negative_image_that_cannot_be_read_is_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded_image(5, 7))
    (tmp_path / "b.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match=r"The image .*b\.jpg cannot be read"):
        with_negatives(PETS, str(tmp_path), Problems())
    problems = Problems(SKIP)
    found = with_negatives(PETS, str(tmp_path), problems)
    assert [item.id for item in found.annotations[2:]] == ["negatives:a.jpg"]
    assert [(item.kind, item.file) for item in problems.noted] == [("image-unreadable", str(tmp_path / "b.jpg"))]


def test_a_folder_without_images_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dataset.negatives=.* holds no image"):
        with_negatives(PETS, str(tmp_path), Problems())
    with pytest.raises(UserError, match=r"dataset.negatives=nowhere is not a folder"):
        with_negatives(PETS, "nowhere", Problems())


def test_files_stay_files(tmp_path: Path) -> None:
    """A message names them, and oddities compares them."""
    one = Dataset("one", ("cat",), [image("a"), image("b")], ImageFiles([tmp_path / "a", tmp_path / "b"]))
    both = concatenated([take(one, [1, 0]), one], "two")
    assert [both.where(index)[-1] for index in range(4)] == ["b", "a", "a", "b"]
    assert isinstance(both.read, ImageFiles)


def test_factors_by_hand() -> None:
    """Of 4 images 4 show a cat and 1 a dog: sqrt(4 / 4) and sqrt(4 / 1); none shows a bird."""
    data = dataset("pets", ("cat", "dog", "bird"), (0,), (0, 0), (0, 1), (0,))
    assert class_balanced_factors(data).tolist() == [1, 1, 2, 1]
    assert class_balanced_factors(dataset("empty", ("cat",), (), ())).tolist() == [1, 1]


def test_an_even_set_stays_as_it_is() -> None:
    assert repeated(PETS, class_balanced=True, seed=0) is PETS
    assert repeated(CARS, class_balanced=False, seed=0) is CARS


@given(st.lists(st.floats(0.01, 20), min_size=1, max_size=30), st.integers(-(2**40), 2**40))
def test_each_image_is_there_as_often_as_its_weight_says(weights: list[float], seed: int) -> None:
    data = dataset("many", ("cat",), *[(0,)] * len(weights))
    data = Dataset(data.name, data.class_names, data.annotations, data.read, weights=np.array(weights))
    found = repeated(data, class_balanced=False, seed=seed)
    assert [item.id for item in found.annotations] == [
        item.id for item in repeated(data, class_balanced=False, seed=seed).annotations
    ]
    ids = [item.id for item in found.annotations]
    for item, weight in zip(data.annotations, weights, strict=True):
        assert abs(ids.count(item.id) - weight / min(weights)) < 1
