"""AutoAugment for detection: what is drawn how often, boxes and their pixels, and the published tables."""

import random
from collections import Counter
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from cv2.typing import MatLike
from omegaconf import ListConfig, OmegaConf
from scipy import stats

from helpers.samples import assert_same, assert_valid, make_sample
from ssd.cli.compose import compose_jobs, without_hydra
from ssd.config.instantiate import instantiate
from ssd.data.augmentation import Augmentation
from ssd.data.transforms.autoaugment import OPERATIONS, AutoAugment, Edit
from ssd.data.transforms.autoaugment_operations import MOVES, Boxes, change, warp
from ssd.errors import UserError

POLICIES = ("v0", "v1", "v2", "v3")
WHOLE_MOVES = [name for name in MOVES if name.endswith("_BBox")]
ONLY = [name for name in OPERATIONS if name.endswith("_Only_BBoxes")]
NO_BOXES = np.zeros((0, 5))
# A chance below which a seeded draw is not believed: a right implementation passes whatever the seed.
TINY = 1e-6


def noise(height: int = 40, width: int = 60, seed: int = 0) -> MatLike:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def seeded(*sub_policies: Any, seed: int = 0) -> AutoAugment:
    transform = AutoAugment(sub_policies)
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
    return transform


def bboxes(*places: tuple[int, int, int, int], height: int = 40, width: int = 60) -> Boxes:
    """Places in pixels (x first) as albumentations gives them to a transform, with a row number behind."""
    rows = [[x0 / width, y0 / height, x1 / width, y1 / height, row] for row, (x0, y0, x1, y1) in enumerate(places)]
    return np.array(rows).reshape(-1, 5)


def draws(transform: AutoAugment, boxes: Boxes, count: int, height: int = 40, width: int = 60) -> list[list[Edit]]:
    params, data = {"shape": (height, width, 3)}, {"bboxes": boxes}
    return [transform.get_params_dependent_on_data(params, data)["edits"] for _ in range(count)]


def happens(count: int, of: int, probability: float) -> bool:
    return bool(stats.binomtest(count, of, probability).pvalue > TINY)


# Boxes move with their pixels


@pytest.mark.parametrize("name", WHOLE_MOVES)
def test_boxes_follow_their_pixels(name: str) -> None:
    height, width = 150, 200
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    seen = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        low = rng.integers(0, (width - 60, height - 60), (3, 2))
        places = np.hstack([low, low + rng.integers(5, 60, (3, 2))])
        image = np.full((height, width, 3), 60, np.uint8)
        for (x0, y0, x1, y1), colour in zip(places, colours, strict=True):
            image[y0:y1, x0:x1] = colour
        given = bboxes(*places.tolist(), height=height, width=width)
        result = seeded([(name, 1.0, int(rng.integers(0, 6)))], seed=seed)(image=image, bboxes=given)
        np.testing.assert_array_equal(result["bboxes"][:, 4], [0, 1, 2])
        for box, colour in zip(result["bboxes"][:, :4] * ([width, height] * 2), colours, strict=True):
            rows, columns = np.nonzero((result["image"] == colour).all(axis=-1))
            if len(rows) == 0:
                continue
            seen += 1
            assert box[0] - 0.6 <= columns.min() < columns.max() + 1 <= box[2] + 0.6
            assert box[1] - 0.6 <= rows.min() < rows.max() + 1 <= box[3] + 0.6
    assert seen > 60


def test_a_box_fits_as_closely_as_a_move_allows() -> None:
    image = np.zeros((150, 200, 3), np.uint8)
    image[60:90, 80:130] = 255
    for name in WHOLE_MOVES:
        if name.startswith("Shear"):
            strengths, magnitude = (-0.3, 0.3), 3
        else:
            strengths, magnitude = (-0.1, 0.1), 1
        result = seeded([(name, 1.0, magnitude)])(image=image, bboxes=bboxes((80, 60, 130, 90), height=150, width=200))
        rows, columns = np.nonzero(result["image"][..., 0] == 255)
        place = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(result["bboxes"][0, :4] * [200, 150, 200, 150], place, atol=1.5)
        assert any((warp(image, MOVES[name](s, 150, 200)) == result["image"]).all() for s in strengths)


# Cut out


