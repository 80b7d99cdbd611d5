"""The page of docs/browser finds in Chromium what the detector finds in Python.

Skipped where Chromium or onnxruntime-web is missing; `make test` fetches the latter.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.fake_detector import make_detector
from ssd import Detector
from ssd.environment import ROOT
from ssd.export.matrix import Variant
from ssd.export.write import write_export

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
RUNTIME = ROOT / ".venv" / "onnxruntime-web"
SECONDS = 60  # Chromium starts in one or two
WITHIN = {"float32": 1e-4, "int8": 0.03}  # differences of scores

# Chooses a file on the page, as a user does, and sends what the page's module finds and what the page shows.
VISITOR = """
<!doctype html><iframe src="index.html"></iframe><script type="module">
const page = (selector) => document.querySelector("iframe").contentDocument.querySelector(selector);
const wait = async (ready) => {
  while (!ready()) await new Promise((resolve) => setTimeout(resolve, 20));
};
const send = (told) => fetch("told", { method: "POST", body: JSON.stringify(told) });
try {
  const { loadDetector } = await import("./detector.js");
  const detect = await loadDetector("detector.onnx");
  const told = {};
  await wait(() => page("[type=file]")?.disabled === false);
  page("[type=range]").value = page("[type=range]").min;
  for (const name of PICTURES) {
    const file = new File([await (await fetch(name)).blob()], name);
    const chosen = new DataTransfer();
    chosen.items.add(file);
    page("ol").replaceChildren();
    page("[type=file]").files = chosen.files;
    page("[type=file]").dispatchEvent(new Event("change"));
    await wait(() => page("li"));
    const lines = Array.from(page("ol").children, (line) => line.textContent);
    told[name] = { found: await detect(file), size: [page("canvas").height, page("canvas").width], lines };
  }
  send(told);
} catch (error) {
  send({ error: String(error.stack) });
}
</script>
"""


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, and keeps what is sent."""

    def __init__(self, *given: Any, sent: "Queue[Any]", **settings: Any) -> None:
        self.sent = sent
        super().__init__(*given, **settings)

    def do_POST(self) -> None:
        self.sent.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Larger than the detector's input, smaller, and turned by its EXIF."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    made = {}
    for name, height, width, settings in (
        ("large.png", 90, 131, {}),
        ("small.png", 17, 24, {}),
        ("turned.png", 40, 60, {"exif": exif}),
    ):
        made[name] = folder / name
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(made[name], **settings)
    return made


@pytest.fixture
def visit(pictures: dict[str, Path], tmp_path: Path) -> Iterator[Callable[[Path], Any]]:
    """What a visitor with those pictures finds on the page with a detector."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    if not RUNTIME.is_dir():
        pytest.skip(f"there is no onnxruntime-web in {RUNTIME}: make test fetches it by npm")
    folder = tmp_path / "page"
    folder.mkdir()
    for file in [*(ROOT / "docs" / "browser").iterdir(), *RUNTIME.iterdir(), *pictures.values()]:
        shutil.copy(file, folder)
    (folder / "visitor.html").write_text(VISITOR.replace("PICTURES", json.dumps(list(pictures))))
    sent: Queue[Any] = Queue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder), sent=sent))
    Thread(target=server.serve_forever, daemon=True).start()

    def open_page(detector: Path) -> Any:
        shutil.copy(detector, folder / "detector.onnx")
        command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'user'}"]
        address = f"http://127.0.0.1:{server.server_port}/visitor.html"
        with subprocess.Popen([*command, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
            try:
                return sent.get(timeout=SECONDS)
            finally:
                browser.terminate()

    yield open_page
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("precision", WITHIN)
def test_the_page_finds_the_same(
    precision: str, visit: Callable[[Path], Any], pictures: dict[str, Path], tmp_path: Path
) -> None:
    model = make_detector()
    model.class_names = ("Größe 1", 'a "b", c')
    images = np.random.default_rng(1).integers(0, 256, (4, 1, 32, 32, 3), dtype=np.uint8)
    file = write_export(model, Variant("onnx", precision), "a/run", tmp_path, list(images))
    detector = Detector.load(file, score_threshold=0.01)
    told = visit(file)
    assert "error" not in told, told["error"]
    for name, picture in pictures.items():
        expected, shown = detector(picture), told[name]
        found = shown["found"]
        assert len(expected) == len(found) == 5
        scores = [one["score"] for one in found]
        np.testing.assert_allclose(scores, expected.scores, atol=WITHIN[precision])
        assert shown["size"] == list(expected.image_size)
        sure = [one for one in found if one["score"] >= 0.05]
        assert [line.rsplit(" (")[0] for line in shown["lines"]] == [
            f"{one['class']} {one['score']:.3f}" for one in sure
        ]
        if precision == "float32":
            assert [one["class"] for one in found] == expected.names
            np.testing.assert_allclose([one["box"] for one in found], expected.xyxy, atol=0.01)


def test_the_version_of_the_page_is_tested() -> None:
    fetched = re.findall(r"onnxruntime-web[@-]([\d.]+\d)", (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8"))
    tested = re.findall(r"onnxruntime-web[@-]([\d.]+\d)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert fetched
    assert set(fetched) == set(tested)
