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

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ssd.cli.checks import check
from ssd.cli.compose import CONF, register
from ssd.cli.help import help_text
from ssd.cli.plan import carry_out, make_plan
from ssd.config.overrides import at_home
from ssd.errors import UserError
from ssd.runs.folder import CONFIG, point_latest
from ssd.sweep.launch.resume import run_unless_done
from ssd.sweep.node import is_continued

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
    with ExitStack() as held:
        try:
            register()
            plan = make_plan(args)
            overrides = carry_out(plan, held)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises what goes wrong instead of printing its own report of it
        sys.argv[1:] = [*plan.flags, *overrides]
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


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _job(cfg: DictConfig) -> float:
    """One job: a single run, or one of a multirun (in its launcher's process)."""
    node = HydraConfig.get()
    multirun = node.mode == RunMode.MULTIRUN
    folder = Path(node.runtime.output_dir)
    try:
        return run_unless_done(cfg, folder, is_continued(node), run_task) if multirun else run_task(cfg, folder)
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
    check(cfg)
    OmegaConf.resolve(cfg)
    OmegaConf.save(cfg, folder / CONFIG)
    if cfg.task.name == "train":
        point_latest(Path("outputs", "latest"), folder)
    return import_module(f"ssd.tasks.{cfg.task.name}").run(cfg, folder)
