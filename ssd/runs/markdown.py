"""Tables in Markdown."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

# What would not be shown as it is, in a cell: names of classes and settings come from users.
_MARKUP = re.compile(r"[\\|`*<\[~$]|&(?=#?\w+;)|(?<!\w)_|_(?!\w)", re.ASCII)


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table with the first row's keys as header; floats with 3 decimals, None and NaN empty.

    Columns of numbers, `0.712 ± 0.013` among them, stand on the right.
    """
    if not rows:
        return ""
    head = list(rows[0])
    body = [[_cell(row.get(key)) for key in head] for row in rows]
    columns = [[cell for cell in column if cell] for column in zip(*body, strict=True)]
    numbers = [
        bool(cells) and all(re.fullmatch(r"[+-]?[\d.]+( ± [\d.]+)?", cell) for cell in cells) for cells in columns
    ]
    align = ["---:" if right else "---" for right in numbers]
    return "\n".join("| " + " | ".join(line) + " |" for line in [[_cell(key) for key in head], align, *body])


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))
