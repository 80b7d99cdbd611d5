"""What the shell delivers is what a path is; what Hydra cannot read is answered with the command that it can."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssd.cli.command_line import parse
from ssd.config.overrides import by_key, quote
from ssd.errors import UserError

PATHS = [
    "/data/Zellen übung",
    "/data/細胞",
    "/data/cells (1)",
    "photos/Foto (1).jpg",
    "C:\\data\\cells\\",
    "a,b",
    "ends,",
    "x=1 #2",
    "[draft]",
    "it's",
    "{a}",
    "~x",
    "007",
    "1e5",
    "True",
    "a: b",
]


def value_of(line: str) -> object:
    return next(iter(by_key([line]).values())).value()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", ["dataset.path", "source", "checkpoint", "+dataset.root", "hydra.run.dir"])
def test_a_path_is_taken_as_the_shell_delivered_it(path: str, key: str) -> None:
    (line,) = parse([f"{key}={path}"]).overrides
    assert str(value_of(line)) == path


def test_numbers_stay_numbers() -> None:
    """dataset.train_images is a folder of coco_json, and how many are drawn of shapes."""
    assert parse(["dataset.train_images=12"]).overrides == ["dataset.train_images=12"]


@given(st.text(min_size=1))
def test_every_text_comes_out_of_its_quotes_as_it_was(text: str) -> None:
    assert value_of(f"key={quote(text)}") == text


def test_what_is_no_text_or_quoted_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert parse(["checkpoint=null", "source='a b'"]).overrides == ["checkpoint=null", "source='a b'"]
    assert value_of(parse(["dataset.path=~/my cells"]).overrides[0]) == "/home/someone/my cells"


def test_with_m_a_comma_lists_several_paths(tmp_path) -> None:
    (line,) = parse(["-m", "dataset.path=my cells,other (1)"]).overrides
    assert line == "dataset.path=my cells,'other (1)'"
    (tmp_path / "a,b").mkdir()
    (line,) = parse(["-m", f"dataset.path={tmp_path}/a,b"]).overrides
    assert value_of(line) == f"{tmp_path}/a,b"
    assert parse(["-m", "dataset.path=choice(a,b)"]).overrides == ["dataset.path=choice(a,b)"]
    assert parse(["-m", "dataset.negatives=null,sky"]).overrides == ["dataset.negatives=null,sky"]


@pytest.mark.parametrize("line", ["name=my run (1)", "name=a=b: c", "tracking.experiment=#1, [2"])
def test_a_line_that_hydra_cannot_read_is_answered_with_the_command_that_it_can(line: str) -> None:
    with pytest.raises(UserError) as told:
        parse(["backbone=vgg16", line])
    command = shlex.split(str(told.value).partition(" can: ")[2])
    assert command[:3] == ["python", "run.py", "backbone=vgg16"]
    (_, corrected) = parse(command[2:]).overrides
    assert value_of(corrected) == line.partition("=")[2]


def test_a_word_without_a_value_is_answered() -> None:
    with pytest.raises(UserError, match="'backbone' cannot be read; write key=value"):
        parse(["backbone"])


def test_a_threshold_may_be_called_as_elsewhere() -> None:
    assert parse(["conf=0.3"]).overrides == parse(["threshold=0.3"]).overrides == ["score_threshold=0.3"]
