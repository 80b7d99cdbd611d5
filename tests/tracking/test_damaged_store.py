"""A store whose file is damaged: one sentence at once, and a training goes on without it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.damage import a_folder, cut_short, garbage, other_kind
from ssd.errors import UserError
from ssd.tracking.store import find_experiment, parent_of, read_runs
from ssd.tracking.tracker import Tracker

RUN = "0123456789abcdef" * 2


def without_tables(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.executescript("PRAGMA foreign_keys=OFF; DROP TABLE runs; DROP TABLE experiments;")


@pytest.mark.parametrize("damage", [a_folder, garbage, other_kind, cut_short, without_tables])
def test_a_damaged_store_is_named_and_never_written_over(
    damage: Callable[[Path], None], store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(store)
    uri = f"sqlite:///{store}"
    before = store.read_bytes() if store.is_file() else b""
    for read in (lambda: find_experiment(uri, "ssd"), lambda: read_runs(uri, [RUN], [])):
        with pytest.raises(UserError, match=r"mlflow\.db.*; (put it back, or )?give tracking\.uri=\.\.\.") as told:
            read()
        assert "\n" not in str(told.value)
    assert parent_of(uri, [RUN]) is None
    with Tracker(uri, "ssd", "a run", tmp_path) as tracker:
        tracker.log_metrics({"train/loss": 1.0}, 1)
    (line,) = caplog.messages
    assert line.startswith(f"Could not start a run in MLflow at {uri} (")
    assert line.endswith("; the run goes on without it")
    # MLflow makes tables again that are not there at all
    assert damage is without_tables or not store.is_file() or store.read_bytes() == before
