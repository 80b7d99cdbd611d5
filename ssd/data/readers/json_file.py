"""A JSON file of annotations, whatever is in it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ssd.errors import UserError


def read_json(path: Path, parse: Callable[[bytes], Any] = json.loads) -> Any:
    """The content of a file in UTF-8, UTF-16 or UTF-32, as `parse` understands it.

    Raises:
        UserError: it is missing, no file, no JSON, nested too deep or too large for the memory.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"The annotations {path} are a folder, not a file: give the JSON file in it.")
    try:
        return parse(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"The annotations {path} do not exist: check the path.") from None
    except RecursionError:
        raise UserError(f"The annotations {path} are nested deeper than any COCO file: it is none.") from None
    except MemoryError:
        raise UserError(f"The annotations {path} do not fit into memory: take a file with fewer objects.") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"The annotations {path} are not UTF-8 (byte {error.start + 1}): save them as JSON in UTF-8."
        ) from None
    except (OSError, ValueError) as error:  # json's own errors are among the latter
        raise UserError(
            f"The annotations {path} are not readable JSON ({error}): correct or copy the file again."
        ) from None