def test_cutout_is_a_grey_square_around_any_pixel() -> None:
    transform = seeded([("Cutout", 1.0, 8)])
    windows = np.array([edits[0].window for edits in draws(transform, NO_BOXES, 4000, 300, 500)])
    heights, widths = windows[:, 2] - windows[:, 0], windows[:, 3] - windows[:, 1]
    inner = (windows[:, 0] > 0) & (windows[:, 2] < 300) & (windows[:, 1] > 0) & (windows[:, 3] < 500)
    assert (heights[inner] == 160).all()
    assert (widths[inner] == 160).all()
    assert heights.min() >= 80
    assert windows.min() == 0
    assert happens(int(inner.sum()), 4000, 139 / 300 * 339 / 500)  # middles 81…219 of 300, 81…419 of 500

    image = noise(300, 500)
    result = transform(image=image, bboxes=NO_BOXES)["image"]
    top, left, bottom, right = transform.params["edits"][0].window
    assert (result[top:bottom, left:right] == 128).all()
    result[top:bottom, left:right] = image[top:bottom, left:right]
    np.testing.assert_array_equal(result, image)


def test_a_cutout_of_no_size_cuts_nothing() -> None:
    image = noise()
    np.testing.assert_array_equal(seeded([("Cutout", 1.0, 0)])(image=image, bboxes=NO_BOXES)["image"], image)


def test_bbox_cutout_takes_a_share_of_one_box() -> None:
    places = [(100, 100, 200, 180), (300, 100, 340, 120)]
    drawn = draws(seeded([("BBox_Cutout", 1.0, 4)]), bboxes(*places, height=300, width=500), 4000, 300, 500)
    windows = np.array([edits[0].window for edits in drawn])
    first = windows[:, 1] < 250
    assert happens(int(first.sum()), 4000, 0.5)
    for chosen, (height, width), (x0, y0, x1, y1) in zip((first, ~first), ((24, 30), (6, 12)), places, strict=True):
        sizes = windows[chosen][:, 2:] - windows[chosen][:, :2]
        assert (sizes == (height, width)).all()  # 0.3 of the box, nowhere near the image's edge
        middles = (windows[chosen][:, 2:] + windows[chosen][:, :2]) // 2
        assert middles.min(axis=0).tolist() == [y0, x0]
        assert middles.max(axis=0).tolist() == [y1 - 1, x1 - 1]


# Inside boxes only

APART = ((2, 3, 22, 30), (30, 8, 55, 33))


@pytest.mark.parametrize("name", ONLY)
def test_only_bboxes_leave_the_outside_of_boxes_as_it_is(name: str) -> None:
    image = noise()
    given = bboxes(*APART)
    outside = np.ones((40, 60), bool)
    for x0, y0, x1, y1 in APART:
        outside[y0:y1, x0:x1] = False
    changed = 0
    for seed in range(30):
        transform = seeded([(name, 1.0, 5)], seed=seed)
        result = transform(image=image, bboxes=given)
        np.testing.assert_array_equal(result["image"][outside], image[outside])
        np.testing.assert_array_equal(result["bboxes"], given)
        inside = [image[y0:y1, x0:x1] for x0, y0, x1, y1 in APART]
        edited = {edit.window for edit in transform.params["edits"]}
        for (x0, y0, x1, y1), before in zip(APART, inside, strict=True):
            after = result["image"][y0:y1, x0:x1]
            if name != "Cutout_Only_BBoxes":
                strengths = [edit.strength for edit in transform.params["edits"] if edit.window == (y0, x0, y1, x1)]
                expected = change(name, before, strengths[0]) if strengths else before
                np.testing.assert_array_equal(after, expected)
            changed += not np.array_equal(after, before)
        assert len(edited) == len(transform.params["edits"])
    assert 5 < changed < 40


def test_each_box_has_a_third_of_the_probability_by_itself() -> None:
    drawn = draws(seeded([("Flip_Only_BBoxes", 0.6, 10)]), bboxes(*APART), 5000)
    together = Counter(frozenset(edit.window for edit in edits) for edits in drawn)
    first, second = ((y0, x0, y1, x1) for x0, y0, x1, y1 in APART)
    expected = {(): 0.64, (first,): 0.16, (second,): 0.16, (first, second): 0.04}
    counts = [together[frozenset(windows)] for windows in expected]
    assert sum(counts) == 5000
    assert stats.chisquare(counts, 5000 * np.array(list(expected.values()))).pvalue > TINY


def test_all_boxes_move_to_the_same_side_in_any_order() -> None:
    drawn = draws(seeded([("TranslateY_Only_BBoxes", 1.0, 2)]), bboxes(*APART), 5000)
    pairs = [edits for edits in drawn if len(edits) == 2]
    assert happens(len(pairs), 5000, 1 / 9)
    assert all(one.strength == other.strength for one, other in pairs)
    assert happens(sum(one.strength > 0 for one, _ in pairs), len(pairs), 0.5)
    assert happens(sum(one.window[1] == 2 for one, _ in pairs), len(pairs), 0.5)


