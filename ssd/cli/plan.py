"""From a command line to a plan, in which all that can be found wrong has been found, and from the plan to deeds."""

import os
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ssd.cli.checks import check, check_keys
from ssd.cli.compose import compose_jobs, without_hydra
from ssd.cli.earlier_run import with_earlier_run
from ssd.cli.inputs import look_at_inputs
from ssd.cli.other_member import aside, check_is_one_training
from ssd.cli.replay import check_links, check_sweep, trusts
from ssd.cli.trained_start import trained_start
from ssd.cluster import this_member
from ssd.config.overrides import by_key, key_of, quote
from ssd.errors import UserError
from ssd.runs.folder import SWEEP_FILE, point_latest, reserve
from ssd.runs.going_on import check_same_experiment
from ssd.sweep.launch.config import check_launcher
from ssd.sweep.launch.resume import StoredSweep, find_sweep, hold, job_overrides


@dataclass(frozen=True)
class Plan:
    """What a command is to do; nothing of it is done yet.

    Attributes:
        flags: Hydra's, of the command line.
        overrides: the user's, and those that an earlier run or a stopped sweep brings.
        folder: of the run or sweep; None where nothing is run, because the command only shows something.
        is_new_folder: whether it is to be made, under another name where there is one already.
        is_training: whether it is one that several processes may do together.
        is_one_job: whether it is a single run, and no YAML says otherwise.
        sweep: how a multirun was started, or is to be remembered.
        is_new_sweep: whether it is to be written down.
    """

    flags: list[str]
    overrides: list[str]
    folder: Path | None = None
    is_new_folder: bool = False
    is_training: bool = False
    is_one_job: bool = False
    sweep: StoredSweep | None = None
    is_new_sweep: bool = False


def make_plan(args: Namespace) -> Plan:
    """Checks a command, every job of it.

    Args:
        args: from `parse`.

    Raises:
        UserError: for every mistake that can be found before the task starts.
    """
    if args.hydra_help or args.info or args.shell_completion or args.experimental_rerun:
        return Plan(_flags(args, args.config_name, args.config_dir), args.overrides)
    multirun = args.multirun or "hydra.mode=MULTIRUN" in args.overrides
    check_is_one_training(multirun, this_member())
    config_name, config_dir = args.config_name, args.config_dir
    stored = find_sweep(by_key(args.overrides).get("sweep.resume"), multirun)
    if stored is not None:
        if not trusts(by_key(args.overrides)):
            check_sweep(stored, config_dir)
            check_links(stored.folder, f"sweep.resume={stored.folder}")
        config_name, config_dir = config_name or stored.config_name, config_dir or stored.config_dir
        overrides = stored.continued(args.overrides)
    else:
        overrides = with_earlier_run(args.overrides, multirun, config_dir)
    chosen = (config_name or "config", config_dir)
    given, jobs = overrides, compose_jobs(overrides, multirun, *chosen)
    start = trained_start(jobs, given, *chosen) if stored is None else None
    if start is not None:
        overrides = start.with_it(given)
        jobs = compose_jobs(overrides, multirun, *chosen)
    _check_jobs(jobs, args, multirun, overrides)
    flags = _flags(args, config_name, config_dir)
    if args.cfg:
        return Plan(flags, overrides)
    look_at_inputs([without_hydra(job) for job in jobs])
    if start is not None and (usual := start.instead(given, jobs)) is not None:
        overrides = usual
        jobs = compose_jobs(overrides, multirun, *chosen)
        _check_jobs(jobs, args, multirun, overrides)
    if stored is None and jobs[0].training.recipe is not None:
        from ssd.cli.recipe import with_recipe  # numpy, which --help does not need

        overrides = with_recipe(jobs, overrides, *chosen)
        jobs = compose_jobs(overrides, multirun, *chosen)
        _check_jobs(jobs, args, multirun, overrides)
    key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
    folder, is_new_folder = Path(OmegaConf.select(jobs[0], key)), key not in map(key_of, overrides)
    if not multirun:
        is_training, is_one_job = jobs[0].task.name == "train", jobs[0].hydra.mode is None
        return Plan(flags, overrides, folder, is_new_folder, is_training, is_one_job)
    if stored is not None:
        stored.check_same(jobs)
        return Plan(flags, overrides, folder, sweep=stored)
    if not is_new_folder and (folder / SWEEP_FILE).exists():
        hint = f"go on with it by sweep.resume={folder}, or choose another folder"
        raise UserError(f"hydra.sweep.dir={folder} holds a sweep already; {hint}")
    shown = [job_overrides(job) for job in jobs]
    sweep = StoredSweep(folder, args.overrides, overrides, shown, str(Path.cwd()), config_name, config_dir)
    return Plan(flags, overrides, folder, is_new_folder, sweep=sweep, is_new_sweep=True)


