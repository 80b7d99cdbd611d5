"""Batches: what is in them, in which order, again and again, and what happens when an image is damaged."""

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import albumentations as alb
import cv2
import numpy as np
import pytest

from ssd.cluster import Member
from ssd.data.augmentation import Augmentation
from ssd.data.pipeline import Batches
from ssd.data.sample import Annotation, Dataset
from ssd.data.transforms.recipe import Expand, MinIoUCrop, PhotometricDistort, RandomInterpolationResize
from ssd.errors import UserError

SIZE = 16
Batch = dict[str, np.ndarray]


def annotation(row: int, objects: int, crowd: Sequence[int] = ()) -> Annotation:
    boxes = np.linspace([0.0, 0.1, 0.4, 0.5], [0.5, 0.4, 1.0, 0.9], objects).reshape(-1, 4).astype(np.float32)
    flags = np.isin(np.arange(objects), crowd)
    return Annotation(
        id=f"image {row}",
        height=20,
        width=30,
        boxes=boxes,
        labels=np.arange(objects, dtype=np.int32),
        difficult=np.arange(objects) == 0,
        crowd=flags,
        areas=np.ones(objects, np.float32),
    )


def make_dataset(count: int, objects: int = 2, damaged: Sequence[int] = (), reads: list[int] | None = None) -> Dataset:
    """Images of one grey each, so that a batch tells which images it holds. Image 1 has no objects."""

    def read(row: int) -> bytes:
        if reads is not None:
            reads.append(row)
        data = cv2.imencode(".png", np.full((20, 30, 3), row, np.uint8))[1].tobytes()
        return b"not an image" if row in damaged else data

    annotations = [annotation(row, 0 if row == 1 else objects) for row in range(count)]
    return Dataset("grey", ("a", "b"), annotations, read)


def make_batches(dataset: Dataset, **changes: Any) -> Batches:
    arguments: dict[str, Any] = {
        "image_size": SIZE,
        "batch_size": 4,
        "augmentation": None,
        "shuffle": False,
        "seed": 3,
        "workers": 2,
        "cache_gb": 0.1,
        "drop_remainder": False,
    }
    return Batches(dataset, **(arguments | changes))


def augmentation() -> Augmentation:
    return Augmentation(
        [PhotometricDistort(), Expand(), MinIoUCrop(), RandomInterpolationResize(size=SIZE), alb.HorizontalFlip(p=0.5)]
    )


def all_of(batches: Batches, epoch: int = 0, start: int = 0) -> list[Batch]:
    return [{key: value.numpy() for key, value in batch.items()} for batch in batches.epoch(epoch, start)]


def assert_same(some: list[Batch], others: list[Batch]) -> None:
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


def indices(batches: list[Batch]) -> list[int]:
    return np.concatenate([batch["index"] for batch in batches]).tolist()


def test_a_batch_is_static_padded_and_true_to_the_data_set() -> None:
    batches = make_batches(make_dataset(8))
    first = next(iter(batches.epoch(0)))
    kinds = {key: (tuple(value.shape), value.dtype.name) for key, value in first.items()}
    assert kinds == {
        "image": ((4, SIZE, SIZE, 3), "uint8"),
        "boxes": ((4, 8, 4), "float32"),
        "labels": ((4, 8), "int32"),
        "index": ((4,), "int32"),
    }
    assert first["index"].numpy().tolist() == [0, 1, 2, 3]
    for row in range(4):
        assert (first["image"][row].numpy() == row).all()
        objects = 0 if row == 1 else 2
        np.testing.assert_array_equal(first["boxes"][row, :objects], batches.dataset.annotations[row].boxes)
        assert first["labels"][row].numpy().tolist() == list(range(objects)) + [-1] * (8 - objects)
        assert (first["boxes"][row, objects:].numpy() == 0).all()


@pytest.mark.parametrize(("objects", "padded"), [(0, 8), (8, 8), (9, 16)])
def test_number_of_padded_boxes(objects: int, padded: int) -> None:
    assert all_of(make_batches(make_dataset(4, objects)))[0]["boxes"].shape == (4, padded, 4)


