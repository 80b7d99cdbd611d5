"""The table of exports, for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

_COLUMNS = ("format", "precision", "MB", "missing", "extra", "Δ mAP", "Δ mAP50", "check")


def export_table(rows: Sequence[Mapping[str, Any]], title: str) -> Table:
    """One row an export, of which a terminal has room for the main columns; a failed one is red."""
    columns = [name for name in _COLUMNS if name in rows[0]]
    table = Table(title=Text(title), title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name in ("format", "precision", "check") else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(str(row[name])) for name in columns), style="red" if row["check"] == "failed" else None)
    return table
