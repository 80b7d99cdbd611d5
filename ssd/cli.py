"""`python run.py`: compose, check, run the task. Nothing heavy is imported before the configuration is checked.

Exit status: 0 done, 1 a failure (in a multirun: of any job), 2 a mistake of the user's, 130 interrupted (Ctrl-C),
143 terminated.
"""

import logging
import os
import signal
import sys
import traceback
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from types import FrameType

# Quiet libraries; all read when these are first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ssd.composition import CONF, compose_jobs, register, without_hydra
from ssd.errors import UserError
from ssd.help import help_text
from ssd.history import by_key, with_history
from ssd.overrides import at_home, key_of, quote
from ssd.sweep.launcher_config import check_launcher
from ssd.sweep.resume import SWEEP_FILE, StoredSweep, find_sweep, hold, is_continued, job_overrides, run_job
from ssd.validation import check_keys, validate

log = logging.getLogger("ssd")
record = logging.getLogger("ssd.record")  # into run.log only (conf/config.yaml)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv` (sys.argv without the program by default) and returns the exit status."""
    args = get_args_parser().parse_intermixed_args(list(sys.argv[1:] if argv is None else argv))
    args.overrides = [at_home(line) for line in args.overrides]
    if args.help:
        print(help_text())
        return 0
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        return _run(args)
    except KeyboardInterrupt as interrupt:
        terminated = isinstance(interrupt, Terminated)
        print("terminated" if terminated else "interrupted", file=sys.stderr)
        return 143 if terminated else 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(args: Namespace) -> int:
    """Checks everything, then hands over to Hydra."""
    multirun = args.multirun or "hydra.mode=MULTIRUN" in args.overrides
    with ExitStack() as held:
        try:
            register()
            overrides, sweep = prepare(args, multirun)
            if sweep is not None:
                held.enter_context(hold(sweep))
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises what goes wrong instead of printing its own report of it
        sys.argv[1:] = [*_flags(args), *overrides]
        try:
            _job()
        except UserError as error:  # of a sweep; a single run has said it and left
            print(f"error: {error}", file=sys.stderr)
            return 1
        except Exception:
            traceback.print_exc()
            return 1
    return 0


