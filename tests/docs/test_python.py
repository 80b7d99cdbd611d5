"""The Python of README, docs/python.md and docs/detector.ipynb runs as it stands there."""

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.fake_detector import make_detector
from helpers.markdown import Block, blocks
from ssd.environment import ROOT
from ssd.runs.folder import BEST

BLOCKS = [block for block in blocks("python") if block.page in ("README.md", "docs/python.md")]
NOTEBOOK = ROOT / "docs" / "detector.ipynb"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a detector, which finds something everywhere, and a photograph."""
    folder = tmp_path_factory.mktemp("home")
    checkpoint = folder / "outputs" / "latest" / BEST
    checkpoint.parent.mkdir(parents=True)
    make_detector().save(checkpoint)
    pixels = np.random.default_rng(0).integers(0, 256, (400, 500, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "photo.jpg")
    return folder


@pytest.fixture
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def last_value(source: str, names: dict[str, Any]) -> Any:
    """Runs a cell; gives what its last line is, where that is an expression, as a notebook shows it."""
    body = ast.parse(source).body
    shown = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
    return eval(compile(ast.Expression(shown.value), "<cell>", "eval"), names) if shown is not None else None  # type: ignore[attr-defined]


@pytest.mark.usefixtures("_at_home")
@pytest.mark.parametrize("block", [pytest.param(block, id=block.page) for block in BLOCKS])
def test_block(block: Block) -> None:
    Path("drawn.png").unlink(missing_ok=True)
    exec(compile(block.text, block.page, "exec"), {})
    with Image.open("drawn.png") as picture:
        assert picture.size == (500, 400)


@pytest.mark.usefixtures("_at_home")
def test_notebook() -> None:
    names: dict[str, Any] = {}
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    shown = [last_value("".join(cell["source"]), names) for cell in cells if cell["cell_type"] == "code"]
    assert shown[0] == ("disc", "box")
    assert isinstance(shown[1], Image.Image)
    assert len(names["found"]) > 0
    assert names["counts"] == [len(names["found"])]
    assert names["files"]
    assert all(file.exists() for file in names["files"])
