"""`python run.py`: compose, check, run the task. Nothing heavy is imported before the configuration is checked.

Exit status: 0 done, 1 a failure (in a multirun: of any job) or errors that task=inspect found, 2 a mistake of the
user's, 128 + the number of a signal that stopped it: 130 Ctrl-C, 143 SIGTERM, 138 and 140 SIGUSR1 and SIGUSR2, by which
Slurm says that the time limit is near; its job is requeued then.
"""

import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ssd import __version__, interrupts
from ssd.cli.checks import check
from ssd.cli.command_line import parse
from ssd.cli.compose import CONF, mode_known, register
from ssd.cli.fault import describe_fault, faults_of_threads_told
from ssd.cli.help import help_text
from ssd.cli.other_member import check_is_one_training
from ssd.cli.own_task import import_task
from ssd.cli.plan import carry_out, make_plan
from ssd.cli.requeue import requeue
from ssd.cluster import this_member
from ssd.console import waiting
from ssd.errors import UserError
from ssd.native_output import native_output_to
from ssd.runs.files import write_text
from ssd.runs.folder import CONFIG, LOG
from ssd.runs.lock import locked
from ssd.sweep.launch.resume import run_unless_done
from ssd.sweep.node import is_continued

log = logging.getLogger("ssd")
record = logging.getLogger("ssd.record")  # into run.log only (conf/config.yaml)

_STOPPED = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv` (sys.argv without the program by default) and returns the exit status."""
    given = sys.argv[1:] if argv is None else argv
    if "--version" in given:
        print(f"ssd-experiments {__version__}")
        return 0
    with _stopped_by_signals() as received, faults_of_threads_told():
        try:
            status = _run(given)
        except Exception as error:  # a fault of ours, of a library or of a user's own part
            status = 1
            if not received:
                print(f"error: {describe_fault(error)}", file=sys.stderr)
    if received:
        by = signal.Signals(next((number for number in received if number != signal.SIGINT), signal.SIGINT))
        received.clear()  # or a later command of this process would stop, too
        print(_STOPPED.get(by, f"stopped by {by.name}"), file=sys.stderr)
        if by in interrupts.BEFORE_THE_LIMIT:
            requeue()
        return 128 + by
    return status


@contextmanager
def _stopped_by_signals() -> Iterator[list[int]]:
    """What a batch system sends before it kills stops as cleanly as Ctrl-C."""
    received = interrupts.received
    received.clear()
    before = {number: signal.getsignal(number) for number in interrupts.STOPPING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, interrupts.stop)
    try:
        yield received
    except KeyboardInterrupt:
        if not received:
            received.append(signal.SIGINT)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(argv: Sequence[str]) -> int:
    """Checks everything, then hands over to Hydra."""
    with ExitStack() as held:
        try:
            args = parse(argv)
            if args.help:
                print(help_text())
                return 0
            with waiting("reading the configuration"):
                register()
                plan = make_plan(args)
            overrides = carry_out(plan, held)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises what goes wrong instead of printing its own report of it
        sys.argv[1:] = [*plan.flags, *overrides]
        try:
            with mode_known() if plan.is_one_job else nullcontext():
                _job()
        except UserError as error:  # of a sweep; a single run has said it and left
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _job(cfg: DictConfig) -> float:
    """One job: a single run, or one of a multirun (in its launcher's process)."""
    node = HydraConfig.get()
    multirun = node.mode == RunMode.MULTIRUN
    folder = Path(node.runtime.output_dir)
    try:
        check_is_one_training(multirun, this_member())  # also where a launcher starts a job several times
        if multirun:
            return run_unless_done(cfg, folder, is_continued(node), run_task)
        with locked(folder):
            return run_task(cfg, folder)
    except UserError as error:
        (log if multirun else record).error("%s", error)
        if multirun:
            raise  # the sweep goes on, and fails at its end
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.status) from None
    except Exception as error:
        record.exception("%s", error)  # with its trace, which is nothing for the terminal
        if multirun:
            log.error("%s", describe_fault(error, folder / LOG))
        if multirun or interrupts.received:
            raise
        print(f"error: {describe_fault(error, folder / LOG)}", file=sys.stderr)
        raise SystemExit(1) from None


def run_task(cfg: DictConfig, folder: Path) -> float:
    """Checks the configuration, writes it resolved to `folder`/config.yaml and runs its task there.

    Of a resumed training it is written once that goes on (`ssd.runs.going_on`).
    """
    check(cfg)
    OmegaConf.resolve(cfg)
    if cfg.resume is None:
        write_text(folder / CONFIG, OmegaConf.to_yaml(cfg))
    with native_output_to(folder / LOG):
        return import_task(cfg.task._target_)(cfg, folder)
