"""sweep.resume around jobs that take no time: what is done again, what is refused, and who waits for whom."""

import errno
import logging
import logging.config
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
from filelock import FileLock
from omegaconf import DictConfig, OmegaConf

from helpers.fake_checkpoint import write_detector
from ssd.cli.main import main
from ssd.errors import UserError
from ssd.runs.folder import BEST, LAST, point_latest
from ssd.sweep.launch.resume import hold

QUIET = "tracking.enabled=false"


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[DictConfig]]:
    """Replaces the training by one that notes its configuration; seeds 13 to 16 do not end well the first time."""
    # Hydra will close all handlers, and absl's closes what it writes to: here, while that is not capsys' file.
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "argv", ["run.py"])
    monkeypatch.chdir(tmp_path)
    seen: list[DictConfig] = []
    seeds: set[int] = set()

    def run(cfg: DictConfig, folder: Path) -> float:
        first = cfg.seed not in seeds
        seeds.add(cfg.seed)
        seen.append(cfg)
        write_detector(folder / (LAST if cfg.seed == 15 else BEST))
        point_latest(Path("outputs", "latest"), folder)
        if first and cfg.seed == 13:
            raise UserError("the disk is full")
        if first and cfg.seed == 15:
            raise KeyboardInterrupt
        if first and cfg.seed == 16:
            os.kill(os.getpid(), signal.SIGTERM)
        (folder / "metrics.json").write_text(f'{{"mAP": {cfg.seed / 100}}}')
        return cfg.seed / 100

    module = ModuleType("ssd.tasks.train")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    loggers = [logging.getLogger(name) for name in (None, "ssd", "ssd.record")]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield seen
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.level, logger.propagate = handlers, level, propagate


def multirun(*arguments: str) -> int:
    """The exit status of a sweep."""
    try:
        return main(["-m", *arguments])
    except SystemExit as left:
        return int(left.code or 0)


