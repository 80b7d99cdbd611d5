"""Names of classes that mean something to a library that shows them: every picture, table and report shows letters."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markdown_it import MarkdownIt
from matplotlib.backends.backend_agg import RendererAgg
from rich.console import Console

from helpers.pictures import as_detections, picture, random_annotation, read_png
from ssd.evaluation.evaluate import Evaluation, evaluate
from ssd.evaluation.outcome import judge
from ssd.figures.charts import label_statistics, pr_curves
from ssd.figures.class_table import class_table
from ssd.figures.confusion_matrix import confusion_matrix
from ssd.figures.drawing import draw_detections
from ssd.figures.outcome_sheet import outcome_cell, save_outcomes
from ssd.figures.sheets import Section
from ssd.figures.text import drawable, plain
from ssd.figures.training_batch import training_batch
from ssd.runs.html import self_contained
from ssd.runs.markdown import markdown_table

NAMES = (
    "[red]x[/]",
    "[/]",
    "<b>bold</b>",
    "&amp;",
    "$x$",
    r"$\frac{",
    r"\$",
    "a|b",
    r"a\|b",
    "`code`",
    "*stars*",
    "_under_",
    "~~gone~~",
    "![p](http://x/y.png)",
    ":smile:",
    "{name}%s%d",
    "\N{GRINNING FACE}",
    "\N{FAMILY}\N{ZERO WIDTH JOINER}\N{VARIATION SELECTOR-16}",
    "שלום مرحبا",
    "日本語",
    "e" * 200,
)
OF_OLD_FILES = ("line\nbreak", "tab\there", "nul\0", "half\ud83d", "", "c" * 5000)  # refused in data sets


@pytest.fixture
def evaluation(rng: np.random.Generator, request: pytest.FixtureRequest) -> Evaluation:
    annotations = [random_annotation(rng, len(request.param), 20) for _ in range(6)]
    return evaluate([as_detections(a) for a in annotations], annotations, request.param)


@pytest.mark.parametrize("evaluation", [("$x$", r"$\frac{", "שלום", *NAMES[-1:], *OF_OLD_FILES[:5])], indirect=True)
def test_charts(tmp_path: Path, rng: np.random.Generator, evaluation: Evaluation) -> None:
    names = evaluation.class_names
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # as ssd.figures.style does
        pr_curves(evaluation.curves, tmp_path / "pr.png")
        confusion_matrix(evaluation.confusion, names, 0.5, tmp_path / "confusion.png")
        label_statistics([random_annotation(rng, len(names), 20)], names, tmp_path / "labels.png")
    for file in tmp_path.iterdir():
        assert read_png(file).shape[1] < 3000


@pytest.mark.parametrize("names", [NAMES, OF_OLD_FILES], ids=["all", "old"])
def test_pictures(tmp_path: Path, rng: np.random.Generator, names: tuple[str, ...], texts: list[str]) -> None:
    annotation = random_annotation(rng, len(names), 40, name="\n".join(names[:2]))
    image = picture(rng, 300, 400)
    assert draw_detections(image, as_detections(annotation), names).shape == image.shape
    batch: dict[str, Any] = {"image": image[None], "boxes": annotation.boxes[None], "labels": annotation.labels[None]}
    training_batch(batch, names, tmp_path / "batch.png")
    cell = outcome_cell(image, judge(as_detections(annotation), annotation, 0.5), names)
    save_outcomes([Section("", [cell])], 0.5, tmp_path / "sheet.png")
    assert all("\n" not in text for text in texts)


def test_no_name_is_missing_from_the_legend_or_read_as_a_formula(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, bool | str]] = []
    draw = RendererAgg.draw_text

    def spy(self: Any, context: Any, x: Any, y: Any, text: str, *rest: Any, **more: Any) -> None:
        drawn.append((text, more["ismath"]))
        draw(self, context, x, y, text, *rest, **more)

    monkeypatch.setattr(RendererAgg, "draw_text", spy)
    names = ("$x$", "_hidden", r"\$a$", "$5 or $6")
    annotations = [random_annotation(rng, 4, 20)]
    pr_curves(evaluate([as_detections(annotations[0])], annotations, names).curves, tmp_path / "pr.png")
    for name in names:
        assert any(text.endswith(f"  {name}") and not is_math for text, is_math in drawn)


@pytest.mark.parametrize("evaluation", [NAMES], indirect=True)
def test_the_terminal(evaluation: Evaluation) -> None:
    console = Console(width=260, record=True, force_terminal=False, quiet=False, file=None)
    with console.capture() as captured:
        console.print(class_table(evaluation, "[title]"))
    shown = captured.get()
    assert "[title]" in shown
    for name in NAMES[:-1]:
        assert name in shown


def test_a_table_of_a_report() -> None:
    table = markdown_table([{"class": name, "AP": 0.5} for name in NAMES])
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(table)
    cells = [token for token in page if token.type == "inline"][2::2]
    assert [
        "".join(child.content for child in cell.children or () if child.type in ("text", "text_special"))
        for cell in cells
    ] == list(NAMES)
    assert {child.type for cell in cells for child in cell.children or ()} <= {"text", "text_special"}
    assert "http://x" not in self_contained(table, Path()).replace("![p](http://x/y.png)", "")


def test_texts_are_one_line_and_bounded() -> None:
    assert drawable("a\nb\0c") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"
    assert drawable("שלום") == "שלום"
    assert len(drawable("c" * 5000)) == 60
    assert plain("$x$ and $y$") == r"\$x\$ and \$y\$"
