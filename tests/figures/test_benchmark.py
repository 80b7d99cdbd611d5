"""The picture and the table of a benchmark."""

from pathlib import Path

from rich.console import Console

from helpers.pictures import has_colour, read_png
from ssd.figures.benchmark import Point, benchmark_table, precision_over_latency
from ssd.figures.colours import class_colours

POINTS = [
    Point("lite", "keras", "float32", 30.0, 33.0, 0.5),
    Point("lite", "openvino", "int8", 8.0, 9.0, 0.49),
    Point("heavy", "openvino", "bfloat16", 300.0, 310.0, 0.55),
]


def test_each_format_has_a_colour(tmp_path: Path) -> None:
    precision_over_latency(POINTS, "batch 1, 2 threads", tmp_path / "all.png")
    image = read_png(tmp_path / "all.png")
    for colour in class_colours(2):
        assert has_colour(image, colour)


def test_where_no_metric_is_known_it_says_so(tmp_path: Path, texts: list[str]) -> None:
    precision_over_latency([], "batch 1, 2 threads", tmp_path / "none.png")
    assert any("no mAP is known" in text for text in texts)


def test_the_table_shows_names_as_they_are() -> None:
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(benchmark_table([{"format": "[red]onnx", "threads": "2", "ms": "3.0", "MB": "77"}], "data"))
    text = console.export_text()
    assert "[red]onnx" in text
    assert "threads" not in text
    assert "77" not in text
