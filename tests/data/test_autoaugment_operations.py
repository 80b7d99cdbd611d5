"""AutoAugment's operations: colours against PIL, moves against a loop over pixels, boxes by hand."""

from typing import Any

import numpy as np
import pytest
from cv2.typing import MatLike
from PIL import Image, ImageEnhance, ImageOps

from ssd.data.transforms.autoaugment_operations import MOVES, change, move_boxes, rotation, solarize_add


def noise(height: int = 40, width: int = 60, seed: int = 0) -> MatLike:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def pictures() -> dict[str, MatLike]:
    ramp = np.stack([np.tile(np.arange(40, 160), (30, 1)), np.full((30, 120), 7), np.full((30, 120), 200)], axis=-1)
    dark = (noise(31, 17, seed=1) // 3).astype(np.uint8)
    return {"noise": noise(), "ramp": ramp.astype(np.uint8), "dark": dark, "pixel": noise(1, 1), "thin": noise(2, 50)}


# Colours, against PIL


@pytest.mark.parametrize("picture", pictures())
@pytest.mark.parametrize(
    ("operation", "magnitude", "reference"),
    [
        ("AutoContrast", 2, ImageOps.autocontrast),
        ("Equalize", 10, ImageOps.equalize),
        ("Equalize_Only_BBoxes", 8, ImageOps.equalize),
        ("Posterize", 10, lambda image: ImageOps.posterize(image, 4)),
        ("Posterize", 6, lambda image: ImageOps.posterize(image, 2)),
        ("Solarize", 10, lambda image: image),  # from 256 on
        ("Solarize", 8, lambda image: ImageOps.solarize(image, 204)),
        ("Solarize", 6, lambda image: ImageOps.solarize(image, 153)),
        ("Solarize", 0, ImageOps.invert),
        ("Solarize_Only_BBoxes", 4, lambda image: ImageOps.solarize(image, 102)),
        ("Flip_Only_BBoxes", 10, ImageOps.mirror),
    ],
)
def test_tables_of_colours_are_pils(operation: str, magnitude: float, reference: Any, picture: str) -> None:
    image = pictures()[picture]
    expected = np.asarray(reference(Image.fromarray(image)))
    np.testing.assert_array_equal(change(operation, image, magnitude / 10), expected)


@pytest.mark.parametrize("picture", pictures())
@pytest.mark.parametrize("operation", ["Color", "Contrast", "Brightness", "Sharpness"])
@pytest.mark.parametrize(("magnitude", "factor"), [(0, 0.1), (2, 0.46), (4, 0.82), (5, 1.0), (6, 1.18), (10, 1.9)])
def test_enhancements_are_pils_but_for_rounding(operation: str, magnitude: float, factor: float, picture: str) -> None:
    image = pictures()[picture]
    expected = np.asarray(getattr(ImageEnhance, operation)(Image.fromarray(image)).enhance(factor))
    np.testing.assert_allclose(change(operation, image, magnitude / 10), expected, atol=1)


@pytest.mark.parametrize(("magnitude", "addition"), [(0, 0), (2, 22), (6, 66), (8, 88), (10, 110)])
def test_solarize_add_brightens_the_dark_half(magnitude: float, addition: int) -> None:
    image = noise()
    expected = [min(value + addition, 255) if value < 128 else value for value in image.ravel().tolist()]
    np.testing.assert_array_equal(change("SolarizeAdd", image, magnitude / 10).ravel(), expected)
    assert solarize_add(np.full((1, 1, 3), 127, np.uint8), 200).max() == 255


def test_posterize_keeps_one_bit_where_the_published_table_asks_for_none() -> None:
    image = np.array([[[0, 127, 128], [129, 200, 255]]], np.uint8)
    expected = [
        [[0, 0, 128], [128, 128, 128]]
    ]  # tf.bitwise.right_shift and left_shift by 8, which TensorFlow takes as 7
    np.testing.assert_array_equal(change("Posterize", image, 0.2), expected)
    np.testing.assert_array_equal(change("Posterize", image, 0.0), expected)


# Geometry


def warped_by_hand(image: MatLike, matrix: np.ndarray) -> MatLike:
    """Each pixel's middle followed back to the pixel it comes from."""
    height, width = image.shape[:2]
    result = np.full_like(image, 128)
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    for row in range(height):
        for column in range(width):
            x, y, _ = back @ [column + 0.5, row + 0.5, 1]
            if 0 <= x < width and 0 <= y < height:
                result[row, column] = image[int(y), int(x)]
    return result


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("strength", [-1, -0.3, 0, 0.1, 0.8])
def test_moves_are_nearest_neighbour_on_grey(name: str, strength: float) -> None:
    image = noise(51, 64)
    expected = warped_by_hand(image, MOVES[name](strength, 51, 64))
    same = (change(name, image, strength) == expected).all(axis=-1)
    assert same.mean() > (0.97 if "Rotate" in name or "Shear" in name else 1 - 1e-9)  # ties and fixed-point numbers


@pytest.mark.parametrize(
    ("name", "strength", "point", "moved"),
    [
        ("TranslateX_BBox", 0.4, (0, 0), (100, 0)),
        ("TranslateY_BBox", -0.8, (0, 0), (0, -200)),
        ("TranslateX_Only_BBoxes", 1.0, (0, 0), (120, 0)),
        ("TranslateY_Only_BBoxes", 0.2, (0, 0), (0, 24)),
        ("ShearX_BBox", 0.8, (10, 100), (34, 100)),
        ("ShearY_BBox", -1.0, (100, 50), (100, 20)),
        ("ShearX_Only_BBoxes", 0.4, (10, 100), (22, 100)),
        ("ShearY_Only_BBoxes", 0.2, (100, 10), (100, 16)),
        ("Rotate_BBox", 1.0, (300, 200), (300, 200)),  # the middle of 400 x 600
        ("Rotate_BBox", 1.0, (400, 200), (300 + 100 * 3**0.5 / 2, 150)),  # counterclockwise by 30 degrees
        ("Rotate_Only_BBoxes", -0.6, (400, 200), (300 + 100 * np.cos(np.pi / 10), 200 + 100 * np.sin(np.pi / 10))),
    ],
)
def test_how_far_moves_go(name: str, strength: float, point: tuple[float, float], moved: tuple[float, float]) -> None:
    matrix = MOVES[name](strength, 400, 600)
    np.testing.assert_allclose(matrix @ [*point, 1], moved, atol=1e-9)


@pytest.mark.parametrize(
    ("shift", "box", "expected"),
    [
        ((10, 0), (0.2, 0.2, 0.6, 0.6), (0.3, 0.2, 0.7, 0.6)),
        ((50, 0), (0.2, 0.2, 0.6, 0.6), (0.7, 0.2, 1.0, 0.6)),
        ((100, 0), (0.2, 0.2, 0.6, 0.6), (0.95, 0.2, 1.0, 0.6)),  # out of sight: the strip
        ((-100, 0), (0.2, 0.2, 0.6, 0.6), (0.0, 0.2, 0.05, 0.6)),
        ((0, 100), (0.2, 0.2, 0.6, 0.6), (0.2, 0.95, 0.6, 1.0)),
        ((0, -100), (0.2, 0.2, 0.6, 0.6), (0.2, 0.0, 0.6, 0.05)),
        ((100, 100), (0.2, 0.2, 0.6, 0.6), (0.95, 0.95, 1.0, 1.0)),
        ((0, 0), (0.5, 0.5, 0.505, 0.6), (0.5, 0.5, 0.505, 0.6)),  # thinner than a pixel, but not at the edge
    ],
)
def test_boxes_are_clipped_and_never_lost(shift: Any, box: Any, expected: Any) -> None:
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
    np.testing.assert_allclose(move_boxes(np.array([box]), matrix, 100, 100), [expected], atol=1e-9)


def test_a_box_is_drawn_around_the_turned_box() -> None:
    (box,) = move_boxes(np.array([[0.25, 0.25, 0.75, 0.75]]), rotation(1.0, 200, 200), 200, 200)
    half = (np.cos(np.pi / 6) + np.sin(np.pi / 6)) / 4
    np.testing.assert_allclose(box, [0.5 - half, 0.5 - half, 0.5 + half, 0.5 + half])
    assert move_boxes(np.zeros((0, 4)), rotation(1.0, 9, 9), 9, 9).shape == (0, 4)
