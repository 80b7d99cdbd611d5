"""The table that compares the jobs of a multirun."""

import csv
import io
from dataclasses import asdict
from pathlib import Path

from ssd.run_folder import markdown_table, write_text
from ssd.sweep.jobs import JobResult


def write_tables(folder: Path, results: list[JobResult]) -> None:
    """Writes sweep.csv and sweep.md."""
    text = io.StringIO()
    rows = [asdict(result) for result in results]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "sweep.csv", text.getvalue())
    write_text(folder / "sweep.md", f"# {folder.name}\n\n{markdown_table(rows)}\n")


def print_table(results: list[JobResult]) -> None:
    """Shows the jobs on the terminal."""
    import rich
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Jobs, best first")
    for name in ("job", "overrides", "status", "mAP50", "mAP", "minutes"):
        table.add_column(name, justify="right" if name not in ("overrides", "status") else "left")
    for result in results:
        numbers = ["" if n is None else f"{n:.3f}" for n in (result.mAP50, result.mAP)]
        minutes = "" if result.minutes is None else f"{result.minutes:.1f}"
        state = f"{result.status}: {result.reason}" if result.reason else result.status
        table.add_row(str(result.job), escape(result.overrides), escape(state), *numbers, minutes)
    rich.print(table)
