"""Charts and pictures: readable PNG files in ordinary and in extreme cases, boxes where they belong."""

from pathlib import Path
from typing import Any

import cv2
import matplotlib.pyplot
import numpy as np
import pytest
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import ImageDraw

from ssd.data.sample import Annotation
from ssd.evaluation.evaluate import evaluate
from ssd.figures.charts import confusion_matrix, curves_from_csv, label_statistics, pr_curves
from ssd.figures.colours import class_colours, readable_on
from ssd.figures.drawing import draw_detections
from ssd.figures.sheets import training_batch, truth_and_prediction
from ssd.inference.detections import Detections

HEADER = "epoch,step,minutes,train/loss,train/loss_cls,train/loss_box,val/loss,val/loss_cls,val/loss_box,"
HEADER += "val/mAP50,val/mAP50_07,val/mAP,lr\n"


def names_of(count: int) -> tuple[str, ...]:
    return tuple(f"class {index}" for index in range(count))


def random_annotation(rng: np.random.Generator, classes: int, count: int, name: str = "image") -> Annotation:
    sides = rng.uniform(0.05, 0.4, (count, 2))
    corners = rng.uniform(0, 1 - sides)
    return Annotation(
        id=name,
        height=90,
        width=120,
        boxes=np.concatenate([corners, corners + sides], axis=1).astype(np.float32),
        labels=rng.integers(0, classes, count).astype(np.int32),
        difficult=rng.random(count) < 0.2,
        crowd=rng.random(count) < 0.2,
        areas=np.full(count, 100, np.float32),
    )


def as_detections(annotation: Annotation, score: float = 0.9) -> Detections:
    return Detections(annotation.boxes, annotation.labels, np.full(len(annotation.labels), score, np.float32))


def picture(rng: np.random.Generator, height: int = 90, width: int = 120) -> NDArray[np.uint8]:
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def read_png(path: Path) -> NDArray[np.uint8]:
    assert path.read_bytes().startswith(b"\x89PNG")
    image = cv2.imread(str(path))
    assert image is not None
    assert min(image.shape[:2]) > 20
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)


