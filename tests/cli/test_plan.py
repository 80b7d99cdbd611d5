"""A plan says what a command will do, and nothing is done before it is carried out."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from hydra._internal.hydra import Hydra

from ssd.cli.command_line import parse
from ssd.cli.compose import mode_known
from ssd.cli.plan import carry_out, make_plan
from ssd.errors import UserError
from ssd.runs.folder import SWEEP_FILE


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_single_run_gets_a_folder_of_its_own_when_it_is_carried_out(here: Path) -> None:
    plan = make_plan(parse(["seed=3", "hydra.job.name=x"]))
    assert (plan.is_new_folder, plan.sweep) == (True, None)
    assert not list(here.iterdir())
    with ExitStack() as held:
        first, second = carry_out(plan, held), carry_out(plan, held)
    assert first[:2] == ["seed=3", "hydra.job.name=x"]
    assert first[-1] == f"hydra.run.dir='{plan.folder}'"
    assert second[-1] == f"hydra.run.dir='{plan.folder}_2'"
    assert plan.folder is not None
    assert plan.folder.is_dir()


def test_hydra_need_not_ask_for_the_mode_of_a_single_run_unless_a_yaml_sets_it(here: Path) -> None:
    assert make_plan(parse(["seed=3"])).is_one_job
    assert not make_plan(parse(["-m", "seed=1,2"])).is_one_job
    (here / "conf" / "experiment").mkdir(parents=True)
    (here / "conf" / "experiment" / "many.yaml").write_text("# @package _global_\nhydra: {mode: MULTIRUN}\n")
    assert not make_plan(parse(["--config-dir", "conf", "experiment=many"])).is_one_job


def test_what_hydra_is_spared_it_does_again_afterwards() -> None:
    composing = Hydra.get_mode
    with mode_known():
        assert Hydra.get_mode(None, "config", []) is None  # type: ignore[arg-type]  # nothing is composed
    assert Hydra.get_mode is composing


def test_a_folder_that_was_asked_for_is_left_as_it_is(here: Path) -> None:
    plan = make_plan(parse(["hydra.run.dir=mine"]))
    with ExitStack() as held:
        assert carry_out(plan, held) == ["hydra.run.dir=mine"]
    assert not list(here.iterdir())


def test_a_sweep_is_written_down_and_held_when_it_is_carried_out(here: Path) -> None:
    plan = make_plan(parse(["-m", "seed=1,2", "hydra.sweep.dir=s"]))
    assert plan.sweep is not None
    assert [sorted(job) for job in plan.sweep.jobs] == [["seed=1"], ["seed=2"]]
    assert not list(here.iterdir())
    with ExitStack() as held:
        overrides = carry_out(plan, held)
        assert overrides[-1].startswith("hydra.job.config.override_dirname.exclude_keys=")
        with pytest.raises(UserError, match="is in use by process"), ExitStack() as other:
            carry_out(make_plan(parse(["-m", "sweep.resume=s"])), other)
    assert (here / "s" / SWEEP_FILE).is_file()
    assert (here / "outputs" / "latest_sweep").resolve() == here / "s"
    with pytest.raises(UserError, match="holds a sweep already"):
        make_plan(parse(["-m", "seed=1,2", "hydra.sweep.dir=s"]))


@pytest.mark.parametrize("arguments", [["--cfg", "job"], ["--hydra-help"], ["-m", "--cfg", "job", "seed=1,2"]])
def test_what_only_shows_something_has_no_folder(arguments: list[str], here: Path) -> None:
    plan = make_plan(parse(arguments))
    assert plan.folder is None
    with ExitStack() as held:
        carry_out(plan, held)
    assert not list(here.iterdir())
    assert any(flag.startswith(("--cfg", "--hydra-help")) for flag in plan.flags)