def carry_out(plan: Plan, held: ExitStack) -> list[str]:
    """Makes the folder that a plan needs, and gives the overrides to hand over to Hydra.

    Args:
        plan: from `make_plan`.
        held: keeps a sweep's folder for this process until it is closed.

    Raises:
        UserError: another process is running the sweep.
    """
    folder, overrides = plan.folder, plan.overrides
    if folder is None:
        return overrides
    if plan.is_training and not (member := this_member()).is_chief:
        return aside(overrides, member, held)
    if plan.is_new_folder:
        folder = reserve(folder)
        overrides = [*overrides, f"hydra.{'run' if plan.sweep is None else 'sweep'}.dir={quote(str(folder))}"]
    if plan.sweep is None:
        return overrides
    if plan.is_new_sweep:
        replace(plan.sweep, folder=folder, overrides=overrides).write()
    point_latest(Path("outputs", "latest_sweep"), folder)
    held.enter_context(hold(folder, plan.sweep.config_dir))
    return [*overrides, *_name_jobs_by_what_varies(overrides)]


def _check_jobs(jobs: Sequence[DictConfig], args: Namespace, multirun: bool, overrides: Sequence[str]) -> None:
    if multirun:
        check_launcher(jobs[0].hydra.launcher)
    elif not args.cfg:
        _check_single(jobs[0], args.overrides, overrides)
    bare = [without_hydra(job) for job in jobs]
    for job in bare:
        # shown, a configuration may lack what only a run needs
        (check_keys if args.cfg else check)(job)
    if args.cfg:
        return
    if (resume := bare[0].resume) is not None and not multirun:
        values = OmegaConf.to_container(bare[0], resolve=True, enum_to_str=True)
        check_same_experiment(Path(resume), os.path.relpath(resume), values)  # type: ignore[arg-type]


def _check_single(job: DictConfig, given: Sequence[str], overrides: Sequence[str]) -> None:
    """Refuses a sweep without -m; one of its jobs, with a value for all that varies, is a single run like others."""
    keys = set(map(key_of, overrides))
    if "sweep.register" in keys and job.task.name != "report":
        raise UserError("sweep.register is for the best job of a sweep: give it with -m or with task=report")
    if set(OmegaConf.select(job, "hydra.sweeper.params") or {}) - keys:
        raise UserError(f"sweeps run several jobs; ask for them with -m: python run.py -m {' '.join(given)}")


def _name_jobs_by_what_varies(overrides: Sequence[str]) -> list[str]:
    """Keeps what all jobs share out of the names of their folders."""
    shared = [key for key, override in by_key(overrides).items() if not override.is_sweep_override()]
    return [f"hydra.job.config.override_dirname.exclude_keys=[{','.join(map(quote, shared))}]"]


def _flags(args: Namespace, config_name: str | None, config_dir: str | None) -> list[str]:
    """Hydra's own flags of a parsed command line."""
    flags = [f"--{name}" for name in ("hydra_help", "resolve", "run", "multirun") if getattr(args, name)]
    flags += ["--shell-completion"] if args.shell_completion else []
    values = {**vars(args), "config_name": config_name, "config_dir": config_dir}
    for name in ("cfg", "package", "config_path", "config_name", "config_dir", "experimental_rerun", "info"):
        if (value := values[name]) is not None:
            flags += [f"--{name.replace('_', '-')}={value}"]
    return [flag.replace("hydra_help", "hydra-help") for flag in flags]