def test_cutouts_inside_boxes_stay_inside() -> None:
    for edits in draws(seeded([("Cutout_Only_BBoxes", 1.0, 6)]), bboxes((10, 10, 50, 30)), 500):
        for _, _, (top, left, bottom, right) in edits:
            assert 10 <= top < bottom <= 30
            assert 10 <= left < right <= 50
    whole = draws(seeded([("Cutout_Only_BBoxes", 1.0, 10)]), bboxes((0, 0, 9, 9)), 50)
    assert {edit.window for edits in whole for edit in edits} == {(0, 0, 9, 9)}  # 100 pixels, whatever the middle


# What is drawn


def test_sub_policies_have_equal_chances() -> None:
    names = ["AutoContrast", "Equalize", "Posterize", "Solarize", "Color"]
    drawn = draws(seeded(*([(name, 1.0, 5)] for name in names)), NO_BOXES, 20000)
    counts = Counter(edits[0].operation for edits in drawn)
    assert stats.chisquare([counts[name] for name in names]).pvalue > TINY
    assert all(len(edits) == 1 for edits in drawn)


def test_operations_of_a_sub_policy_come_in_order_each_with_its_own_probability() -> None:
    steps = [("Color", 0.2, 8), ("Rotate_BBox", 0.8, 10), ("Equalize", 0.0, 2), ("Color", 1.0, 4)]
    drawn = draws(seeded(steps), NO_BOXES, 5000)
    counts = Counter(tuple(edit.operation for edit in edits) for edits in drawn)
    expected = {
        ("Color", "Rotate_BBox", "Color"): 0.16,
        ("Color", "Color"): 0.04,
        ("Rotate_BBox", "Color"): 0.64,
        ("Color",): 0.16,
    }
    assert set(counts) == set(expected)
    assert stats.chisquare([counts[key] for key in expected], 5000 * np.array([*expected.values()])).pvalue > TINY
    turns = [edit.strength for edits in drawn for edit in edits if edit.operation == "Rotate_BBox"]
    assert set(turns) == {-1.0, 1.0}
    assert happens(turns.count(1.0), len(turns), 0.5)
    assert {edit.strength for edits in drawn for edit in edits if edit.operation == "Color"} == {0.8, 0.4}


@pytest.mark.parametrize("version", POLICIES)
def test_the_policies_draw_each_operation_as_often_as_published(version: str) -> None:
    (transform, _flip) = transforms(version)
    transform.set_random_state(np.random.default_rng(0), random.Random(0))
    count = 4000
    drawn = Counter(edit.operation for edits in draws(transform, bboxes(*APART), count) for edit in edits)
    expected: Counter[str] = Counter()
    for sub_policy in transform.policy:
        for name, probability, _ in sub_policy:
            share = 2 * probability / 3 if name.endswith("_Only_BBoxes") else probability
            expected[name] += share / len(transform.policy) * count
    assert set(drawn) == {name for name, times in expected.items() if times > 0}
    for name, times in drawn.items():
        assert abs(times - expected[name]) < 6 * expected[name] ** 0.5


# The published tables


@cache
def nodes(version: str) -> ListConfig:
    (job,) = compose_jobs([f"augmentation=autoaugment_{version}"], multirun=False)
    return without_hydra(job).augmentation.transforms


def transforms(version: str) -> list[Any]:
    """The transforms of the group as a run builds them."""
    return [instantiate(node, f"augmentation.transforms[{index}]") for index, node in enumerate(nodes(version))]


@pytest.mark.parametrize(
    ("version", "sub_policies", "operations", "names"),
    [("v0", 5, 10, 9), ("v1", 20, 40, 17), ("v2", 15, 44, 14), ("v3", 15, 30, 14)],
)
def test_tables_have_the_published_size(version: str, sub_policies: int, operations: int, names: int) -> None:
    policy = transforms(version)[0].policy
    assert len(policy) == sub_policies
    assert sum(map(len, policy)) == operations
    assert len({step.name for sub_policy in policy for step in sub_policy}) == names


