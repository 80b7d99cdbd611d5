"""Fixtures that several test files share. It is imported for every test: mlflow only where one is used."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ssd  # noqa: F401  (before a test imports TensorFlow: its settings)

if TYPE_CHECKING:
    from ssd.tracking.tracker import Tracker


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One store for the module: making its database takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"


@pytest.fixture
def tracker(uri: str, tmp_path: Path) -> Callable[..., "Tracker"]:
    from ssd.tracking.tracker import Tracker

    def make(**options: object) -> Tracker:
        return Tracker(uri, "ssd", "a run", tmp_path, **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What `main` changes in its process."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "argv", ["run.py"])
    monkeypatch.chdir(tmp_path)
    yield
    import mlflow

    mlflow.end_run()
