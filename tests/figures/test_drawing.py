"""Boxes and labels on an image: where they belong, and seen."""

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from helpers.pictures import as_detections, names_of, picture, random_annotation
from ssd.figures.colours import class_colours, readable_on
from ssd.figures.drawing import draw_detections
from ssd.figures.strokes import Stroke, outline
from ssd.inference.detections import Detections


def test_a_detection_is_drawn_in_its_place_and_colour() -> None:
    image = np.full((200, 400, 3), 255, np.uint8)
    found = Detections(np.array([[0.5, 0.25, 0.75, 0.5]], np.float32), np.array([1], np.int32), np.ones(1, np.float32))
    drawn = draw_detections(image, found, ["cat", "dog"])
    assert (image == 255).all()
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    colour = class_colours(2)[1]
    for row, column in ((150, 150), (120, 99), (120, 200)):  # below, left and right of rows 100-149, columns 100-199
        assert tuple(drawn[row, column]) == colour
    assert (drawn[100:150, 100:200] == 255).all()  # the object itself stays seen
    assert (drawn[:, 201:] == 255).all()
    assert (drawn[85:98, 100:130] != 255).any()  # the label above


def test_labels_never_cover_each_other(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    placed: list[tuple[int, int, int, int]] = []
    original = ImageDraw.ImageDraw.rectangle

    def rectangle(self: Any, xy: Any, fill: Any = None, **options: Any) -> None:
        if fill is not None:
            placed.append(xy)
        original(self, xy, fill=fill, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "rectangle", rectangle)
    found = as_detections(random_annotation(rng, 3, 150))
    draw_detections(picture(rng, 400, 600), found, names_of(3))
    assert len(placed) > 20
    for index, (left, top, right, bottom) in enumerate(placed):
        assert 0 <= left < right < 600
        assert 0 <= top < bottom < 400
        for other in placed[:index]:
            assert left > other[2] or other[0] > right or top > other[3] or other[1] > bottom


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (40, 30), (1500, 1000)])
def test_any_image_and_any_box_can_be_drawn(rng: np.random.Generator, size: tuple[int, int]) -> None:
    boxes = [
        [-0.2, -0.2, 1.3, 1.3],
        [0.5, 0.5, 0.5, 0.5],
        [0.9, 0.9, 0.1, 0.1],
        [np.nan] * 4,
        [1, 1, 1, 1],
        [2, 2, 3, 3],
    ]
    found = Detections(np.array(boxes, np.float32), np.zeros(6, np.int32), np.linspace(1, 0, 6, dtype=np.float32))
    assert draw_detections(picture(rng, *size), found, ["Größe, ячейка"]).shape == (*size, 3)


def test_no_detections_leave_the_image_as_it_is(rng: np.random.Generator) -> None:
    image = picture(rng)
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, np.float32))
    drawn = draw_detections(image, nothing, ["cat"])
    assert (drawn == image).all()
    assert not np.shares_memory(drawn, image)


def test_classes_have_different_colours_that_do_not_depend_on_their_number() -> None:
    colours = class_colours(80)
    assert len(set(colours)) == 80
    assert class_colours(3) == colours[:3]
    assert all(0 <= value <= 255 for colour in colours for value in colour)


def test_letters_stand_out_from_their_ground() -> None:
    assert readable_on((255, 230, 100)) == (0, 0, 0)
    assert readable_on((0, 60, 120)) == (255, 255, 255)


def drawn_around(box: tuple[int, int, int, int], stroke: Stroke, size: tuple[int, int] = (60, 40)) -> np.ndarray:
    """(H, W, 3) of a grey picture with one box."""
    canvas = Image.new("RGB", size, (128, 128, 128))
    outline(ImageDraw.Draw(canvas), box, size, stroke)
    return np.array(canvas)


RED, WHITE, GREY = (255, 0, 0), (255, 255, 255), (128, 128, 128)


def test_dashes_leave_out_what_they_should_and_never_a_corner() -> None:
    image = drawn_around((11, 11, 42, 29), Stroke(RED, 1, (4, 2)))  # lines of 34 and 21 pixels
    top = "".join("x" if tuple(pixel) == RED else "." for pixel in image[10, 10:44])
    assert top == "xxxx..xxxx..xxxx..xxxx..xxxx..xxxx"
    left = "".join("x" if tuple(pixel) == RED else "." for pixel in image[10:31, 10])
    assert left.startswith("xxxx.")
    assert left.endswith(".xxxx")
    assert (image[11:30, 11:43] == GREY).all()


def test_the_ground_keeps_a_line_apart_from_the_picture() -> None:
    image = drawn_around((20, 15, 39, 29), Stroke(RED, 2, ground=WHITE))
    assert [tuple(pixel) for pixel in image[20, 16:21]] == [GREY, WHITE, RED, RED, WHITE]


@pytest.mark.parametrize("stroke", [Stroke(RED, 1), Stroke(RED, 3, (4, 2), WHITE), Stroke(RED, 3, (1, 1))])
@pytest.mark.parametrize("box", [(0, 0, 59, 39), (5, 5, 5, 5), (58, 38, 59, 39), (0, 20, 59, 20)])
def test_any_box_can_be_seen(box: tuple[int, int, int, int], stroke: Stroke) -> None:
    assert (drawn_around(box, stroke) == RED).all(axis=-1).any()


def test_kinds_of_lines_differ_without_their_colours() -> None:
    strokes = (Stroke(RED, 3), Stroke(RED, 3, (4, 2)), Stroke(RED, 3, (1, 1)), Stroke(RED, 3, (4, 2, 1, 2)))
    drawings = {drawn_around((10, 10, 50, 30), stroke).tobytes() for stroke in strokes}
    assert len(drawings) == 4
