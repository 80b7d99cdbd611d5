"""Each file of a run's folder, damaged in each way: a sentence names it or it is made again, and all else stays."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from helpers.damage import DAMAGES, a_folder, cut_short, empty, files_in, garbage, missing
from helpers.fake_checkpoint import write_detector
from ssd.cli.earlier_run import with_earlier_run
from ssd.config.overrides import without
from ssd.errors import UserError
from ssd.runs import started
from ssd.runs.files import write_text
from ssd.runs.folder import (
    BEST,
    CONFIG,
    HISTORY,
    HYDRA,
    LAST,
    METRICS,
    OVERRIDES,
    PLOTS,
    RESULTS,
    RUN_ID_FILE,
)
from ssd.runs.going_on import check_same_experiment
from ssd.runs.results import read_results, write_results
from ssd.training.past import past_epochs

CHOICES = {"backbone": "vgg16", "detector": "ssd300"}
SETTINGS = {
    "task": {"name": "train"},
    "backbone": {"name": "vgg16", "alpha": 1.0},
    "detector": {"name": "ssd300"},
    "dataset": {"name": "mine", "path": "cells"},
    "optimizer": {"learning_rate": 0.1},
    "training": {"epochs": 3, "best_by": "val/mAP"},
    "tracking": {"uri": "http://host:5000"},
    "name": "a",
}
ROWS = [{"epoch": n, "step": 3 * n, "minutes": n / 2, "train/loss": 1 / n, "val/mAP": 0.1 * n} for n in range(1, 10)]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run called from the folder above it, with relative paths in its command."""
    monkeypatch.chdir(tmp_path)
    started._say_once.cache_clear()
    (tmp_path / "cells").mkdir()
    folder = tmp_path / "run"
    command = ["dataset=voc_folder", "dataset.path=cells", "seed=3"]
    for file, content in (
        (OVERRIDES, command),
        (HYDRA, {"hydra": {"overrides": {"task": command}, "runtime": {"cwd": str(tmp_path), "choices": CHOICES}}}),
        (CONFIG, SETTINGS),
    ):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(OmegaConf.create(content), folder / file)
    for file in (RESULTS, HISTORY):
        write_results(folder / file, ROWS)
    for file in (BEST, LAST):
        write_detector(folder / file)
    write_text(folder / RUN_ID_FILE, "0123456789abcdef" * 2 + "\n")
    write_text(folder / METRICS, '{"mAP": 0.5}\n')
    return folder


RESUME, EVALUATE, START_FROM = ["resume=run"], ["task=evaluate", "checkpoint=run"], ["checkpoint=run"]
PREDICT = ["task=predict", "checkpoint=run", "source=cells"]

