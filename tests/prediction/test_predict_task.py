"""`task=predict`: whatever is a source goes in; pictures, tables and data sets come out, broken files passed over."""

import csv
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from helpers.fake_checkpoint import write_detector
from helpers.fake_network import FakeNetwork, drawn
from ssd import interrupts
from ssd.cli.main import main
from ssd.data.folder.reader import folder as read_folder
from ssd.inference.views import View
from ssd.prediction import download
from ssd.runs.folder import BEST

pytestmark = pytest.mark.usefixtures("command_line", "logging_as_before")

A = drawn(48, 64, red=((8, 6, 24, 30),), blue=((32, 30, 60, 45),))
B = drawn(96, 64, red=((4, 10, 40, 50),))
NOTHING = drawn(20, 30)

Predict = Callable[..., tuple[int, Path]]


@pytest.fixture
def predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Predict:
    """Runs the command line in a folder of its own; gives exit status and the folder of the results."""
    work = tmp_path / "work"
    write_detector(work / "run" / BEST)
    monkeypatch.chdir(work)
    monkeypatch.setattr("ssd.tasks.predict.load_network", lambda *_: FakeNetwork())

    def run(source: object, *overrides: str) -> tuple[int, Path]:
        try:
            status = main(["task=predict", "checkpoint=run", f"source={source}", *overrides])
        except SystemExit as left:
            status = int(left.code or 0)
        return status, max(work.glob("outputs/predict/*"), key=lambda place: place.stat().st_mtime_ns, default=work)

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two images with objects, one in a folder, and one without any."""
    place = tmp_path / "photos"
    (place / "deep").mkdir(parents=True)
    for name, image in (("a.png", A), ("deep/b.png", B), ("nothing.png", NOTHING)):
        Image.fromarray(image).save(place / name)
    return place


def records(results: Path) -> list[dict[str, Any]]:
    return list(json.loads((results / "detections.json").read_text())["images"])


def test_all_that_can_be_saved(predict: Predict, photos: Path) -> None:
    before = {file: file.read_bytes() for file in photos.rglob("*.png")}
    status, results = predict(photos, "task.save=[pictures,crops,coco,csv,yolo,voc]")
    assert status == 0
    first, second, third = records(results)
    assert (first["file"], first["height"], first["width"]) == (str(photos / "a.png"), 48, 64)
    assert [(one["class"], one["score"]) for one in first["objects"]] == [("disc", 0.9), ("box", 0.6)]
    assert first["objects"][0]["box"] == pytest.approx([8, 6, 24, 30], abs=1)
    assert [one["class"] for one in second["objects"]] == ["disc"]
    assert third["objects"] == []
    picture = cv2.imread(str(results / "pictures" / "deep" / "b.jpg"))
    assert picture is not None
    assert picture.shape == B.shape
    crops = [str(file.relative_to(results / "crops")) for file in sorted((results / "crops").rglob("*.jpg"))]
    assert crops == ["box/a_2.jpg", "disc/a_1.jpg", "disc/deep/b_1.jpg"]
    assert (results / "yolo" / "images" / "a.png").read_bytes() == before[photos / "a.png"]
    assert {file: file.read_bytes() for file in photos.rglob("*.*")} == before


def found_in(results: Path) -> dict[tuple[int, int], list[tuple[str, list[float]]]]:
    """Size of an image → its objects, boxes xmin, ymin, xmax, ymax in pixels, as the detector gave them."""
    network, detected = FakeNetwork(), {}
    for image in (A, B, NOTHING):
        (found,) = network(View(0, 0, *image.shape[:2]).of(image, 64)[None], 0.5)
        height, width = image.shape[:2]
        boxes = found.boxes[:, [1, 0, 3, 2]] * (width, height, width, height)
        detected[height, width] = sorted(
            (network.class_names[label], box.tolist()) for label, box in zip(found.labels, boxes, strict=True)
        )
    return detected


@pytest.mark.parametrize("kind", ["coco", "yolo", "voc", "csv"])
def test_what_was_predicted_is_a_data_set_to_train_on(predict: Predict, photos: Path, kind: str) -> None:
    status, results = predict(photos, f"task.save=[{kind}]")
    assert status == 0
    assert not (results / "pictures").exists()
    if kind == "csv":  # which refers to images where they are
        (photos / "detections.csv").write_bytes((results / "detections.csv").read_bytes())
    splits = read_folder(str(photos if kind == "csv" else results / kind), val_fraction=0.34)
    read = {}
    for dataset in (splits.train, splits.val):
        for index, item in enumerate(dataset.annotations):
            size = (item.height, item.width)
            assert dataset[index].image.shape[:2] == size
            boxes = item.boxes[:, [1, 0, 3, 2]] * (item.width, item.height, item.width, item.height)
            names = [dataset.class_names[label] for label in item.labels]
            read[size] = sorted((name, box.tolist()) for name, box in zip(names, boxes, strict=True))
    expected = found_in(results)
    assert read.keys() == expected.keys()
    for size, objects in expected.items():
        assert [name for name, _ in read[size]] == [name for name, _ in objects]
        for (_, box), (_, other) in zip(read[size], objects, strict=True):
            np.testing.assert_allclose(box, other, atol=2e-3)


def test_scores_are_in_coco_and_csv(predict: Predict, photos: Path) -> None:
    _, results = predict(photos, "task.save=[coco,csv]")
    content = json.loads((results / "coco" / "annotations.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.png", "deep/b.png", "nothing.png"]
    assert [
        (one["id"], one["image_id"], one["category_id"], round(one["score"], 3)) for one in content["annotations"]
    ] == [
        (1, 1, 1, 0.9),
        (2, 1, 2, 0.6),
        (3, 2, 1, 0.9),
    ]
    assert content["categories"] == [{"id": 1, "name": "disc"}, {"id": 2, "name": "box"}]
    rows = list(csv.DictReader((results / "detections.csv").open(newline="")))
    assert [(row["filename"], row["class"], row["score"]) for row in rows] == [
        ("a.png", "disc", "0.9"),
        ("a.png", "box", "0.6"),
        ("deep/b.png", "disc", "0.9"),
        ("nothing.png", "", ""),
    ]


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_photographs_are_turned_and_their_labels_fit(predict: Predict, tmp_path: Path, orientation: int) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    Image.fromarray(A).save(tmp_path / "turned.png", exif=tags)
    status, results = predict(tmp_path / "turned.png", "task.save=[pictures,voc]")
    assert status == 0
    (record,) = records(results)
    size = (48, 64) if orientation < 5 else (64, 48)
    assert (record["height"], record["width"]) == size
    left, top, right, bottom = record["objects"][0]["box"]
    kept = next((results / "voc" / "JPEGImages").iterdir())
    assert kept.suffix == (".png" if orientation == 1 else ".jpg")
    with Image.open(kept) as image, Image.open(results / "pictures" / "turned.jpg") as picture:
        assert image.size == picture.size == size[::-1]
        red, _, blue = np.array(image.convert("RGB"))[int(top + bottom) // 2, int(left + right) // 2].tolist()
        assert red > 180 > 80 > blue


def test_broken_files_are_passed_over_named_and_counted(
    predict: Predict, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "b1.jpg").write_bytes(b"no image")
    (photos / "deep" / "b2.png").write_bytes((photos / "a.png").read_bytes()[:-30])
    status, results = predict(photos)
    assert status == 1
    assert [Path(record["file"]).name for record in records(results)] == ["a.png", "b.png", "nothing.png"]
    failed = json.loads((results / "detections.json").read_text())["failed"]
    assert [Path(one["file"]).name for one in failed] == ["b1.jpg", "b2.png"]
    assert "b2.png cannot be decoded" in failed[1]["reason"]
    said = capsys.readouterr().err
    assert "2 of 5 could not be used; the results of the others are in" in said
    assert "b1.jpg cannot be read" in said
    assert len(list((results / "pictures").rglob("*.jpg"))) == 3


def test_a_file_of_damaged_data_is_named(
    predict: Predict, photos: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = cv2.imencode(".jpg", A)[1].tobytes()
    (photos / "damaged.jpg").write_bytes(encoded[:-2] + b"garbage!!" * 5 + encoded[-2:])
    warned: list[str] = []
    monkeypatch.setattr("ssd.tasks.predict.say_damaged", warned.extend)
    assert predict(photos)[0] == 0
    assert warned == [str(photos / "damaged.jpg")]


def test_a_list_on_standard_input(predict: Predict, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = f"{photos}/a.png\n{photos}/gone.png\n{photos}/deep/b.png\n".encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines)))
    status, results = predict("-")
    assert status == 1
    assert [Path(record["file"]).name for record in records(results)] == ["a.png", "b.png"]
    assert (results / "pictures" / "b.jpg").exists()


def test_globs_addresses_and_a_stream_that_is_none(
    predict: Predict, photos: Path, served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = served
    (folder / "c").write_bytes((photos / "a.png").read_bytes())  # of no kind that the name tells
    (folder / "page.jpg").write_text("no image")
    monkeypatch.setattr(download, "SILENCE", 0.2)
    sources = [f"{photos}/*.png", f"{address}/c", f"{address}/page.jpg", f"{address}/gone.png", f"{address}/slow"]
    status, results = predict(",".join(sources), "task.save=[pictures,yolo]")
    assert status == 1
    assert [Path(record["file"]).name for record in records(results)] == ["a.png", "nothing.png", "c"]
    assert len(json.loads((results / "detections.json").read_text())["failed"]) == 3
    assert (results / "yolo" / "images" / "c.jpg").exists()


def test_images_of_one_stem_do_not_overwrite_each_other(predict: Predict, tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        for suffix in ("png", "bmp"):
            Image.fromarray(A).save(tmp_path / place / f"a.{suffix}")
    _, results = predict(f"{tmp_path / 'one'},{tmp_path / 'two'}", "task.save=[pictures,yolo]")
    assert len(list((results / "pictures").iterdir())) == 4
    assert len(list((results / "yolo" / "labels").iterdir())) == 4


def test_what_is_there_is_not_written_over(predict: Predict, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict(photos, f"hydra.run.dir={photos}")[0] == 2
    assert "results go into another folder" in capsys.readouterr().err
    (photos.parent / "mine").mkdir()
    (photos.parent / "mine" / "detections.json").write_text("mine")
    assert predict(photos, f"hydra.run.dir={photos.parent / 'mine'}")[0] == 2
    assert "detections.json is there already" in capsys.readouterr().err
    assert (photos.parent / "mine" / "detections.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ([], ["disc", "box"]),
        (["conf=0.7"], ["disc"]),
        (["task.class_thresholds={disc: 0.95}"], ["box"]),
        (["conf=0.95", "task.class_thresholds={box: 0.3}"], ["box"]),
        (["task.flip=true"], ["disc", "box"]),
        (["task.tiles=32", "task.tile_overlap=0.5"], ["disc", "box"]),
    ],
)
def test_thresholds_flip_and_tiles(predict: Predict, photos: Path, overrides: list[str], names: list[str]) -> None:
    status, results = predict(photos / "a.png", *overrides)
    assert status == 0
    assert sorted({one["class"] for one in records(results)[0]["objects"]}) == sorted(names)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["task.save=[picture]"], "task.save=picture is nothing that is saved; did you mean 'pictures'"),
        (["task.class_thresholds={disc: 2}"], "task.class_thresholds.disc=2 must be between 0 and 1"),
        (["task.class_thresholds={dics: 0.5}"], "the detector has no class 'dics'; did you mean 'disc'"),
        (["task.class_thresholds=0.5"], "task.class_thresholds=0.5 must be a score for each class"),
        (["task.tiles=3"], "task.tiles=3 must be between 32 and 100000 pixels"),
        (["task.tile_overlap=1"], "task.tile_overlap=1.0 must be between 0 and 0.9"),
        (["dataset.max_pixels=3000"], "has 64 x 48 pixels, more than the 3000 of dataset.max_pixels"),
    ],
)
def test_mistakes(
    predict: Predict, photos: Path, overrides: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(photos / "a.png", *overrides)[0] == 2
    assert said in capsys.readouterr().err


def video(file: Path, frames: int, code: str = "mp4v") -> Path:
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*code), 12.5, (64, 48))
    for number in range(frames):
        image = drawn(48, 64, red=((2 * number, 10, 2 * number + 16, 30),))
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()
    return file


def read_frames(file: Path) -> tuple[float, list[np.ndarray]]:
    capture = cv2.VideoCapture(str(file))
    rate, frames = capture.get(cv2.CAP_PROP_FPS), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return rate, frames


def test_a_video_becomes_one_of_its_size_and_rate(predict: Predict, tmp_path: Path) -> None:
    """Between images, and beside one that is none."""
    (tmp_path / "films").mkdir()
    video(tmp_path / "films" / "b.mp4", 10)
    (tmp_path / "films" / "broken.mp4").write_bytes(b"no video")
    Image.fromarray(A).save(tmp_path / "films" / "a.png")
    Image.fromarray(A).save(tmp_path / "films" / "c.png")
    status, results = predict(tmp_path / "films", "task.save=[pictures,yolo,coco]")
    assert status == 1
    found = records(results)
    assert [record.get("frame") for record in found] == [None, *range(10), None]
    lefts = [record["objects"][0]["box"][0] for record in found[1:-1]]
    np.testing.assert_allclose(lefts, 2 * np.arange(10), atol=2)
    rate, frames = read_frames(results / "pictures" / "b.mp4")
    assert (rate, len(frames), frames[0].shape) == (12.5, 10, (48, 64, 3))
    assert sorted(file.name for file in (results / "pictures").iterdir()) == ["a.jpg", "b.mp4", "c.jpg"]
    assert (results / "yolo" / "labels" / "b" / "b_000009.txt").read_text().startswith("0 ")
    splits = read_folder(str(results / "yolo"))
    assert len(splits.train) + len(splits.val) == 12
    (failure,) = json.loads((results / "detections.json").read_text())["failed"]
    assert "broken.mp4 cannot be opened" in failure["reason"]


def test_a_video_by_http_is_read_frame_by_frame(
    predict: Predict, served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = served
    video(folder / "film.avi", 5, code="MJPG")
    network = FakeNetwork()
    monkeypatch.setattr("ssd.tasks.predict.load_network", lambda *_: network)
    status, results = predict(f"{address}/film.avi")
    assert status == 0
    assert network.calls == [1] * 5
    assert [record["frame"] for record in records(results)] == [0, 1, 2, 3, 4]
    assert len(read_frames(results / "pictures" / "film.mp4")[1]) == 5


def test_a_signal_ends_a_stream_with_all_files_closed(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = video(tmp_path / "endless.mp4", 200)
    frames = 0

    class Interrupting(FakeNetwork):
        def __call__(self, images: np.ndarray, score_threshold: float) -> Any:
            nonlocal frames
            frames += len(images)
            if frames == 24:
                os.kill(os.getpid(), signal.SIGINT)
            return super().__call__(images, score_threshold)

    monkeypatch.setattr("ssd.tasks.predict.load_network", lambda *_: Interrupting())
    status, results = predict(file)
    assert status == 130
    assert not interrupts.received
    assert 24 <= len(records(results)) < 60
    _, written = read_frames(results / "pictures" / "endless.mp4")
    assert len(written) == len(records(results))
    assert not [file for file in results.rglob("*part*") if file.is_file()]


def test_no_more_images_are_in_memory_than_a_few(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a long list, files are opened as they are needed: those that lie behind are not even there yet."""
    lines = iter([f"{tmp_path}/{number}.png\n".encode() for number in range(60)])
    done: list[object] = []

    def made() -> Any:
        for number, line in enumerate(lines):
            assert number - len(done) < 30
            Image.fromarray(A).save(tmp_path / f"{number}.png")
            yield line

    monkeypatch.setattr("ssd.tasks.predict.standard_input", made)
    monkeypatch.setattr(
        "ssd.prediction.passes.FILES", {"pictures": lambda folder, shown, found: done.append(shown.name)}
    )
    status, results = predict("-")
    assert status == 0
    assert len(records(results)) == len(done) == 60