def test_what_is_done_stays_and_the_rest_goes_on(
    jobs: list[DictConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_detector(tmp_path / "w.keras")
    assert multirun("seed=1,13,15,4", "training.epochs=3", "checkpoint=w.keras", QUIET) == 130
    assert "go on with: python run.py -m sweep.resume=outputs/multirun/" in capsys.readouterr().out
    assert [job.seed for job in jobs] == [1, 13, 15]
    sweep = (tmp_path / "outputs" / "latest_sweep").resolve()
    assert (sweep / "1_seed=13" / "failure.txt").read_text() == "the disk is full\n"
    assert multirun("sweep.resume=outputs/latest_sweep") == 0
    assert [job.seed for job in jobs[3:]] == [13, 15, 4]
    assert [job.training.epochs for job in jobs[3:]] == [3, 3, 3]
    assert [job.resume for job in jobs[3:]] == [
        str(sweep / f"{n}_seed={seed}") for n, seed in ((1, 13), (2, 15), (3, 4))
    ]
    assert "What varies: `seed`." in (sweep / "sweep.md").read_text()
    assert not (sweep / "1_seed=13" / "failure.txt").exists()
    stored = list(OmegaConf.load(sweep / "2_seed=15" / ".hydra" / "overrides.yaml"))
    assert [line.split("=")[0] for line in stored] == ["seed", "training.epochs", "tracking.enabled", "checkpoint"]
    assert multirun("sweep.resume=outputs/latest_sweep") == 0
    assert len(jobs) == 6


def test_the_same_command_goes_on_and_may_change_what_trains_nothing(jobs: list[DictConfig], tmp_path: Path) -> None:
    main(["name=first", QUIET])
    command = ["training.epochs=3", "checkpoint=outputs/latest", "hydra.sweep.dir=s", QUIET]
    assert multirun(*command, "seed=1,13") == 1
    sweep = tmp_path / "s"
    assert multirun(*command, "seed=1,13", "pipeline.workers=1", "sweep.resume=s") == 0  # outputs/latest has moved on
    assert [job.seed for job in jobs] == [0, 1, 13, 13]
    assert (jobs[-1].pipeline.workers, jobs[-1].checkpoint) == (1, jobs[1].checkpoint)
    assert sorted(folder.name for folder in sweep.glob("*_*")) == ["0_seed=1", "1_seed=13"]


@pytest.fixture
def started(jobs: list[DictConfig], tmp_path: Path) -> Path:
    """A sweep of two, and a single run beside it."""
    assert multirun("seed=1,13", "hydra.sweep.dir=s", QUIET) == 1
    assert main(["hydra.run.dir=single", QUIET]) == 0
    jobs.clear()
    return tmp_path / "s"


def test_terminated_is_another_status_than_interrupted(jobs: list[DictConfig]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert multirun("seed=16,1", "hydra.sweep.dir=s", QUIET) == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert multirun("sweep.resume=s") == 0
    assert [job.seed for job in jobs] == [16, 16, 1]


REFUSED = {
    "-m sweep.resume=t": "sweep.resume=t: there is no such folder; paths are relative to ",
    "-m sweep.resume=outputs": "sweep.resume=outputs is not the folder of a sweep: it has no sweep.json\n",
    "-m sweep.resume=single": "it is a single run, which goes on with resume=single",
    "-m sweep.resume=s,t": "sweep.resume takes one path, not s,t",
    "sweep.resume=s": "ask for one with -m: python run.py -m sweep.resume=s",
    "-m sweep.resume=s seed=1,14": "asks for seed=14 and leaves seed=13 out",
    "-m sweep.resume=s seed=1,13,2": "asks for seed=2 and leaves nothing out",
    "-m sweep.resume=s training.epochs=5": "asks for training.epochs=5 and leaves nothing out",
    "-m seed=1,13 hydra.sweep.dir=s": "hydra.sweep.dir=s holds a sweep already; go on with it by ",
}


def test_what_cannot_go_on_is_said_in_one_sentence(
    started: Path, jobs: list[DictConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    for command, message in REFUSED.items():
        capsys.readouterr()
        assert main([*command.split(), QUIET]) == 2, command
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
    assert not jobs


def test_a_sweep_goes_on_where_it_was_called_from(
    started: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (started.parent / "elsewhere").mkdir()
    monkeypatch.chdir(started.parent / "elsewhere")
    assert main(["-m", "sweep.resume=../s"]) == 2
    assert f"go there first: cd {started.parent}" in capsys.readouterr().err


def test_a_running_sweep_is_left_alone(
    started: Path, jobs: list[DictConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    with hold(started):
        assert main(["-m", "sweep.resume=s"]) == 2
    assert "is in use by process" in capsys.readouterr().err
    assert multirun("sweep.resume=s") == 0
    assert [job.seed for job in jobs] == [13]


def test_a_sweep_older_than_best_by_goes_on_by_what_its_jobs_are_ranked_by(
    jobs: list[DictConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert multirun("seed=1,15,2", "hydra.sweep.dir=s", QUIET) == 130
    assert [job.training.best_by for job in jobs] == ["val/mAP", "val/mAP"]
    for file in (tmp_path / "s").glob("*/config.yaml"):
        config = OmegaConf.load(file)
        del config.training["best_by"]
        OmegaConf.save(config, file)
    assert multirun("sweep.resume=s", "training.best_by=val/mAP") == 2
    assert "this command asks for training.best_by=val/mAP" in capsys.readouterr().err
    assert multirun("sweep.resume=s") == 0
    assert [(job.seed, job.training.best_by) for job in jobs[2:]] == [(15, "val/mAP50"), (2, "val/mAP50")]
    assert sorted(folder.name for folder in (tmp_path / "s").glob("*_*=*")) == ["0_seed=1", "1_seed=15", "2_seed=2"]


def test_a_job_that_is_still_running_is_waited_for(jobs: list[DictConfig], tmp_path: Path) -> None:
    """Its own sweep was killed and the job lives on: the continued sweep takes what it leaves."""
    assert multirun("seed=15,1", "hydra.sweep.dir=s", QUIET) == 130
    folder = tmp_path / "s" / "0_seed=15"

    began = threading.Event()

    def live_on() -> None:
        with FileLock(folder / ".lock"):
            began.set()
            time.sleep(3)
            (folder / "metrics.json").write_text('{"mAP": 0.75}')
            (folder / "done.txt").write_text("0.75\n")

    with ThreadPoolExecutor(1) as pool:
        alive = pool.submit(live_on)
        began.wait()
        assert multirun("sweep.resume=s") == 0
        assert alive.done()
    assert [job.seed for job in jobs] == [15, 1]


def test_a_file_system_without_locks_is_told_and_no_obstacle(
    jobs: list[DictConfig], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "no locks")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    assert multirun("seed=1", "training.epochs=2", QUIET) == 0
    assert "cannot be locked" in caplog.text


def test_one_job_of_a_sweeps_file_is_a_single_run(jobs: list[DictConfig]) -> None:
    assert main(["sweeps=learning_rate", "optimizer.learning_rate=3e-4", QUIET]) == 0
    assert (jobs[0].optimizer.learning_rate, jobs[0].name) == (3e-4, "lr_0.0003")
