"""Finding and judging a checkpoint without reading its weights: nothing heavy is imported."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ssd.errors import UserError, first_line
from ssd.runs.folder import BEST, LAST

_PARTS = ("config.json", "model.weights.h5")  # of a `.keras` file


def checkpoint_file(checkpoint: str | Path) -> Path:
    """The `.keras` file meant by a path to one, or by a run folder (its best, else its last checkpoint).

    Raises:
        UserError: where neither is there, naming a run nearby that has one.
    """
    path = Path(checkpoint)
    if path.is_file():
        return path
    if (found := _of_run(path)) is not None:
        return found
    what = "has no checkpoint" if path.is_dir() else "is neither a .keras file nor a run folder"
    raise UserError(f"checkpoint={checkpoint} {what}; {_instead(path)}")


def check_checkpoint(checkpoint: str | Path) -> None:
    """Refuses a file that is no detector of this project, or is damaged.

    Raises:
        UserError: naming the file.
    """
    file = checkpoint_file(checkpoint)
    try:
        with zipfile.ZipFile(file) as parts:
            missing = [name for name in _PARTS if name not in parts.namelist()]
            damaged = parts.testzip()
            config = {} if missing else json.loads(parts.read(_PARTS[0]))
    except (OSError, zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise UserError(unreadable(file, first_line(error))) from error
    if missing or damaged:
        raise UserError(unreadable(file, f"{missing[0]} is missing" if missing else f"{damaged} is damaged"))
    settings = config.get("config") if isinstance(config, dict) else None
    if not isinstance(settings, dict) or "class_names" not in settings:
        kind = config.get("class_name") if isinstance(config, dict) else None
        raise UserError(f"{file} holds a {kind}, not a detector; give a checkpoint that this program wrote")


def unreadable(file: Path, reason: str) -> str:
    """The sentence for a file that is no checkpoint."""
    return f"{file} cannot be read as a checkpoint ({reason}); give one that this program wrote"


def _of_run(folder: Path) -> Path | None:
    return next((file for name in (BEST, LAST) if (file := folder / name).is_file()), None)


def _instead(path: Path) -> str:
    """What to give in its place: the newest run with a checkpoint in it, beside it or among all runs here."""
    runs = [*_runs_in(path, 2), *_runs_in(path.parent, 1), *_runs_in(Path("outputs"), 3)]
    if not runs:
        return f"check the path, which is relative to {Path.cwd()}"
    return f"the newest run here that has one is checkpoint={max(runs, key=_age)}"


def _runs_in(place: Path, depth: int) -> Iterator[Path]:
    for level in range(1, depth + 1):
        for file in place.glob(f"{'*/' * level}{LAST}"):
            if not any(folder.is_symlink() for folder in file.parents[1:3]):
                yield file.parents[1]


def _age(run: Path) -> float:
    return (run / LAST).stat().st_mtime
