"""What became of the jobs of a multirun, from their folders."""

import json
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

FAILURE_FILE = "failure.txt"  # in a job's folder: why it failed, one line


@dataclass(frozen=True)
class JobResult:
    """One row of the table. The numbers are None for a job without a result; `reason` says why."""

    job: int
    overrides: str
    status: str
    mAP50: float | None  # noqa: N815  (the metric's name)
    mAP: float | None  # noqa: N815
    minutes: float | None
    reason: str


def read_jobs(folder: Path) -> list[JobResult]:
    """The jobs of a multirun from their folders, best mAP50 first, those without a result last.

    Args:
        folder: of the multirun; every folder in it with .hydra/overrides.yaml is a job's.
    """
    jobs = [file.parent.parent for file in folder.glob("*/.hydra/overrides.yaml")]
    overrides = {job: list(OmegaConf.load(job / ".hydra" / "overrides.yaml")) for job in jobs}
    shared = set.intersection(*map(set, overrides.values())) if len(jobs) > 1 else set()
    results = [_read_job(job, " ".join(str(o) for o in overrides[job] if o not in shared)) for job in jobs]
    return sorted(
        results, key=lambda result: (-1.0 if result.mAP50 is None else result.mAP50, -result.job), reverse=True
    )


def _read_job(folder: Path, overrides: str) -> JobResult:
    number = OmegaConf.load(folder / ".hydra" / "hydra.yaml").hydra.job.num
    try:
        if (folder / FAILURE_FILE).exists():
            raise ValueError((folder / FAILURE_FILE).read_text(encoding="utf-8").strip())
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return JobResult(number, overrides, "failed", None, None, None, "it ended without a metrics.json")
    except ValueError as error:
        return JobResult(number, overrides, "failed", None, None, None, str(error))
    return JobResult(number, overrides, "done", metrics.get("mAP50"), metrics.get("mAP"), metrics.get("minutes"), "")
