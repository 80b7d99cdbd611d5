"""Mistakes as they are made: each gives one sentence that names the file or key, and leaves nothing behind.

What a configuration refuses is in `test_checks.py`; here is the way of the whole command, with files of a user's own.
"""

import sys
import threading
from pathlib import Path

import pytest

from ssd.cli.fault import faults_of_threads_told
from ssd.cli.main import main
from ssd.cli.yaml_files import check_yaml
from ssd.errors import UserError

pytestmark = pytest.mark.usefixtures("own_process_state")

SGD = "_target_: keras.optimizers.SGD\nlearning_rate: 0.1\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: [b\nc: d\n", "line 2 is no valid YAML: did not find expected ',' or ']'"),
        ("a: 'b\n", "is no valid YAML: found unexpected end of stream"),
        ("a: b: c\n", "line 1 is no valid YAML: mapping values are not allowed"),
        ('a: "C:\\Users"\n', "line 1 is no valid YAML"),
        ("a: 1\nb: *c\n", "*c is an alias of nothing; correct it"),
        ("a: &a [*a]\n", "*a is an alias of what it is in; take it out"),
        ("a: &a\n  <<: *a\n", "*a is an alias of what it is in; take it out"),
        (f"a: {'[' * 3000}{']' * 3000}\n", "nests deeper than 50 levels; make it flatter"),
        (f"a: {'[' * 100_000}\n", "nests deeper than 50 levels; make it flatter"),
        (BOMB, "comes to more than 100000 values with its aliases"),
        (f"a: {'9' * 5000}\n", "has a number of 5000 digits; write what is meant"),
        ("hello\n", "is a single value; a configuration holds keys with values"),
        ("3\n", "is a single value; a configuration holds keys with values"),
        ("- a\n", "is a list; a configuration holds keys with values"),
        (f"a: {'x' * 1_000_001}\n", "has 1000005 bytes, too many for a configuration"),
        ("a: \0\n", "is no valid YAML: control characters are not allowed"),
    ],
    ids=lambda value: value[:30],
)
def test_a_damaged_yaml_is_named(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(UserError) as caught:
        check_yaml(tmp_path / "mine.yaml")
    assert str(caught.value).startswith("mine.yaml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "# nothing\n", SGD, "\ufeffa: 1\n", "a: &a [1, 2]\nb: [*a, *a]\n"])
def test_a_sound_yaml_passes(content: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(content, encoding="utf-8")
    check_yaml(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("1/0", 2, "task._target_=mine_of_the_test.run cannot be imported (ZeroDivisionError: division by zero); corr"),
        ("import nowhere_at_all", 2, "(ModuleNotFoundError: No module named 'nowhere_at_all'); correct it"),
        ("run = 3", 2, "task._target_=mine_of_the_test.run is a int and no function"),
        ("def run(): ...", 2, "cannot be called with the configuration and the folder (too many positional arguments)"),
        ("def run(cfg, folder): ...", 2, "gave None; it must return a number"),
        ("def run(cfg, folder): return 'x'", 2, "gave a str; it must return a number"),
        (
            "def run(cfg, folder): return 1 / 0",
            1,
            "ZeroDivisionError: division by zero; nobody expected this: the trace",
        ),
        ("def run(cfg, folder): return run(cfg, folder)", 1, "RecursionError: maximum recursion depth exceeded"),
        ("def run(cfg, folder): raise MemoryError", 1, "MemoryError: no reason given; nobody expected this"),
    ],
)
def test_a_task_of_ones_own(
    code: str,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mine_of_the_test.py").write_text(code)
    (tmp_path / "own" / "task").mkdir(parents=True)
    (tmp_path / "own" / "task" / "mine.yaml").write_text("_target_: mine_of_the_test.run\nname: mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine_of_the_test", raising=False)
    with pytest.raises(SystemExit) as left:
        main(["--config-dir", "own", "task=mine", "tracking.enabled=false"])
    assert left.value.code == status
    sentence = capsys.readouterr().err
    assert said in sentence
    assert sentence.startswith("error: ")
    assert sentence.count("\n") == 1
    monkeypatch.delitem(sys.modules, "mine_of_the_test", raising=False)


def test_a_fault_in_a_thread_is_a_line(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    with faults_of_threads_told():
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    assert "in a thread: ZeroDivisionError: division by zero; its trace is in run.log" in caplog.messages
    assert "Traceback" not in capsys.readouterr().err
