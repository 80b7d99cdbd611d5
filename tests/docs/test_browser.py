"""The page of docs/browser finds in Chromium what the detector finds in Python."""

import re
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.chromium import PROGRAM, Page, chromium
from helpers.fake_detector import make_detector
from ssd import Detector
from ssd.environment import ROOT
from ssd.export.calibration import calibrate
from ssd.export.matrix import Variant
from ssd.export.write import write_export

RUNTIME = ROOT / ".venv" / "onnxruntime-web"
WITHIN = {"float32": 1e-4, "int8": 0.01}  # differences of scores

needs_browser = pytest.mark.skipif(
    PROGRAM is None or not RUNTIME.is_dir(),
    reason=f"there is no Chromium, or no {RUNTIME}, which make test fetches by npm",
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The page as docs/deploy.md puts it together, without a detector."""
    folder = tmp_path / "page"
    shutil.copytree(ROOT / "docs" / "browser", folder)
    shutil.copytree(RUNTIME, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def opened(browser: Page, address: str) -> Page:
    browser.open(address)
    browser.until("document.querySelector('[type=file]').disabled === false")
    browser.value("document.querySelector('[type=range]').value = 0.05")
    return browser


def pictures(folder: Path) -> list[Path]:
    """Larger than the detector's input, smaller, and turned by its EXIF."""
    rng = np.random.default_rng(0)
    turned = Image.Exif()
    turned[0x0112] = 6
    files = []
    for name, height, width, exif in (("large", 90, 131, None), ("small", 17, 24, None), ("turned", 40, 60, turned)):
        files.append(folder / f"{name}.png")
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(files[-1], exif=exif or b"")
    return files


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each precision."""
    model = make_detector()
    model.class_names = ("Größe 1", 'a "b", c')
    images = np.random.default_rng(1).integers(0, 256, (4, 1, 32, 32, 3), dtype=np.uint8)
    folder, calibration = tmp_path_factory.mktemp("exports"), calibrate(model, list(images))
    return {name: write_export(model, Variant("onnx", name), "a/run", folder / name, calibration) for name in WITHIN}


@needs_browser
@pytest.mark.parametrize("precision", WITHIN)
def test_the_page_finds_the_same(
    precision: str, exported: dict[str, Path], browser: Page, address: str, folder: Path, tmp_path: Path
) -> None:
    shutil.copy(exported[precision], folder)
    detector = Detector.load(exported[precision], score_threshold=0.01)
    page = opened(browser, address)
    for picture in pictures(tmp_path):
        page.value("document.querySelector('ol').replaceChildren()")
        page.choose_files("[type=file]", picture)
        page.until("document.querySelector('li') !== null")
        expected = detector(picture)
        found = page.value(
            "import('./detector.js').then(({ loadDetector }) => loadDetector('detector.onnx'))"
            ".then((detect) => detect(document.querySelector('[type=file]').files[0]))"
        )
        assert len(expected) == len(found) == 5
        np.testing.assert_allclose([one["score"] for one in found], expected.scores, atol=WITHIN[precision])
        if precision == "float32":
            assert [one["class"] for one in found] == expected.names
            np.testing.assert_allclose([one["box"] for one in found], expected.xyxy, atol=0.01)
        lines = page.value("Array.from(document.querySelectorAll('li'), (line) => line.textContent)")
        assert [line.rsplit(" (")[0] for line in lines] == [f"{one['class']} {one['score']:.3f}" for one in found]
        size = page.value("(({ height, width }) => [height, width])(document.querySelector('canvas'))")
        assert tuple(size) == expected.image_size
    assert not page.faults


@needs_browser
def test_camera(exported: dict[str, Path], browser: Page, address: str, folder: Path) -> None:
    shutil.copy(exported["float32"], folder)
    page = opened(browser, address)
    page.value("document.querySelector('button').click()")
    page.until("document.querySelectorAll('li').length === 5")
    assert page.value("document.querySelector('button').textContent") == "Stop"
    page.value("document.querySelector('button').click()")
    assert page.value("document.querySelector('button').textContent") == "Camera"
    assert not page.faults


@needs_browser
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "detector.onnx: 404 File not found"),
        (b"\x08\x08", "no file of task=export format=onnx: it has no metadata"),
    ],
)
def test_no_detector(content: bytes | None, said: str, browser: Page, address: str, folder: Path) -> None:
    if content is not None:
        (folder / "detector.onnx").write_bytes(content)
    browser.open(address)
    browser.until("!document.querySelector('p').textContent.startsWith('Loading')")
    assert browser.value("document.querySelector('p').textContent").startswith(said)


def test_the_version_that_the_page_names_is_the_one_that_is_tested() -> None:
    named, tested = (
        set(re.findall(r"onnxruntime-web[@-]([\d.]+\d)", (ROOT / file).read_text(encoding="utf-8")))
        for file in ("docs/deploy.md", "Makefile")
    )
    assert named == tested
    assert len(named) == 1
