"""A comparison on the terminal."""

import os

import rich
from rich.table import Table
from rich.text import Text

from ssd.comparison.report import Comparison, result_rows
from ssd.comparison.results import Compared

_MOST = 20  # classes
_LEFT = ("metric", "class")


def print_comparison(comparison: Comparison) -> None:
    """The two sides, what differs in a line each, a table of the results, and the verdict, where there is one."""
    for side, folders in (("A", comparison.a), ("B", comparison.b)):
        _line(f"{side}: {', '.join(os.path.relpath(folder) for folder in folders)}")
    for name, text in comparison.lines.items():
        _line(f"{name}: {text}")
    for text in comparison.notes:
        _line(f"note: {text}")
    if (found := comparison.results) is not None:
        rich.print(_table("metric", found.metrics, f"{found.images:,} images, {found.draws:,} draws of them"))
        if len(found.classes) > 1:
            largest = sorted(found.classes, key=lambda item: -abs(item.b - item.a))[:_MOST]
            shown = [item for item in found.classes if item in largest]
            title = "AP of the classes" if len(shown) == len(found.classes) else f"AP of the {_MOST} that differ most"
            rich.print(_table("class", shown, title))
        for sentence in comparison.verdict:
            _line(sentence)


def _line(text: str) -> None:
    rich.get_console().print(Text(text), soft_wrap=True)


def _table(name: str, items: "tuple[Compared, ...] | list[Compared]", title: str) -> Table:
    table = Table(title=Text(title), title_justify="left")
    rows = result_rows(items, name)
    for column in rows[0]:
        table.add_column(column, justify="left" if column in _LEFT else "right", overflow="fold")
    for row in rows:
        cells = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row.values()]
        table.add_row(*map(Text, cells), style="bold" if row["larger than chance"] == "yes" else "")
    return table
