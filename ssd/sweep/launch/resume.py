"""Going on with a sweep that was stopped: `python run.py -m sweep.resume=FOLDER`.

The sweep's folder knows its command. Each job looks into its own folder before it starts, in whatever process a
launcher runs it: what is done is not done again, what was stopped goes on in the same MLflow run.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from ssd.config.overrides import key_of, quote, without
from ssd.errors import UserError
from ssd.runs.best_by import EARLIER, is_older
from ssd.runs.files import write_text
from ssd.runs.folder import CONFIG, DONE_FILE, FAILURE_FILE, METRICS, PRUNED_FILE, SWEEP_FILE, as_typed
from ssd.runs.lock import locked
from ssd.runs.reading import Kinds, damaged, is_text, is_texts, read_json, read_text
from ssd.sweep.node import CONTINUED

log = logging.getLogger(__name__)

# What may differ in a continued sweep: sections that say nothing about what is trained.
_FREE = ("hydra", "pipeline", "sweep", "tracking", "gpu_memory_growth", "trust")

_REMEDY = "put the file back, or go on with each job by itself: resume=FOLDER_OF_THE_JOB"
_KINDS: Kinds = {
    "command": is_texts,
    "overrides": is_texts,
    "jobs": lambda value: isinstance(value, list) and all(map(is_texts, value)),
    "called_from": is_text,
    "config_name": lambda value: value is None or is_text(value),
    "config_dir": lambda value: value is None or is_text(value),
}

Task = Callable[[DictConfig, Path], float]


@dataclass(frozen=True)
class StoredSweep:
    """How a sweep was started.

    Attributes:
        folder: of the sweep.
        command: the overrides as the user gave them.
        overrides: what they became: an earlier run's settings added, paths resolved.
        jobs: the overrides of each job; of a search, of jobs at the ends of its ranges.
        called_from: the folder that relative paths start from.
        config_name, config_dir: Hydra's flags.
    """

    folder: Path
    command: list[str]
    overrides: list[str]
    jobs: list[list[str]]
    called_from: str
    config_name: str | None
    config_dir: str | None

    @classmethod
    def read(cls, folder: Path) -> "StoredSweep":
        """From a sweep's folder.

        Raises:
            UserError: it is none, or was started in another place.
        """
        if not folder.exists():
            raise UserError(f"sweep.resume={folder}: there is no such folder; paths are relative to {Path.cwd()}")
        if not (folder / SWEEP_FILE).exists():
            single = (folder / ".hydra").is_dir()
            hint = f"; it is a single run, which goes on with resume={folder}" if single else ""
            raise UserError(f"sweep.resume={folder} is not the folder of a sweep: it has no {SWEEP_FILE}{hint}")
        stored = cls(folder.resolve(), **read_json(folder / SWEEP_FILE, _REMEDY, _KINDS))
        home = Path(stored.called_from)
        if home != Path.cwd() and home.is_dir():
            raise UserError(f"sweep.resume={folder} was started in {home}; go there first: cd {home}")
        return stored._as_before()

    def _as_before(self) -> "StoredSweep":
        """One that is older than `training.best_by` goes on by what its jobs were ranked by, the new ones too."""
        if not any(is_older(file.parent) for file in self.folder.glob(f"*/{CONFIG}")):
            return self
        line = f"training.best_by={EARLIER}"
        return replace(self, overrides=[*self.overrides, line], jobs=[[*job, line] for job in self.jobs])

    def write(self) -> None:
        """Into the sweep's folder."""
        values = {key: value for key, value in asdict(self).items() if key != "folder"}
        write_text(self.folder / SWEEP_FILE, json.dumps(values, indent=2, ensure_ascii=False) + "\n")

    def continued(self, given: Sequence[str]) -> list[str]:
        """The overrides to go on with: the stored ones, and what is new in the given command."""
        new = [line for line in given if line not in self.command and key_of(line) != "sweep.resume"]
        return [
            *without(self.overrides, {"hydra.sweep.dir", *map(key_of, new)}),
            *new,
            f"hydra.sweep.dir={quote(str(self.folder))}",
            f"++hydra.job.env_set.{CONTINUED}=1",
        ]

    def check_same(self, jobs: Sequence[DictConfig]) -> None:
        """Refuses jobs that are not those of this sweep.

        Raises:
            UserError: naming the difference.
        """
        before, now = ([_compared(job) for job in jobs] for jobs in (self.jobs, map(job_overrides, jobs)))
        if before == now:
            return
        asked, had = (list(dict.fromkeys(chain(*lines))) for lines in (now, before))
        new = " ".join(line for line in asked if line not in had) or "nothing else"
        gone = " ".join(line for line in had if line not in asked) or "nothing"
        raise UserError(
            f"sweep.resume={self.folder} goes on with the jobs it has; this command asks for {new} and leaves {gone} "
            "out; give what the sweep was started with, or only -m sweep.resume=FOLDER"
        )


