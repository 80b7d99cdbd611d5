"""The Python of docs/deploy.md for single-board computers runs as it stands there."""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from helpers.fake_detector import make_detector
from helpers.markdown import blocks
from ssd import Detector
from ssd.export.matrix import Variant
from ssd.export.write import write_export

SCRIPTS = {block.file: block.text for block in blocks("python") if block.page == "docs/deploy.md"}
PIXELS = np.random.default_rng(0).integers(0, 256, (90, 131, 3), np.uint8)

Printed = Callable[..., list[str]]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = make_detector()
    model.get_layer("class_head_0").bias.assign(np.tile([0.0, 1.0, 0.7], 4))  # surer than 0.5
    return write_export(model, Variant("litert", "float32"), "a/run", tmp_path_factory.mktemp("litert"))


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Printed:
    """The lines of a script."""

    def run(script: str, *given: Path) -> list[str]:
        monkeypatch.setattr(sys, "argv", [script, *map(str, given)])
        exec(compile(SCRIPTS[script], script, "exec"), {})
        return capsys.readouterr().out.splitlines()

    return run


def test_with_nothing_of_this_project(file: Path, printed: Printed, tmp_path: Path) -> None:
    assert "ssd" not in SCRIPTS["own.py"].replace("ssd.json", "")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / "photo.png", exif=exif)
    expected = Detector.load(file, score_threshold=0.5)(tmp_path / "photo.png")
    assert len(expected) > 0
    found = [line.split() for line in printed("own.py", file, tmp_path / "photo.png")]
    assert [words[0] for words in found] == expected.names
    assert [words[2::2] for words in found] == [["xmin", "ymin", "xmax", "ymax"]] * len(expected)
    np.testing.assert_allclose([float(words[1]) for words in found], expected.scores, atol=2e-3)
    boxes = [[float(side) for side in words[3::2]] for words in found]
    np.testing.assert_allclose(boxes, expected.xyxy, atol=0.6)


def test_camera(file: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [PIXELS[..., ::-1], PIXELS[..., ::-1], None]

    class Camera:
        def __init__(self, number: int) -> None:
            assert number == 0

        def read(self) -> tuple[bool, np.ndarray | None]:
            frame = frames.pop(0)
            return frame is not None, frame

    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    expected = Detector.load(file, score_threshold=0.5)(PIXELS)
    assert printed("camera.py", file) == 2 * [f"{one.class_name} {round(one.score, 2)} {one.box}" for one in expected]
