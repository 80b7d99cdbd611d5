"""Arrays in a run's folder: an .npz file with a few plain values beside them, written whole and read without trust."""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ssd.errors import first_line
from ssd.runs.files import whole
from ssd.runs.reading import damaged, reason_of

_HEAD = "head"
_MOST_EXPANSION = 100  # flags and counts shrink further, but are the smaller part


def write_arrays(path: Path, head: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Writes arrays by name, and the values of `head`, which JSON knows."""
    import numpy as np  # here, as what only names such a file needs none

    content = io.BytesIO()
    every: dict[str, Any] = {_HEAD: np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays}
    np.savez_compressed(content, **every)
    with whole(path) as part:
        part.write_bytes(content.getvalue())


@contextmanager
def arrays_in(file: Path) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    """The values and arrays of a file; whatever is wrong with one where it is read or used becomes one sentence.

    Raises:
        UserError: naming the file, what is wrong with it, and what to do.
    """
    import numpy as np

    try:
        with np.load(file, allow_pickle=False) as arrays:
            if sum(member.file_size for member in arrays.zip.infolist()) > _MOST_EXPANSION * file.stat().st_size:
                raise ValueError("it would unpack to more than such a file holds")
            head = json.loads(arrays[_HEAD].tobytes())
            if not isinstance(head, dict):
                raise ValueError(f"its {_HEAD} has no keys and values")
            yield head, arrays
    except Exception as error:  # whatever a damaged file makes NumPy, zipfile or json raise
        reason = reason_of(error) if isinstance(error, OSError) else first_line(error)
        raise damaged(file, reason, "put it back, or take it away to do without") from error
