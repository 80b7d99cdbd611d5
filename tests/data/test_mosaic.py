"""Mosaics of several pictures of a data set: what they are made of follows from the seed, with no object lost."""

from pathlib import Path

import albumentations as alb
import cv2
import numpy as np
import pytest

from ssd.data.augmentation import Augmentation
from ssd.data.images import ImageFiles
from ssd.data.pipeline import Batches
from ssd.data.sample import Annotation, Dataset

SIZE = 64
COLOURS = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250), (250, 0, 250)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six black pictures, each with two filled boxes in its own colour, whose label is the picture's number."""
    folder, annotations = tmp_path_factory.mktemp("images"), []
    boxes = np.array([[0.1, 0.1, 0.4, 0.4], [0.5, 0.6, 0.9, 0.9]], np.float32)
    for number, colour in enumerate(COLOURS):
        image = np.zeros((SIZE, SIZE, 3), np.uint8)
        for ymin, xmin, ymax, xmax in (boxes * SIZE).round().astype(int):
            image[ymin:ymax, xmin:xmax] = colour
        cv2.imwrite(str(folder / f"{number}.png"), image[..., ::-1])
        flags = np.zeros(2, np.bool_)
        labels, areas = np.full(2, number, np.int32), np.full(2, 100, np.float32)
        annotations.append(Annotation(str(number), SIZE, SIZE, boxes, labels, flags, flags, areas))
    files = ImageFiles([folder / f"{number}.png" for number in range(len(COLOURS))])
    return Dataset("colours", tuple("abcdef"), annotations, files)


def mosaic(**options: object) -> alb.Mosaic:
    return alb.Mosaic(target_size=(SIZE, SIZE), cell_shape=(SIZE, SIZE), **options)


def batches(dataset: Dataset, augmentation: Augmentation | None, workers: int = 1) -> Batches:
    return Batches(
        dataset,
        image_size=SIZE,
        batch_size=min(6, len(dataset)),
        augmentation=augmentation,
        shuffle=False,
        seed=3,
        workers=workers,
        cache_gb=0.01,
        drop_remainder=True,
    )


def test_every_box_has_the_colour_of_the_picture_that_its_label_is_of(dataset: Dataset) -> None:
    seen = set()
    for epoch in range(4):
        (batch,) = batches(dataset, Augmentation([mosaic(p=1.0)])).epoch(epoch)
        for image, boxes, labels in zip(*(batch[key].numpy() for key in ("image", "boxes", "labels")), strict=True):
            real = labels >= 0
            seen.add(len(set(labels[real].tolist())))
            for box, label in zip(boxes[real], labels[real], strict=True):
                y, x = ((box[:2] + box[2:]) / 2 * SIZE).astype(int)
                np.testing.assert_allclose(image[y, x], COLOURS[label], atol=60)
    assert max(seen) >= 3


def test_it_is_the_same_for_any_number_of_workers_and_another_in_each_epoch(dataset: Dataset) -> None:
    transforms = [mosaic(p=0.5), alb.HorizontalFlip(p=0.5)]
    one, two = (batches(dataset, Augmentation(transforms), workers) for workers in (1, 2))
    (first,), (again,), (later,) = one.epoch(0), two.epoch(0), one.epoch(1)
    for key in ("image", "boxes", "labels"):
        np.testing.assert_array_equal(first[key].numpy(), again[key].numpy())
    assert not np.array_equal(first["image"].numpy(), later["image"].numpy())


def test_there_is_room_for_the_objects_of_all_pictures(dataset: Dataset) -> None:
    assert Augmentation([mosaic(p=0.1)]).pictures == 4
    assert Augmentation([alb.OneOf([mosaic(grid_yx=(2, 3)), alb.HorizontalFlip()])]).pictures == 6
    many = []
    for count in (3, 5, 9, 11, 20):
        boxes, flags = np.tile(np.array([0, 0, 1, 1], np.float32), (count, 1)), np.zeros(count, np.bool_)
        many.append(
            Annotation(str(count), 8, 8, boxes, np.zeros(count, np.int32), flags, flags, np.ones(count, np.float32))
        )
    crowded = Dataset("crowded", ("a",), many, lambda index: b"")
    found = [batches(crowded, augmentation).max_boxes for augmentation in (None, Augmentation([mosaic()]))]
    assert found == [24, 48]  # of 20, and of 5 + 9 + 11 + 20


def test_lists_without_a_mosaic_ask_for_no_other_picture(dataset: Dataset, tmp_path: Path) -> None:
    class Alone:
        annotation = dataset.annotations[0]
        image = np.zeros((SIZE, SIZE, 3), np.uint8)

    sample = Augmentation([alb.HorizontalFlip(p=1)])(Alone(), (0, 0, 0))  # type: ignore[arg-type]
    np.testing.assert_allclose(sample.annotation.boxes[0], [0.1, 0.6, 0.4, 0.9], atol=1e-6)
