"""`python run.py`: compose, check, run the task. Nothing heavy is imported before the configuration is checked.

Exit status: 0 done, 1 a failure (in a multirun: of any job), 2 a mistake of the user's, 130 interrupted.
"""

import logging
import os
import sys
import traceback
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

# Quiet libraries; all read when these are first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ssd.composition import CONF, compose_jobs, quote, register, without_hydra
from ssd.errors import UserError
from ssd.help import help_text
from ssd.history import with_history
from ssd.validation import check_keys, validate

log = logging.getLogger("ssd")
record = logging.getLogger("ssd.record")  # into run.log only (conf/config.yaml)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv` (sys.argv without the program by default) and returns the exit status."""
    args = get_args_parser().parse_intermixed_args(list(sys.argv[1:] if argv is None else argv))
    if args.help:
        print(help_text())
        return 0
    multirun = args.multirun or "hydra.mode=MULTIRUN" in args.overrides
    try:
        register()
        overrides = prepare(args, multirun)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises what goes wrong instead of printing its own report of it
    sys.argv[1:] = [*_flags(args), *overrides]
    try:
        _job()
    except UserError as error:  # of a job of a multirun; a single run has said it and left
        print(f"error: at least one job failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def prepare(args: Namespace, multirun: bool) -> list[str]:
    """The overrides to run with, every job checked: those of an earlier run, the user's, and a folder of their own.

    Raises:
        UserError: for every mistake that can be found before the task starts.
    """
    if args.hydra_help or args.info or args.shell_completion or args.experimental_rerun:
        return args.overrides
    overrides = with_history(args.overrides, multirun)
    jobs = compose_jobs(overrides, multirun, args.config_name or "config", args.config_dir)
    if not multirun and any(line.startswith("sweeps=") and line != "sweeps=null" for line in args.overrides):
        raise UserError(f"sweeps run several jobs; ask for them with -m: python run.py -m {' '.join(args.overrides)}")
    for job in jobs:
        # shown, a configuration may lack what only a run needs
        (check_keys if args.cfg else validate)(without_hydra(job))
    key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
    if args.cfg or any(line.startswith(f"{key}=") for line in overrides):
        return overrides
    folder = f"{key}={quote(str(reserve(Path(OmegaConf.select(jobs[0], key)))))}"
    return [*overrides, folder, *(_name_jobs_by_what_varies(overrides) if multirun else ())]


def _name_jobs_by_what_varies(overrides: Sequence[str]) -> list[str]:
    """Keeps what all jobs share out of the names of their folders."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    shared = [override.key_or_group for override in parsed if not override.is_sweep_override()]
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
    multirun = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        return run_task(cfg, Path(HydraConfig.get().runtime.output_dir))
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
        point_latest(Path("outputs"), folder)
    return import_module(f"ssd.tasks.{cfg.task.name}").run(cfg, folder)


def point_latest(outputs: Path, folder: Path) -> None:
    """Makes `outputs`/latest a link to the run folder, replacing the one before in one step."""
    fresh = outputs / f".latest-{os.getpid()}"
    try:
        outputs.mkdir(exist_ok=True)
        fresh.symlink_to(os.path.relpath(folder, outputs), target_is_directory=True)
        fresh.replace(outputs / "latest")
    except OSError as error:  # a file system without links, or a folder of that name
        fresh.unlink(missing_ok=True)
        log.warning("%s/latest was not updated: %s", outputs, error)
