"""The metrics of every class, for the terminal."""

from rich.table import Table
from rich.text import Text

from ssd.evaluation.evaluate import ClassRow, Evaluation


def class_table(evaluation: Evaluation, title: str) -> Table:
    """The per-class rows and the row "all", for the terminal. A dash stands for what is undefined."""
    caption = f"precision, recall: score ≥ {evaluation.score_threshold:g}, IoU 0.5"
    table = Table(title=Text(title), title_justify="left", caption=caption, caption_justify="left")
    table.add_column("class", overflow="fold")
    for name in ("images", "objects", "precision", "recall", "AP50", "AP"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in evaluation.per_class:
        table.add_row(*_cells(row))
    table.add_section()
    table.add_row(*_cells(evaluation.total), style="bold")
    return table


def _cells(row: ClassRow) -> list[str | Text]:
    values = (row.precision, row.recall, row.ap50, row.ap)
    numbers = ["-" if value is None else f"{value:.3f}" for value in values]
    return [Text(row.name), str(row.images), str(row.objects), *numbers]  # no markup is read in a Text
