"""Trainings that are killed at random moments, and what is left of a run that must be that of an undisturbed one."""

import io
import json
import os
import re
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from signal import SIGKILL
from typing import Any

import h5py
import numpy as np

from helpers.tiny import CONFIG_DIR, TINY
from helpers.warm import Process
from ssd.runs.folder import BEST, CONFIG, DIAGNOSTICS, HISTORY, LAST, METRICS, RESULTS, RUN_ID_FILE
from ssd.runs.keras_zip import AVERAGE, NOTES, RUNNING, WEIGHTS
from ssd.runs.results import read_results, readable_history

# of each kind of training that is killed, what it has beside `TINY`; all save between any two steps
COMMON = [*TINY, "training.checkpoint_minutes=1e-6", "task.pictures=0"]
VARIANTS: dict[str, list[str]] = {
    "sgd": ["training.epochs=3", "training.evaluate_every=2", "optimizer=sgd", "optimizer.learning_rate=1e-2"],
    "adam, averaged": ["optimizer=adam", "training.ema=0.9"],
    "diagnostics": [
        "training.epochs=3",
        "training.patience=1",
        "training.diagnostics=true",
        "augmentation=ssd",
        "task.pictures=1",
    ],
    "worker processes": ["pipeline.workers=2", "training.ema=0.9", "training.sampling=class_balanced"],
}
_CLOCK = re.compile("minutes|milliseconds|images_per_second|waiting|latency|system/")
_LIMIT = 300  # seconds that anything may take


@dataclass(frozen=True)
class Moment:
    """When a process is killed.

    Attributes:
        kind: "start", `seconds` after it; "save", so long after its `saves`-th last checkpoint; "write", as soon as
            then a file of the run, or the database, is being written.
        seconds, saves: see there.
    """

    kind: str
    seconds: float
    saves: int = 0

    @classmethod
    def draw(cls, random: Random, lasts: float) -> "Moment":
        """Any, of a training that lasts so many seconds undisturbed; what goes on lasts less."""
        kind = random.choice(("start", "save", "write"))
        if kind == "save":
            return cls(kind, random.uniform(0, 0.02 * lasts), random.randint(1, 3))
        return cls(kind, random.uniform(0, 0.5 * lasts))

    def wait(self, process: Process, folder: Path) -> None:
        """Returns when it is there, or the process has ended."""
        seen, left = _changed(folder / LAST), self.saves

        def has_saved() -> bool:
            nonlocal seen, left
            before, seen = seen, _changed(folder / LAST)
            left -= seen != before
            return left <= 0 or process.ended

        _until(has_saved)
        until = time.monotonic() + self.seconds
        _until(lambda: process.ended or time.monotonic() >= until)
        if self.kind == "write":
            _until(lambda: process.ended or _is_writing(folder))


class Killed:
    """A training in a folder of its own, which is killed and goes on until it is through.

    Args:
        work: that commands are called from; its `mlflow.db` is the store.
        name: of the folder in it.
        settings: of the training.
        imported: a module that its processes import first.
    """

    def __init__(self, work: Path, name: str, settings: list[str], imported: str = "ssd") -> None:
        self.folder = work / name
        self._work = work
        self._settings = settings
        self._imported = imported

    def start(self) -> Process:
        """The command itself; or, as soon as the run knows what it is, `resume=`."""
        if (self.folder / CONFIG).exists():
            command = [CONFIG_DIR, f"resume={self.folder.name}"]
        else:
            command = [*COMMON, *self._settings, f"hydra.run.dir={self.folder.name}"]
        return Process(self._work, *command, imported=self._imported)

    def run(self) -> None:
        """To its end."""
        process = self.start()
        assert process.wait(_LIMIT) == 0, process.said

    def timed(self) -> float:
        """To its end, and how many seconds it took; what processes are forked from is there before."""
        assert Process(self._work, "--version").wait(_LIMIT) == 0
        started = time.monotonic()
        self.run()
        return time.monotonic() - started

    def kill(self, moment: Moment) -> bool:
        """Goes on until the moment, and is killed then; False where it came to its end before."""
        process = self.start()
        moment.wait(process, self.folder)
        if not process.ended:
            process.send(SIGKILL)
        status = process.wait(_LIMIT)
        assert status in (0, -SIGKILL), process.said
        return status != 0

    def leaves(self) -> dict[str, Any]:
        """All that must not depend on when it was killed, by name."""
        leftovers = [file.name for file in self.folder.rglob(".*part*")]
        return {
            **_checkpoint(self.folder / LAST),
            **_checkpoint(self.folder / BEST),
            "results.csv": [_timeless(row) for row in read_results(self.folder / RESULTS)],
            "history.csv": [_timeless(row) for row in readable_history(self.folder / HISTORY)],
            "diagnostics.csv": _text(self.folder / DIAGNOSTICS),
            "metrics.json": _timeless(json.loads((self.folder / METRICS).read_text())),
            "left over": leftovers,
            **{f"MLflow: {name}": found for name, found in self._tracked().items()},
        }

    def _tracked(self) -> dict[str, Any]:
        """Its metrics in MLflow, of each all (step, value); those of step 0 come once an epoch, others once a step."""
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{self._work}/mlflow.db")
        run = client.get_run((self.folder / RUN_ID_FILE).read_text().strip())
        found: dict[str, Any] = {"status": run.info.status}
        for key in run.data.metrics:
            if not _CLOCK.search(key):
                entries = sorted((entry.step, entry.value) for entry in client.get_metric_history(run.info.run_id, key))
                found[key] = sorted(set(entries)) if entries[-1][0] == 0 else entries
        return found


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """What is not the same, to the last bit: what it was and should have been."""
    names = [*ours, *(name for name in theirs if name not in ours)]
    return [
        f"{name} is {_shown(ours.get(name))}, not {_shown(theirs.get(name))}"
        for name in names
        if not _is_same(ours.get(name), theirs.get(name))
    ]


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) < 200 else f"{text[:200]}…"


def _is_same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
        return ours.dtype == theirs.dtype and ours.shape == theirs.shape and ours.tobytes() == theirs.tobytes()
    return repr(ours) == repr(theirs)  # which NaN is, too


def _checkpoint(file: Path) -> dict[str, Any]:
    """Each array of weights and optimizer, and what lies beside them."""
    found: dict[str, Any] = {}
    with zipfile.ZipFile(file) as archive:
        with h5py.File(io.BytesIO(archive.read(WEIGHTS))) as weights:
            weights.visititems(
                lambda name, item: (
                    found.update({f"{file.name}: {name}": item[()]}) if isinstance(item, h5py.Dataset) else None
                )
            )
        for name in (AVERAGE, RUNNING):
            found[f"{file.name}: {name}"] = archive.read(name) if name in archive.namelist() else None
        found[f"{file.name}: {NOTES}"] = _timeless(json.loads(archive.read(NOTES)))
    return found


def _timeless(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not _CLOCK.search(name)}


def _text(file: Path) -> str | None:
    return file.read_text() if file.exists() else None


def _until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + _LIMIT
    while not holds():
        assert time.monotonic() < limit, "nothing happens any more"
        time.sleep(0.001)


def _changed(file: Path) -> int:
    return file.stat().st_mtime_ns if file.exists() else 0


def _is_writing(folder: Path) -> bool:
    """Whether a file of the run, or the database, is being written."""
    places = (folder, folder / "checkpoints", folder / "plots")
    names = [name for place in places if place.exists() for name in os.listdir(place)]
    return any(name.endswith((".part", "-journal")) for name in (*names, *os.listdir(folder.parent)))
