"""Names, values and addresses as MLflow and its page take them."""

import subprocess
from pathlib import Path

import pytest

from ssd.tracking.values import absolute_uri, clean, flatten, git_tags, page, shorten, ui_command


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
    assert ui_command("sqlite:///mlflow.db") == f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/mlflow.db"
    assert ui_command("sqlite:///my runs/mlflow.db").endswith(f"'sqlite:///{tmp_path}/my runs/mlflow.db'")
    assert ui_command("http://host:5000") == "http://host:5000"
    assert page("http://host:5000/", "7").startswith("http://host:5000/#/experiments/7/runs?workflowType=machine_learn")
    assert page("sqlite:///mlflow.db", "7").startswith("http://127.0.0.1:5000/#/experiments/7/runs?")


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