def test_the_last_batch_is_filled_with_empty_images() -> None:
    batches = make_batches(make_dataset(6))
    assert len(batches) == 2
    _, last = all_of(batches)
    assert last["index"].tolist() == [4, 5, -1, -1]
    assert (last["image"][2:] == 0).all()
    assert (last["labels"][2:] == -1).all()
    assert (last["boxes"][2:] == 0).all()
    assert (last["image"][1] == 5).all()


def test_drop_remainder_leaves_other_images_out_each_epoch() -> None:
    batches = make_batches(make_dataset(6), drop_remainder=True, shuffle=True)
    assert len(batches) == 1
    seen = [frozenset(indices(all_of(batches, epoch))) for epoch in range(12)]
    assert all(len(epoch) == 4 and -1 not in epoch for epoch in seen)
    assert len(set(seen)) > 1


def test_limit_cuts_the_epoch() -> None:
    assert indices(all_of(make_batches(make_dataset(20), limit=2))) == list(range(8))
    assert len(make_batches(make_dataset(20), limit=2)) == 2
    assert len(make_batches(make_dataset(20), limit=50)) == 5


def test_shuffling_covers_the_whole_set_in_a_new_order_each_epoch() -> None:
    batches = make_batches(make_dataset(40), shuffle=True)
    orders = [indices(all_of(batches, epoch)) for epoch in range(3)]
    assert all(sorted(order) == list(range(40)) for order in orders)
    assert len({tuple(order) for order in [*orders, list(range(40))]}) == 4
    assert indices(all_of(make_batches(make_dataset(40), shuffle=True, seed=4))) != orders[0]
    # over the whole set: the first batch does not come from the first images only
    assert max(batches.indices(0)[:4].max(), batches.indices(1)[:4].max()) > 20
    assert indices(all_of(batches, 1)) == orders[1]


def test_the_same_batches_whatever_the_workers_and_the_cache() -> None:
    def run(**changes: Any) -> list[Batch]:
        batches = make_batches(make_dataset(13), shuffle=True, augmentation=augmentation(), **changes)
        return all_of(batches, 0) + all_of(batches, 1)

    expected = run(workers=1)
    assert_same(run(workers=4), expected)
    assert_same(run(workers=None), expected)
    assert_same(run(cache_gb=0.0), expected)
    assert any((one["image"] != other["image"]).any() for one, other in zip(run(seed=4), expected, strict=True))


@pytest.mark.parametrize("start", [0, 1, 3, 4])
def test_resuming_inside_an_epoch_gives_the_batches_that_were_left(start: int) -> None:
    def batches() -> Batches:
        return make_batches(make_dataset(14), shuffle=True, augmentation=augmentation())

    assert_same(all_of(batches(), 2, start), all_of(batches(), 2)[start:])


def test_crowds_never_reach_a_batch_but_difficult_objects_do() -> None:
    crowded = annotation(0, 10, crowd=[1, 2, 5])
    dataset = Dataset("crowd", tuple("abcdefghij"), [crowded], make_dataset(1).read)
    (batch,) = all_of(make_batches(dataset, batch_size=1))
    assert batch["labels"].tolist() == [[0, 3, 4, 6, 7, 8, 9, -1]]  # 8 = 7 rounded up: crowds need no room
    np.testing.assert_array_equal(batch["boxes"][0, :7], crowded.boxes[[0, 3, 4, 6, 7, 8, 9]])
    (batch,) = all_of(make_batches(dataset, batch_size=1, augmentation=Augmentation([alb.HorizontalFlip(p=1)])))
    assert batch["labels"].tolist() == [[0, 3, 4, 6, 7, 8, 9, -1]]


def test_images_without_objects_are_augmented_too() -> None:
    batches = all_of(make_batches(make_dataset(4, 0), augmentation=augmentation()))
    assert (batches[0]["labels"] == -1).all()
    assert (batches[0]["image"] != 0).any()


