"""Names, values and addresses as MLflow and its page take them."""

import doctest
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from ssd.config import dataset_name
from ssd.runs.flat import flatten
from ssd.sweep import node
from ssd.tracking import values, view
from ssd.tracking.values import absolute_uri, clean, git_tags, page, shorten, ui_command


def test_values_as_a_user_types_them() -> None:
    config = {"a": {"b": None, "c": True, "d": 1e-3, "e": [1, 2]}, "f": "text", "g": {}, "h": [{"p": 0.5}, {"p": 1}]}
    assert flatten(config) == {
        "a.b": "null",
        "a.c": "true",
        "a.d": "0.001",
        "a.e": "[1, 2]",
        "f": "text",
        "g": "{}",
        "h.0.p": "0.5",
        "h.1.p": "1",
    }


def test_names_and_values_that_mlflow_takes() -> None:
    assert clean("val/AP50/größe (x)") == "val/AP50/gr__e _x_"
    assert len(clean("x" * 300)) == 250
    assert shorten("12345", 5) == "12345"
    assert shorten("123456", 5) == "1234…"


def test_a_store_is_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_uri("sqlite:///my runs/mlflow.db") == f"sqlite:///{tmp_path}/my runs/mlflow.db"
    assert absolute_uri("sqlite:////a/b.db?timeout=5") == "sqlite:////a/b.db?timeout=5"
    assert absolute_uri("http://host:5000") == "http://host:5000"


def test_where_the_runs_are_to_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    short = "python run.py task=ui"
    assert ui_command("sqlite:///mlflow.db", "ssd") == short
    assert ui_command(f"sqlite:///{tmp_path}/mlflow.db", "mine") == f"{short} tracking.experiment=mine"
    assert ui_command("sqlite:///my runs/a.db", "ssd") == f"{short} 'tracking.uri=sqlite:///{tmp_path}/my runs/a.db'"
    assert ui_command("http://host:5000", "ssd") == f"{short} tracking.uri=http://host:5000"
    assert page("http://host:5000/", "7").startswith("http://host:5000/#/experiments/7/runs?workflowType=machine_learn")
    assert page("sqlite:///mlflow.db", "7", "cells-3f2a91").startswith("http://127.0.0.1:5000/#/experiments/7/runs?")
    assert page("sqlite:///mlflow.db", "7", "cells-3f2a91").endswith("viewStateShareKey=cells-3f2a91")


@pytest.mark.parametrize("module", [values, view, node, dataset_name], ids=lambda module: module.__name__)
def test_examples_in_docstrings(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert (found.failed, found.attempted > 0) == (0, True)


def test_git_tags_of_clean_and_changed_trees(tmp_path: Path) -> None:
    assert git_tags(tmp_path) == {}

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-b", "main")
    assert git_tags(tmp_path) == {}  # no commit yet
    git("commit", "--allow-empty", "-m", "first")
    expected = {"mlflow.source.git.commit": git("rev-parse", "HEAD"), "mlflow.source.git.branch": "main"}
    assert git_tags(tmp_path) == {**expected, "git.dirty": "false"}
    (tmp_path / "new.py").touch()
    assert git_tags(tmp_path) == {**expected, "git.dirty": "true"}