class Terminated(KeyboardInterrupt):
    """SIGTERM, which a batch system sends before it kills: the same clean stop as Ctrl-C."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def prepare(args: Namespace, multirun: bool) -> tuple[list[str], Path | None]:
    """The overrides to run with, every job checked, and the folder of a multirun.

    The overrides are those of an earlier run or of the sweep to go on with, the user's, and a folder of their own.

    Raises:
        UserError: for every mistake that can be found before the task starts.
    """
    if args.hydra_help or args.info or args.shell_completion or args.experimental_rerun:
        return args.overrides, None
    stored = find_sweep(by_key(args.overrides).get("sweep.resume"), multirun)
    if stored is not None:
        args.config_name, args.config_dir = args.config_name or stored.config_name, args.config_dir or stored.config_dir
        overrides = stored.continued(args.overrides)
    else:
        overrides = with_history(args.overrides, multirun)
    jobs = compose_jobs(overrides, multirun, args.config_name or "config", args.config_dir)
    if multirun:
        check_launcher(jobs[0].hydra.launcher)
    elif not args.cfg:
        _check_single(jobs[0], args.overrides)
    for job in jobs:
        # shown, a configuration may lack what only a run needs
        (check_keys if args.cfg else validate)(without_hydra(job))
    if args.cfg:
        return overrides, None
    key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
    folder = Path(OmegaConf.select(jobs[0], key))
    if key not in map(key_of, overrides):
        folder = reserve(folder)
        overrides = [*overrides, f"{key}={quote(str(folder))}"]
    if not multirun:
        return overrides, None
    if stored is not None:
        stored.check_same(jobs)
    else:
        _note_sweep(folder, args, overrides, jobs)
    point_latest(Path("outputs", "latest_sweep"), folder)
    return [*overrides, *_name_jobs_by_what_varies(overrides)], folder


def _note_sweep(folder: Path, args: Namespace, overrides: list[str], jobs: Sequence[DictConfig]) -> None:
    if (folder / SWEEP_FILE).exists():
        hint = f"go on with it by sweep.resume={folder}, or choose another folder"
        raise UserError(f"hydra.sweep.dir={folder} holds a sweep already; {hint}")
    shown = [job_overrides(job) for job in jobs]
    StoredSweep(folder, args.overrides, overrides, shown, str(Path.cwd()), args.config_name, args.config_dir).write()


def _check_single(job: DictConfig, given: Sequence[str]) -> None:
    """Refuses a sweep without -m; one of its jobs, with a value for all that varies, is a single run like others."""
    keys = set(map(key_of, given))
    if "sweep.register" in keys and job.task.name != "report":
        raise UserError("sweep.register is for the best job of a sweep: give it with -m or with task=report")
    if set(OmegaConf.select(job, "hydra.sweeper.params") or {}) - keys:
        raise UserError(f"sweeps run several jobs; ask for them with -m: python run.py -m {' '.join(given)}")


def _name_jobs_by_what_varies(overrides: Sequence[str]) -> list[str]:
    """Keeps what all jobs share out of the names of their folders."""
    shared = [key for key, override in by_key(overrides).items() if not override.is_sweep_override()]
    return [f"hydra.job.config.override_dirname.exclude_keys=[{','.join(map(quote, shared))}]"]


def reserve(folder: Path) -> Path:
    """Makes `folder`, or `folder_2`, `folder_3`, ...: the first that no other run has, however close they start."""
    number = 1
    while True:
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}_{number}")
        try:
            candidate.mkdir(parents=True)
            return candidate
        except FileExistsError:
            number += 1


def _flags(args: Namespace) -> list[str]:
    """Hydra's own flags of a parsed command line."""
    flags = [f"--{name}" for name in ("hydra_help", "resolve", "run", "multirun") if getattr(args, name)]
    flags += ["--shell-completion"] if args.shell_completion else []
    for name in ("cfg", "package", "config_path", "config_name", "config_dir", "experimental_rerun", "info"):
        if (value := getattr(args, name)) is not None:
            flags += [f"--{name.replace('_', '-')}={value}"]
    return [flag.replace("hydra_help", "hydra-help") for flag in flags]


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _job(cfg: DictConfig) -> float:
    """One job: a single run, or one of a multirun (in its launcher's process)."""
    node = HydraConfig.get()
    multirun = node.mode == RunMode.MULTIRUN
    folder = Path(node.runtime.output_dir)
    try:
        return run_job(cfg, folder, is_continued(node), run_task) if multirun else run_task(cfg, folder)
    except UserError as error:
        (log if multirun else record).error("%s", error)
        if multirun:
            raise  # the sweep goes on, and fails at its end
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except Exception as error:
        (log if multirun else record).exception("%s", error)
        raise


def run_task(cfg: DictConfig, folder: Path) -> float:
    """Checks the configuration, writes it resolved to `folder`/config.yaml and runs its task there."""
    validate(cfg)
    OmegaConf.resolve(cfg)
    OmegaConf.save(cfg, folder / "config.yaml")
    if cfg.task.name == "train":
        point_latest(Path("outputs", "latest"), folder)
    return import_module(f"ssd.tasks.{cfg.task.name}").run(cfg, folder)


def point_latest(link: Path, folder: Path) -> None:
    """Makes `link` lead to a folder, replacing the one before in one step."""
    fresh = link.with_name(f".{link.name}-{os.getpid()}")
    try:
        link.parent.mkdir(exist_ok=True)
        fresh.symlink_to(os.path.relpath(folder, link.parent), target_is_directory=True)
        fresh.replace(link)
    except OSError as error:  # a file system without links, or a folder of that name
        fresh.unlink(missing_ok=True)
        log.warning("%s was not updated: %s", link, error)