def has_colour(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> bool:
    return bool((image == colour).all(axis=-1).any())


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects what is written by matplotlib's `Axes.text` and by Pillow."""
    written: list[str] = []
    draw, write = ImageDraw.ImageDraw.text, Axes.text

    def on_picture(self: Any, at: Any, text: str, *rest: Any, **options: Any) -> None:
        written.append(text)
        draw(self, at, text, *rest, **options)

    def on_chart(self: Any, x: float, y: float, text: str, **options: Any) -> Any:
        written.append(text)
        return write(self, x, y, text, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", on_picture)
    monkeypatch.setattr(Axes, "text", on_chart)
    return written


@pytest.mark.parametrize("classes", [1, 3, 80])
@pytest.mark.parametrize("objects", [0, 12])
def test_every_chart_of_an_evaluation(tmp_path: Path, rng: np.random.Generator, classes: int, objects: int) -> None:
    annotations = [random_annotation(rng, classes, objects) for _ in range(20)]
    evaluation = evaluate([as_detections(a) for a in annotations], annotations, names_of(classes))
    pr_curves(evaluation.curves, tmp_path / "pr.png")
    confusion_matrix(evaluation.confusion, evaluation.class_names, tmp_path / "confusion.png")
    label_statistics(annotations, names_of(classes), tmp_path / "labels.png")
    for name in ("pr", "confusion", "labels"):
        assert read_png(tmp_path / f"{name}.png").std() > 0
    assert matplotlib.pyplot.get_fignums() == []


def test_charts_without_a_single_image(tmp_path: Path) -> None:
    evaluation = evaluate([], [], names_of(2))
    pr_curves(evaluation.curves, tmp_path / "a.png")
    confusion_matrix(evaluation.confusion, evaluation.class_names, tmp_path / "b.png")
    label_statistics([], names_of(2), tmp_path / "c.png")
    for name in "abc":
        read_png(tmp_path / f"{name}.png")


def test_curves_of_detected_and_of_missed_classes_are_both_drawn(tmp_path: Path, rng: np.random.Generator) -> None:
    annotations = [random_annotation(rng, 2, 8)]
    found = as_detections(annotations[0])
    found = Detections(*(values[found.labels == 0] for values in (found.boxes, found.labels, found.scores)))
    evaluation = evaluate([found], annotations, names_of(2))
    assert [len(curve.recall) > 0 for curve in evaluation.curves] == [True, False]
    pr_curves(evaluation.curves, tmp_path / "pr.png")
    image = read_png(tmp_path / "pr.png")
    assert has_colour(image, class_colours(2)[0])
    assert has_colour(image, class_colours(2)[1])


def test_the_confusion_matrix_shows_its_counts(tmp_path: Path, texts: list[str]) -> None:
    confusion_matrix(np.array([[7, 0, 1], [0, 23456, 0], [0, 0, 0]]), ("cat", "dog"), tmp_path / "confusion.png")
    assert texts == ["7", "1", "23k"]


def test_epochs_without_validation_are_gaps(tmp_path: Path) -> None:
    results = tmp_path / "results.csv"
    results.write_text(HEADER + "1,10,0.5,3,2,1,,,,,,,0.001\n2,20,1,2,1.5,0.5,2.2,1.6,0.6,0.5,0.48,0.3,0.001\n")
    curves_from_csv(results, tmp_path / "curves.png")
    assert has_colour(read_png(tmp_path / "curves.png"), class_colours(1)[0])


@pytest.mark.parametrize(
    "content",
    [
        HEADER,
        HEADER + "1,10,0.5,3,2,1,,,,,,,0.001\n",
        HEADER + "1,10,0.5,nan,inf,1,,,,,,,0.001\n",
        HEADER + "1,10,0.5,3,2\n",
        "epoch,train/loss\n1,3\n2,2\n",
        "",
    ],
    ids=["no epoch", "one epoch", "not finite", "cut off", "few columns", "empty"],
)
def test_unfinished_results_are_drawn_too(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.csv").write_text(content)
    curves_from_csv(tmp_path / "results.csv", tmp_path / "curves.png")
    read_png(tmp_path / "curves.png")


@pytest.mark.parametrize(("count", "classes", "objects"), [(0, 3, 0), (1, 3, 0), (1, 3, 5), (3, 80, 60), (8, 1, 4)])
def test_truth_beside_prediction(
    tmp_path: Path, rng: np.random.Generator, count: int, classes: int, objects: int
) -> None:
    annotations = [random_annotation(rng, classes, objects, "long name " * 12) for _ in range(count)]
    found = [as_detections(annotation) for annotation in annotations]
    images = [picture(rng, *rng.integers(1, 700, 2)) for _ in range(count)]
    truth_and_prediction(images, annotations, found, names_of(classes), tmp_path / "sheet.png")
    read_png(tmp_path / "sheet.png")


def test_only_sure_detections_are_drawn(tmp_path: Path, rng: np.random.Generator, texts: list[str]) -> None:
    annotation = random_annotation(rng, 1, 0)
    box, label = np.array([[0.3, 0.3, 0.6, 0.6]] * 2, np.float32), np.zeros(2, np.int32)
    found = Detections(box, label, np.array([0.75, 0.25], np.float32))
    truth_and_prediction([picture(rng)], [annotation], [found], ["cell"], tmp_path / "sheet.png", score_threshold=0.5)
    assert texts == ["cell 0.75", "image · truth", "prediction, score ≥ 0.5", "cell"]


def test_difficult_objects_and_crowds_are_named_so(tmp_path: Path, rng: np.random.Generator, texts: list[str]) -> None:
    boxes = np.array([[0.2, 0.1, 0.4, 0.3], [0.6, 0.1, 0.9, 0.3], [0.6, 0.5, 0.9, 0.8]], np.float32)
    flags = np.eye(3, dtype=np.bool_)
    annotation = Annotation("a", 90, 120, boxes, np.zeros(3, np.int32), flags[0], flags[1], np.ones(3, np.float32))
    nothing = Detections(boxes[:0], annotation.labels[:0], np.zeros(0, np.float32))
    truth_and_prediction([picture(rng)], [annotation], [nothing], ["cell"], tmp_path / "sheet.png")
    assert texts[:3] == ["cell (difficult)", "cell (crowd)", "cell"]


def test_a_training_batch_without_its_padding(tmp_path: Path, rng: np.random.Generator, texts: list[str]) -> None:
    boxes = np.zeros((3, 4, 4), np.float32)
    boxes[0, 0] = 0.2, 0.2, 0.8, 0.8
    batch: dict[str, NDArray[Any]] = {
        "image": rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8),
        "boxes": boxes,
        "labels": np.array([[1, -1, -1, -1], [-1] * 4, [-1] * 4], np.int32),
        "index": np.array([5, 3, -1], np.int32),
    }
    training_batch(batch, ["cat", "dog"], tmp_path / "batch.png")
    read_png(tmp_path / "batch.png")
    assert texts == ["dog", "1 object", "0 objects", "dog"]


def test_a_training_batch_of_many_images_shows_sixteen(
    tmp_path: Path, rng: np.random.Generator, texts: list[str]
) -> None:
    shape = (40, 2)
    batch: dict[str, NDArray[Any]] = {
        "image": rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8),
        "boxes": np.zeros((*shape, 4), np.float32),
        "labels": np.full(shape, -1, np.int32),
    }
    training_batch(batch, ["cat"], tmp_path / "batch.png")
    assert texts == ["0 objects"] * 16


def test_a_detection_is_drawn_in_its_place_and_colour() -> None:
    image = np.full((200, 400, 3), 255, np.uint8)
    found = Detections(np.array([[0.5, 0.25, 0.75, 0.5]], np.float32), np.array([1], np.int32), np.ones(1, np.float32))
    drawn = draw_detections(image, found, ["cat", "dog"])
    assert (image == 255).all()
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    colour = class_colours(2)[1]
    for row, column in (
        (149, 150),
        (120, 100),
        (120, 199),
    ):  # bottom, left and right edges of rows 100-149, columns 100-199
        assert tuple(drawn[row, column]) == colour
    assert (drawn[110:140, 110:190] == 255).all()
    assert (drawn[:, 201:] == 255).all()
    assert (drawn[85:99, 100:130] != 255).any()  # the label above


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
