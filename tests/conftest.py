"""Fixtures that several test files share. It is imported for every test: mlflow only where one is used."""

import gc
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

import ssd  # noqa: F401  (before a test imports TensorFlow: its settings)

# Nothing is downloaded in a test, nor in a process that it starts: what is asked for there has no connection.
os.environ["HTTPS_PROXY"] = os.environ["https_proxy"] = "http://127.0.0.1:9"

if TYPE_CHECKING:
    from ssd.tracking.tracker import Tracker


# Files that take longest go first, so that no process is left with one of them at the end.
_FIRST = (
    "test_launchers",
    "test_recipes",
    "test_survival",
    "tasks/",
    "sweep/",
    "test_armour",
    "docs/",
    "cli/",
    "models/",
    "weights/",
    "tracking/",
)


gc.disable()  # while all that the tests import comes: it stays, and need not be looked through again and again


def pytest_collection_finish() -> None:
    """Nor later."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests in order."""

    def place(item: pytest.Item) -> int:
        return next((number for number, part in enumerate(_FIRST) if part in str(item.path)), len(_FIRST))

    items.sort(key=place)


@pytest.fixture(autouse=True, scope="session")
def quick_composition() -> Iterator[None]:
    """Composing takes the most time of all."""
    from helpers.quick_composition import compose_quickly

    with pytest.MonkeyPatch.context() as patch:
        compose_quickly(patch)
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_conversions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """None in the user's cache folder; and what one test has converted, others need not."""
    from ssd.export import converted

    place = tmp_path_factory.mktemp("converted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(converted, "cache_folder", lambda: place)
        yield


@pytest.fixture(autouse=True)
def _absl_closes_no_file_of_pytests() -> None:
    """TensorFlow's logging keeps the stderr of the test that imported it, and closes it when Hydra sets up logging."""
    if (absl_logging := sys.modules.get("absl.logging")) is not None:
        absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Hydra sets up logging in every run; a run of a module's fixture left it so."""
    loggers = [logging.getLogger(name) for name in (None, "ssd", "ssd.data", "ssd.record")]
    for logger in loggers[1:]:
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)
    loggers[0].setLevel(logging.WARNING)
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)  # which also forgets what each logger below has remembered of it


@pytest.fixture
def own_process_state(logging_as_before: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What `main` changes in its process: the environment, sys.argv and logging; the current folder is the test's."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "argv", ["run.py"])
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database without a run, made once: its migrations take seconds."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder  # which all workers have
    file = folder / "empty.db"
    with FileLock(folder / "empty.lock"):
        if not file.exists():
            from mlflow import MlflowClient

            MlflowClient(f"sqlite:///{folder / 'new.db'}").search_experiments()
            (folder / "new.db").rename(file)
    return file


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Path:
    """The database in the folder of the test, where runs that are called from there look for it."""
    return Path(shutil.copy(empty_store, tmp_path / "mlflow.db"))


@pytest.fixture(scope="module")
def uri(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One store for the module."""
    return f"sqlite:///{shutil.copy(empty_store, tmp_path_factory.mktemp('store') / 'mlflow.db')}"


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
