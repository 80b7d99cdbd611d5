"""Searching with Optuna: what is drawn, failed, pruned, killed and continued; with a training of milliseconds."""

import csv
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from helpers.warm import Process
from ssd.cli.checks import check
from ssd.cli.compose import compose_jobs, without_hydra
from ssd.environment import ROOT
from ssd.errors import UserError

SEARCH = ["-m", "sweeps=learning_rate", "tracking.enabled=false", "training.epochs=4"]


def run(work: Path, *arguments: str, **env: str) -> tuple[int, str]:
    """Exit status and words of a command with `fast_training`."""
    process = Process(work, *arguments, imported="helpers.fast_training", **env)
    return process.wait(), process.said


def trials(work: Path, sweep: str) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="search", storage=f"sqlite:///{work}/{sweep}/study.db").trials


def table(work: Path, sweep: str) -> list[dict[str, str]]:
    with (work / sweep / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def jobs(work: Path, sweep: str) -> list[str]:
    """The folders of the jobs, by number."""
    folders = [folder.name for folder in (work / sweep).glob("*_*=*")]
    return sorted(folders, key=lambda name: int(name.split("_")[0]))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


PRUNED = ["hydra/sweeper/pruner=median", "hydra.sweeper.n_jobs=2"]


@pytest.fixture(scope="module")
def search(work: Path) -> list[dict[str, str]]:
    """The table of an undisturbed search of 15 trials, with pruning, in batches of two."""
    status, said = run(work, *SEARCH, *PRUNED, "hydra.sweep.dir=undisturbed")
    assert status == 1, said  # some trials' loss is not finite
    return table(work, "undisturbed")


def test_a_search_goes_on_over_failed_trials_and_gets_near_the_best(work: Path, search: list[dict[str, str]]) -> None:
    states = {
        "done": TrialState.COMPLETE,
        "pruned": TrialState.PRUNED,
        "failed": TrialState.FAIL,
    }
    assert {row["status"] for row in search} == set(states)
    known = {trial.user_attrs["job"]: trial for trial in trials(work, "undisturbed")}
    assert sorted(known) == list(range(15))
    for row in search:
        trial = known[int(row["job"])]
        assert trial.state == states[row["status"]]
        assert trial.params == {"optimizer.learning_rate": pytest.approx(float(row["optimizer.learning_rate"]), 1e-5)}
        if row["status"] == "done":
            assert trial.value == float(row["mAP"])
    assert search[0]["status"] == "done"
    assert float(search[0]["mAP"]) > 0.9


def test_pruned_trials_are_the_hopeless_ones_and_have_results(work: Path, search: list[dict[str, str]]) -> None:
    pruned = [row for row in search if row["status"] == "pruned"]
    assert all(row["reason"].startswith("MedianPruner after epoch 1: val/mAP ") for row in pruned)
    done = [float(row["mAP"]) for row in search if row["status"] == "done"]
    assert max(float(row["mAP"]) * 4 for row in pruned) < sorted(done)[len(done) // 2]
    values = {trial.user_attrs["job"]: trial.intermediate_values for trial in trials(work, "undisturbed")}
    assert {len(values[int(row["job"])]) for row in pruned} == {1}
    assert {len(values[int(row["job"])]) for row in search if row["status"] == "done"} == {3}  # not the last epoch's


def test_a_killed_search_goes_on_to_the_table_of_an_undisturbed_one(work: Path, search: list[dict[str, str]]) -> None:
    (work / "started.txt").unlink()
    status, said = run(work, *SEARCH, *PRUNED, "hydra.sweep.dir=killed", KILLED_JOB="11")
    assert status == -signal.SIGKILL, said
    assert jobs(work, "killed") == jobs(work, "undisturbed")[:12]
    status, said = run(work, "-m", "sweep.resume=killed")
    assert status == 1, said
    assert table(work, "killed") == search
    starts = Counter((work / "started.txt").read_text().split())
    failed = [row["folder"] for row in search if row["status"] == "failed" and int(row["job"]) < 10]
    # what failed is tried again, the killed job too; the job beside it was done, though the study did not know yet
    assert starts == Counter([*jobs(work, "undisturbed"), *failed, jobs(work, "undisturbed")[11]])
    states = Counter(trial.state for trial in trials(work, "killed"))
    assert states[TrialState.RUNNING] == states[TrialState.WAITING] == 0

    status, said = run(work, "-m", "sweep.resume=killed", "hydra.sweeper.n_trials=17")
    assert len(jobs(work, "killed")) == 17, said


def test_ranges_on_the_command_line_and_another_seed(work: Path, search: list[dict[str, str]]) -> None:
    more = ["training.epochs=choice(3,4,5)", "optimizer.learning_rate=interval(1e-3,2e-3)", "hydra.sweep.dir=ranges"]
    status, said = run(work, *SEARCH[:-1], *more, "hydra.sweeper.n_trials=4", "hydra.sweeper.sampler.seed=7")
    assert status == 0, said
    found = [trial.params for trial in trials(work, "ranges")]
    assert {params["training.epochs"] for params in found} <= {"3", "4", "5"}
    rates = [params["optimizer.learning_rate"] for params in found]
    assert all(1e-3 <= rate <= 2e-3 for rate in rates)
    assert len(set(rates)) == 4
    assert not {f"{rate:.6g}" for rate in rates} & {row["optimizer.learning_rate"] for row in search}
    assert (
        jobs(work, "ranges")[0]
        == f"0_optimizer.learning_rate={rates[0]:.6g},training.epochs={found[0]['training.epochs']}"
    )


def test_any_sampler_and_storage_and_whole_numbers(work: Path) -> None:
    grid = "hydra.sweeper.sampler={_target_: optuna.samplers.BruteForceSampler, seed: 1}"
    storage = ["hydra.sweeper.storage=sqlite:///mine.db", "hydra.sweeper.study_name=epochs"]
    command = [*SEARCH[:-1], "optimizer.learning_rate=1e-3", "training.epochs=range(2,5)", grid, *storage]
    assert run(work, *command, "hydra.sweeper.n_trials=3", "hydra.sweep.dir=whole")[0] == 0
    study = optuna.load_study(study_name="epochs", storage=f"sqlite:///{work}/mine.db")
    assert sorted(trial.params["training.epochs"] for trial in study.trials) == [2, 3, 4]
    status, said = run(work, *command, "hydra.sweep.dir=again")
    assert status == 1
    assert said.endswith(
        "error: sqlite:///mine.db has a study 'epochs' already; continue its sweep with sweep.resume=FOLDER, or give "
        "hydra.sweeper.study_name another name\n"
    )


RATE = "optimizer.learning_rate"


def check_command(*overrides: str) -> None:
    """What `python run.py -m` does before it starts anything."""
    for job in compose_jobs(overrides, multirun=True):
        check(without_hydra(job))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([f"{RATE}=1e-3"], "there is nothing to search; give KEY='interval(LOW, HIGH)'"),
        ([f"{RATE}=interval(-1,1)"], "optimizer.learning_rate=-1.0 must be greater than 0"),
        ([f"{RATE}=tag(log,interval(0,1))"], "optimizer.learning_rate=tag(log,interval(0,1)) cannot be searched: "),
        ([f"{RATE}=interval(2,1)"], "optimizer.learning_rate=interval(2,1) cannot be searched: "),
        (["training=choice(voc,default)"], "but training.best_by is val/mAP or val/mAP50 here; give one for all"),
        (["training.epochs=range(5,5)"], "training.epochs=range(5,5) cannot be searched: it has no values"),
        (["training.epochs=int(interval(0,5))"], "training.epochs=0 must be between 1 and 1000000"),
        (["backbone=choice(vgg16,vgg61)"], "backbone=vgg61, which does not exist; did you mean 'vgg16'?"),
        (["trainin.epochs=range(1,5)"], "unknown key 'trainin'; did you mean 'training'?"),
        (["hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials=0 must be at least 1"),
        (["hydra.sweeper.n_jobs=many"], "hydra.sweeper.n_jobs: Value 'many' of type 'str'"),
        (["hydra.sweeper.trials=3"], "unknown key 'hydra.sweeper.trials'; did you mean 'hydra.sweeper.n_trials'?"),
        (["hydra.sweeper.sampler._target_=optuna.samplers.No"], "hydra.sweeper.sampler: optuna.samplers.No cannot be"),
        (
            ["hydra.sweeper.sampler=nope"],
            "hydra.sweeper.sampler=nope is no class; give hydra.sweeper.sampler._target_=",
        ),
        (["hydra/sweeper/pruner=best"], "there is no such hydra/sweeper/pruner; choose one of: median"),
        (["hydra.sweeper.pruner={_target_: optuna.pruners.HyperbandPruner, rate: 1}"], "hydra.sweeper.pruner: optuna."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_told_before_anything_starts(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        check_command("sweeps=learning_rate", *overrides)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_grid_of_a_range_without_end_is_a_search() -> None:
    with pytest.raises(UserError, match=r"has no end of values; a search can draw from it: add hydra/sweeper=optuna"):
        check_command("seed=1,2", f"{RATE}=interval(1e-4,1)")


def test_both_ends_of_a_range_are_composed() -> None:
    jobs = compose_jobs(["sweeps=learning_rate", "backbone=choice(vgg16,mobilenet_v2)"], multirun=True)
    assert [(job.optimizer.learning_rate, job.backbone.name) for job in jobs] == [
        (1e-5, "vgg16"),
        (1e-2, "mobilenet_v2"),
    ]


def test_optuna_is_imported_for_a_search_only() -> None:
    code = "import ssd.cli.main, sys; print(ssd.cli.main.main(['seed=-1']), 'optuna' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2 False"