# file, command → what is said, or a refusal; {} is the kind of damage
FROM_HYDRA = r"run/\.hydra/overrides\.yaml cannot be read \({}.*\); the command is taken from hydra\.yaml"
FROM_HERE = r"run/\.hydra/hydra\.yaml cannot be read \({}.*\); relative paths of its command are taken from "
CONFIG_REFUSED = r"run/config\.yaml cannot be read \({}.*\); put the file back; or remove it, and it is made again"
SAID: dict[tuple[Path, tuple[str, ...]], tuple[str, bool]] = {
    (OVERRIDES, tuple(RESUME)): (FROM_HYDRA, False),
    (OVERRIDES, tuple(EVALUATE)): (FROM_HYDRA, False),
    (HYDRA, tuple(RESUME)): (FROM_HERE, False),
    (HYDRA, tuple(EVALUATE)): (FROM_HERE, False),
    (HYDRA, tuple(START_FROM)): (r"run/\.hydra/hydra\.yaml cannot be read \({}.*\); put the file back", True),
    (CONFIG, tuple(RESUME)): (CONFIG_REFUSED, True),
    (CONFIG, tuple(START_FROM)): (CONFIG_REFUSED, True),
    # what follows is not needed by any of these commands; a training looks at it when it goes on
    **{(OVERRIDES, tuple(command)): ("", False) for command in (PREDICT,)},
    **{(HYDRA, tuple(command)): ("", False) for command in (PREDICT,)},
    **{(CONFIG, tuple(command)): ("", False) for command in (EVALUATE, PREDICT)},
    **{(file, tuple(RESUME)): ("", False) for file in (RESULTS, HISTORY, RUN_ID_FILE)},
    (METRICS, tuple(EVALUATE)): ("", False),
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize(("file", "command"), SAID, ids=lambda part: str(part) if isinstance(part, Path) else part[0])
def test_a_damaged_file_is_named_or_made_again(
    file: Path, command: tuple[str, ...], damage: Callable, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said, refused = SAID[file, command]
    if damage is a_folder and command[0] == "resume=run":
        said, refused = rf"resume=run: {re.escape(str(file))} in it is a folder, where a file of the run belongs", True
    if damage is missing and file == CONFIG:
        said, refused = (
            (r"run has no config\.yaml that tells its network" if command[0] == "checkpoint=run" else ""),
            False,
        )
    whole = [] if refused else with_earlier_run(command, multirun=False)
    capsys.readouterr()
    damage(run / file)
    before = files_in(run)
    if refused:
        with pytest.raises(UserError) as told:
            with_earlier_run(command, multirun=False)
        text = str(told.value)
    else:
        overrides = with_earlier_run(command, multirun=False)
        text = capsys.readouterr().out.replace("\n", " ")
        if damage is not missing or file != CONFIG:  # which says where a run is recorded, and by what it is judged
            named = ("name",) if file == CONFIG else ()  # of a prediction's folder, which is no reason to refuse it
            assert without(overrides, named) == without(whole, named)
    assert re.search(said.format(re.escape(DAMAGES[damage])), text), text
    assert "\n" not in text.strip()
    assert said or not text
    assert files_in(run) == before


def test_a_command_that_is_nowhere_is_refused(run: Path) -> None:
    empty(run / OVERRIDES)
    garbage(run / HYDRA)
    with pytest.raises(UserError, match=r"overrides\.yaml cannot be read \(it is empty\); put the file back"):
        with_earlier_run(RESUME, multirun=False)


def test_a_configuration_is_compared_where_there_is_one(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = {**SETTINGS, "optimizer": {"learning_rate": 0.2}, "allow_changes": False}
    garbage(run / HYDRA)
    with pytest.raises(UserError, match=r"optimizer\.learning_rate 0\.1 → 0\.2"):
        check_same_experiment(run, "run", now)
    missing(run / CONFIG)
    check_same_experiment(run, "run", now)
    assert "run has no config.yaml to compare with; it is made again from the command" in capsys.readouterr().out


@pytest.mark.parametrize(("key", "value"), [("backbone", None), ("training", [1]), ("tracking", "mlflow.db")])
def test_a_section_of_another_kind_is_refused(run: Path, key: str, value: Any) -> None:
    OmegaConf.save(OmegaConf.create({**SETTINGS, key: value}), run / CONFIG)
    with pytest.raises(UserError, match=rf"config\.yaml cannot be read \(its {key} is no section\)"):
        with_earlier_run(RESUME, multirun=False)


def test_a_best_by_that_is_none_is_refused(run: Path) -> None:
    OmegaConf.save(OmegaConf.create({**SETTINGS, "training": {"best_by": "${oc.env:HOME}"}}), run / CONFIG)
    with pytest.raises(UserError, match=r"its training\.best_by is '\$\{oc\.env:HOME\}'"):
        with_earlier_run(RESUME, multirun=False)


@pytest.mark.parametrize("name", [PLOTS, LAST.parent])
def test_a_file_where_a_folder_belongs_is_refused(run: Path, name: Path) -> None:
    if (run / name).exists():
        (run / name).rename(run / "away")
    (run / name).write_text("x")
    with pytest.raises(UserError, match=rf"resume=run: {name} in it is a file, where a folder of the run belongs"):
        with_earlier_run(RESUME, multirun=False)


def test_a_store_that_is_gone_is_said_and_left(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = run.parent / "gone.db"
    OmegaConf.save(OmegaConf.create({**SETTINGS, "tracking": {"uri": f"sqlite:///{gone}"}}), run / CONFIG)
    assert not any("tracking.uri" in line for line in with_earlier_run(RESUME, multirun=False))
    assert "gone.db, where the run was recorded, is gone; it goes on in the store" in capsys.readouterr().out
    gone.touch()
    assert any("gone.db" in line for line in with_earlier_run(RESUME, multirun=False))


@pytest.mark.parametrize("damage", [*DAMAGES, None])
def test_the_id_of_a_run_is_one_or_said_not_to_be(run: Path, damage: Any, caplog: pytest.LogCaptureFixture) -> None:
    if damage is not None:
        damage(run / RUN_ID_FILE)
    found = started.recorded_run(run)
    assert found == ("0123456789abcdef" * 2 if damage is None else None)
    assert len(caplog.messages) == (0 if damage in (None, missing) else 1)
    assert all("mlflow_run.txt" in line for line in caplog.messages)


@pytest.mark.parametrize("name", ["a b", "a#b", "lr=0.1", "größe", "it's", "a,b"])
def test_a_run_is_found_in_a_folder_of_any_name_and_place(run: Path, name: str) -> None:
    moved = run.parent / "elsewhere" / name
    moved.parent.mkdir()
    run.rename(moved)
    overrides = with_earlier_run([f'resume="elsewhere/{name}"'], multirun=False)
    assert OmegaConf.from_dotlist([line for line in overrides if line.startswith("dataset.path=")]).dataset.path.strip(
        "'"
    ) == str(run.parent / "cells")
    assert any(name.replace("'", "\\'") in line for line in overrides if line.startswith("hydra.run.dir="))


PLACE: Any = SimpleNamespace(epoch=5, step=1, steps_per_epoch=3)


def tracker(epochs: dict[int, dict[str, float]]) -> Any:
    return SimpleNamespace(curves=lambda names: epochs)


TRACKED = {n: {"train/loss": 1 / n, "val/mAP": 0.1, "minutes": 0.5} for n in range(1, 8)}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("knows", [HISTORY, "MLflow", None])
def test_results_are_made_again_from_whatever_knows_them(
    damage: Callable, knows: Any, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(run / RESULTS)
    if knows != HISTORY:
        damage(run / HISTORY)
    rows, unsure = past_epochs(run, PLACE, tracker(TRACKED if knows == "MLflow" else {}))
    kept = [1, 2, 3, 4, 5][: (run / RESULTS).read_text().count("\n") - 1] if damage is cut_short else []
    lost = [epoch for epoch in (1, 2, 3, 4, 5) if epoch not in kept]
    assert kept or damage is not cut_short
    assert [row["epoch"] for row in rows] == (kept if knows is None else [1, 2, 3, 4, 5])
    assert unsure == ([] if knows == HISTORY else lost)
    (line,) = caplog.messages
    assert "run/results.csv " in line
    if knows is not None:
        assert re.search(f"made again from (its copy )?{knows}", line)
        assert rows[1]["step"] == 6
    else:
        assert line.endswith(f"nothing else has epochs {lost[0]} to 5, and the training goes on without")


def test_whole_results_are_taken_as_they_are(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows, unsure = past_epochs(run, PLACE, tracker({}))
    assert (rows, unsure, caplog.messages) == (read_results(run / RESULTS)[:5], [], [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("epoch,train/loss\n1,0.5\n2,x\n", "beyond its line 3"),
        ("epoch,train/loss\n1,0.5\n2\n", "beyond its line 3"),
        ("epoch,train/loss\n1,0.5\n1,0.4\n", "beyond its line 3"),
        ("epoch,train/loss\n1,0.5\n2,0.", "is cut short"),
        ("a,b\n1,2\n", "its first line names no columns"),
    ],
)
def test_a_row_that_is_none_ends_what_is_read(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / RESULTS).write_text(text)
    with pytest.raises(UserError, match=rf"results\.csv .*{reason}.*remove it: a training that goes on makes it again"):
        read_results(tmp_path / RESULTS)