def test_images_are_resized_linearly_without_keeping_the_aspect() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    data = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    dataset = Dataset("noise", ("a", "b"), [annotation(0, 2)], lambda row: data)
    expected = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    for augment in (None, Augmentation([])):
        (batch,) = all_of(make_batches(dataset, batch_size=1, augmentation=augment))
        np.testing.assert_array_equal(batch["image"][0], expected)


@pytest.mark.parametrize("augment", [None, augmentation()], ids=["none", "ssd"])
def test_the_cache_reads_each_image_once_and_keeps_to_its_size(augment: Augmentation | None) -> None:
    reads: list[int] = []
    batches = make_batches(make_dataset(8, reads=reads), augmentation=augment, workers=1)
    all_of(batches)
    all_of(batches, 1)
    assert sorted(reads) == list(range(8))

    reads.clear()
    image_bytes = (SIZE * SIZE if augment is None else 20 * 30) * 3
    batches = make_batches(
        make_dataset(8, reads=reads), augmentation=augment, workers=1, cache_gb=3.5 * image_bytes / 1e9
    )
    all_of(batches)
    all_of(batches, 1)
    assert len(reads) == 8 + 5


def test_a_damaged_image_is_the_users_error_with_its_name() -> None:
    batches = make_batches(make_dataset(12, damaged=[6]))
    epoch = batches.epoch(0)
    assert next(epoch)["index"].numpy().tolist() == [0, 1, 2, 3]  # batches before it are still given
    with pytest.raises(UserError, match="image 6"):
        next(epoch)
    # not reached, not reported
    assert len(all_of(make_batches(make_dataset(12, damaged=[6]), limit=1))) == 1


def test_a_failing_transform_is_named_with_its_image_and_its_trace_kept(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(alb.ImageOnlyTransform):
        def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:
            raise ZeroDivisionError("in a transform")

    batches = make_batches(make_dataset(4), augmentation=Augmentation([Broken(p=1)]))
    with pytest.raises(UserError, match=r"Broken failed on the image .* \(ZeroDivisionError: in a transform\)"):
        all_of(batches)
    assert caplog.records[-1].name == "ssd.record"  # run.log's
    assert "in apply" in caplog.text


def test_objects_that_an_augmentation_repeats_are_cut_to_the_largest() -> None:
    mirrored = Augmentation([alb.PadIfNeeded(min_height=90, min_width=90, border_mode=cv2.BORDER_REFLECT_101)])
    (batch,) = all_of(make_batches(make_dataset(4, 8), augmentation=mirrored))
    assert batch["boxes"].shape == (4, 8, 4)
    assert (batch["labels"][0] >= 0).all()


def test_an_empty_or_too_small_data_set_is_refused() -> None:
    with pytest.raises(UserError, match="grey has no images"):
        make_batches(make_dataset(0))
    with pytest.raises(UserError, match=r"training\.batch_size is 4, but grey has only 3 images"):
        make_batches(make_dataset(3), drop_remainder=True)
    assert len(make_batches(make_dataset(3))) == 1


def test_its_memory_is_given_back() -> None:
    batches = make_batches(make_dataset(8), augmentation=augmentation())
    next(batches.epoch(0))
    all_of(batches)
    gone = weakref.ref(batches)
    del batches
    gc.collect()
    assert gone() is None


def test_the_processes_parts_make_the_batches_that_one_has() -> None:
    dataset = make_dataset(11)
    whole, *parts = (
        make_batches(dataset, augmentation=augmentation(), shuffle=True, workers=1, member=member)
        for member in (Member(), Member(0, 2), Member(1, 2))
    )
    assert len(whole) == len(parts[0]) == 3
    for batch, *shares in zip(*(batches.epoch(1, start=1) for batches in (whole, *parts)), strict=True):
        for name, values in batch.items():
            np.testing.assert_array_equal(values, np.concatenate([share[name] for share in shares]))
