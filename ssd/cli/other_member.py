"""A process of a training that is not its chief: it computes the same, and leaves nothing behind.

Whatever a run writes goes into a folder of its own that is gone when it ends well, nothing goes to MLflow, and the
terminal has errors alone. A resumed one begins with a copy of the run's folder, which all processes must see.
"""

import os
import shutil
import tempfile
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from types import TracebackType

from ssd.cluster import Member
from ssd.config.overrides import by_key, quote, without
from ssd.errors import UserError

_OWN = ("hydra.run.dir", "tracking.enabled", "tracking.tensorboard")


def check_is_one_training(multirun: bool, member: Member) -> None:
    """Refuses a sweep in processes that train together.

    Raises:
        UserError: saying what to do.
    """
    if multirun and member.count > 1:
        raise UserError(
            f"-m runs several trainings, and this is one of {member.count} processes that do one together (TF_CONFIG, "
            "or a step of Slurm); start the sweep outside of them"
        )


def aside(overrides: list[str], member: Member, held: ExitStack) -> list[str]:
    """The overrides of such a process.

    Args:
        overrides: of the command, as the chief has them.
        member: not the chief.
        held: silences the process, and removes its folder, when it is closed without an error.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"ssd-process-{member.index}-{os.getpid()}-"))
    held.push(lambda kind, error, trace: _remove(folder, kind, error, trace))
    nowhere = held.enter_context(open(os.devnull, "w"))  # noqa: SIM115  (`held` closes it)
    held.enter_context(redirect_stdout(nowhere))
    given = by_key(overrides)
    if "resume" in given and (run := given["resume"].value()) is not None:
        shutil.copytree(str(run), folder, dirs_exist_ok=True)
    return [
        *without(overrides, _OWN),
        f"hydra.run.dir={quote(str(folder))}",
        "tracking.enabled=false",
        "tracking.tensorboard=false",
    ]


def _remove(
    folder: Path, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
) -> bool:
    if kind is None:
        shutil.rmtree(folder, ignore_errors=True)
    return False
