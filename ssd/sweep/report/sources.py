"""What `task=report source=...` names: folders of sweeps and runs, and MLflow run ids, joined by `+` or commas."""

import re
from dataclasses import dataclass
from pathlib import Path

from ssd.config.listed import split_source
from ssd.errors import UserError
from ssd.runs.folder import OVERRIDES, is_run
from ssd.sweep.report.jobs import job_folders

_RUN_ID = re.compile(r"[0-9a-f]{32}")  # MLflow's


@dataclass(frozen=True)
class Sources:
    """Where jobs are read from; in `ids` a sweep's own run means its jobs."""

    sweeps: tuple[Path, ...] = ()
    runs: tuple[Path, ...] = ()
    ids: tuple[str, ...] = ()

    @property
    def one_sweep(self) -> bool:
        """Whether it is one sweep's folder and nothing else."""
        return len(self.sweeps) == 1 and not self.runs and not self.ids


def read_source(source: str) -> Sources:
    """Looks at each part of `source`; a folder whose name has a `+` may be given alone.

    Raises:
        UserError: a part is neither a run id nor the folder of a sweep or a run.
    """
    sweeps: list[Path] = []
    runs: list[Path] = []
    ids: list[str] = []
    for part in split_source(source, "+,"):
        folder = Path(part)
        if _RUN_ID.fullmatch(part):
            ids.append(part)
        elif not part or not folder.exists():
            raise UserError(
                f"source={source}: '{part}' is neither a folder nor an MLflow run id (32 characters); several are "
                f"joined by +, and paths are relative to {Path.cwd()}"
            )
        elif is_run(folder):
            runs.append(folder)
        elif job_folders(folder):
            sweeps.append(folder)
        else:
            raise UserError(
                f"source={part} is not the folder of a sweep or a run: neither it nor a folder in it has {OVERRIDES}"
            )
    return Sources(tuple(sweeps), tuple(runs), tuple(ids))