def job_overrides(job: DictConfig) -> list[str]:
    """The overrides of a composed job, without Hydra's own."""
    return as_typed(job.hydra.overrides.task)


def _compared(lines: Sequence[str]) -> list[str]:
    return sorted(line for line in lines if key_of(line).split(".")[0] not in _FREE)


def find_sweep(resume: Override | None, multirun: bool) -> StoredSweep | None:
    """The sweep that `sweep.resume` names, if it is given.

    Raises:
        UserError: it is no sweep's folder, or the command is not one for several jobs.
    """
    value = resume.value() if resume is not None else None
    if resume is None or value is None:
        return None
    if resume.is_sweep_override():
        raise UserError(f"sweep.resume takes one path, not {resume.get_value_string()}")
    if not multirun:
        raise UserError(
            f"sweep.resume goes on with a sweep; ask for one with -m: python run.py -m sweep.resume={value}"
        )
    return StoredSweep.read(Path(str(value)))


@contextmanager
def hold(folder: Path, config_dir: str | None = None) -> Iterator[None]:
    """Keeps a sweep for this process, to the end of the context or of the process; stopped, says how to go on.

    Args:
        folder: of the sweep.
        config_dir: Hydra's flag, which has to be typed again.

    Raises:
        UserError: another process is running it.
    """
    with locked(folder):
        try:
            yield
        except (KeyboardInterrupt, OSError):  # stopped, or by a full disk
            flag = "" if config_dir is None else f"--config-dir={config_dir} "
            log.warning("go on with: python run.py -m %ssweep.resume=%s", flag, folder)
            raise


def run_unless_done(cfg: DictConfig, folder: Path, continued: bool, run: Task) -> float:
    """Runs a job of a sweep with `run`, from where it is in `folder`, and gives what it returns.

    Where another process is at the same job, which outlived the sweep's own, this one waits for it.
    """
    done = folder / DONE_FILE
    with locked(folder, wait=True):
        if continued and done.exists() and (value := _result(folder, cfg.task.name)) is not None:
            print(f"{folder.name} is done: {value:.4g}")
            return value
        for file in (done, *(folder / name for name in (FAILURE_FILE, PRUNED_FILE, METRICS))):
            file.unlink(missing_ok=True)
        if continued and cfg.task.name == "train":
            cfg.resume = str(folder)  # from its last checkpoint, or without one from the start; in its MLflow run
        value = run(cfg, folder)
        write_text(done, f"{value!r}\n")
        return value


def _result(folder: Path, task: str) -> float | None:
    """What a job that is done returned; None, which is said, where it has to go on to have its results again."""
    try:
        text = read_text(folder / DONE_FILE, "")
        if (folder / METRICS).exists() or task == "train":
            read_json(folder / METRICS, "")
        if not text.endswith("\n"):
            raise damaged(folder / DONE_FILE, "it is cut short", "")
        return float(text)
    except UserError as error:
        reason = str(error).removesuffix("; ")
    except ValueError:
        reason = f"{folder / DONE_FILE} holds no number"
    log.warning("%s; the job goes on, and makes it again", reason)
    return None