@pytest.mark.parametrize(
    ("version", "row", "sub_policy"),
    [
        ("v0", 0, [("TranslateX_BBox", 0.6, 4), ("Equalize", 0.8, 10)]),
        ("v0", 3, [("ShearY_BBox", 1.0, 2), ("TranslateY_Only_BBoxes", 0.6, 6)]),
        ("v0", 4, [("Rotate_BBox", 0.6, 10), ("Color", 1.0, 6)]),
        ("v1", 6, [("ShearY_Only_BBoxes", 0.8, 2), ("Flip_Only_BBoxes", 0.0, 10)]),
        ("v1", 12, [("Cutout_Only_BBoxes", 0.4, 6), ("TranslateY_Only_BBoxes", 0.8, 2)]),
        ("v1", 19, [("SolarizeAdd", 0.6, 8), ("Brightness", 0.8, 10)]),
        ("v2", 1, [("Rotate_BBox", 0.4, 8), ("Sharpness", 0.4, 2), ("Rotate_BBox", 0.8, 10)]),
        ("v2", 10, [("Rotate_BBox", 0.6, 10), ("BBox_Cutout", 1.0, 4), ("Cutout", 0.2, 8)]),
        ("v2", 14, [("Contrast", 1.0, 10), ("SolarizeAdd", 0.2, 8), ("Equalize", 0.2, 4)]),
        ("v3", 0, [("Posterize", 0.8, 2), ("TranslateX_BBox", 1.0, 8)]),
        ("v3", 1, [("BBox_Cutout", 0.2, 10), ("Sharpness", 1.0, 8)]),
        ("v3", 14, [("SolarizeAdd", 0.8, 6), ("Equalize", 0.8, 8)]),
    ],
)
def test_tables_have_the_published_values(version: str, row: int, sub_policy: list[tuple[str, float, float]]) -> None:
    assert transforms(version)[0].policy[row] == sub_policy


def test_v1_begins_with_v0() -> None:
    assert transforms("v1")[0].policy[:5] == transforms("v0")[0].policy


@pytest.mark.parametrize("version", POLICIES)
def test_the_groups_give_valid_samples_and_lose_no_object(version: str) -> None:
    augmentation = Augmentation(transforms(version))
    sample = make_sample(height=120, width=160)
    results = [augmentation(sample, (3, 0, index)) for index in range(150)]
    for result in results:
        assert_valid(result)
        assert result.image.shape == sample.image.shape
        assert result.annotation.labels.tolist() == [10, 11, 12]
        assert result.annotation.difficult.tolist() == [False, True, False]
    assert len({result.image.tobytes() for result in results}) > 20
    assert_same(augmentation(sample, (3, 0, 7)), results[7])
    assert_same(sample, make_sample(height=120, width=160))


@pytest.mark.parametrize("version", POLICIES)
def test_images_without_objects(version: str) -> None:
    augmentation = Augmentation(transforms(version))
    for index in range(60):
        result = augmentation(make_sample(()), (0, 0, index))
        assert_valid(result)
        assert len(result.annotation.boxes) == 0


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_on_images_of_any_size(name: str) -> None:
    for height, width in ((1, 1), (1, 30), (30, 1), (2, 2), (7, 300)):
        image = noise(height, width)
        given = np.array([[0.0, 0.0, 1.0, 1.0, 0], [0.2, 0.3, 0.21, 0.31, 1], [0.99, 0.99, 1.0, 1.0, 2]])
        for seed in range(6):
            for boxes in (given, NO_BOXES):
                before = image.copy()
                transform = seeded([(name, 1.0, 10)], seed=seed)
                result = transform(image=image, bboxes=boxes)
                np.testing.assert_array_equal(image, before)
                assert result["image"].dtype == np.uint8
                assert result["image"].shape == (height, width, 3)
                assert result["bboxes"].shape == boxes.shape
                assert ((result["bboxes"][:, :4] >= 0) & (result["bboxes"][:, :4] <= 1)).all()
                if len(boxes) == 0 and (name in ONLY or name == "BBox_Cutout"):
                    np.testing.assert_array_equal(result["image"], image)


def test_the_windows_of_a_view_are_written_to_the_image() -> None:
    """A flip inside a box writes an image onto itself."""
    image = noise()
    transform = seeded([("Flip_Only_BBoxes", 1.0, 0)], seed=4)
    for _ in range(20):
        result = transform(image=image, bboxes=bboxes((10, 5, 31, 25)))["image"]
        if transform.params["edits"]:
            np.testing.assert_array_equal(result[5:25, 10:31], cv2.flip(image[5:25, 10:31], 1))
            return
    pytest.fail("no flip in 20 draws")


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ([[["Rotate", 0.5, 5]]], "unknown operation 'Rotate'; did you mean 'Rotate_BBox'"),
        ([[["Equalize", 1.5, 5]]], "probability must be in 0…1"),
        ([[["Equalize", 0.5, 11]]], "magnitude in 0…10"),
        ([], "at least one sub-policy"),
        ([[["Equalize", 0.5]]], "magnitude"),
    ],
)
def test_mistakes_in_a_policy_are_named(policy: Any, message: str) -> None:
    node = OmegaConf.create({"_target_": "ssd.data.transforms.AutoAugment", "policy": policy})
    with pytest.raises(UserError, match=message):
        instantiate(node, "augmentation.transforms[0]")
