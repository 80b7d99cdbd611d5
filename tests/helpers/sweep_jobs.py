"""Jobs of sweeps, made by hand and as folders."""

import json
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ssd.runs.results import write_results
from ssd.sweep.report.jobs import JobResult, ranked


def job(number: int, *given: str, status: str = "done", settings: Any = None, **metrics: Any) -> JobResult:
    """A job with three epochs on record."""
    rows = [
        {"epoch": float(e), "train/loss": 9.0 / e, "val/mAP50": metrics.get("mAP50", 0.1) * e / 3} for e in (1, 2, 3)
    ]
    reason = "" if status == "done" else "out of memory"
    return JobResult(number, given, status, reason, metrics, settings or {}, rows)


def backbones() -> list[JobResult]:
    """Two backbones by three seeds; one job failed, one was given up."""
    big: dict[str, Any] = {"mAP": 0.3, "parameters": 26e6, "gflops": 60.0, "latency_ms": 200.0, "minutes": 30.0}
    small: dict[str, Any] = {"mAP": 0.25, "parameters": 6e6, "gflops": 1.5, "latency_ms": 40.0, "minutes": 10.0}
    return ranked(
        [
            job(0, "backbone=vgg16", "seed=1", "training.epochs=3", mAP50=0.5, **big),
            job(1, "backbone=vgg16", "seed=2", "training.epochs=3", mAP50=0.7, **big),
            job(2, "backbone=vgg16", "seed=3", "training.epochs=3", status="failed"),
            job(3, "backbone=mobilenet_v2", "seed=1", "training.epochs=3", mAP50=0.65, **small),
            job(4, "backbone=mobilenet_v2", "seed=2", "training.epochs=3", mAP50=0.61, **small),
            job(5, "backbone=mobilenet_v2", "seed=3", "training.epochs=3", mAP50=0.01, status="pruned"),
        ]
    )


def write_job(sweep: Path, number: int, given: list[str], mAP50: float | None, run_id: str | None = None) -> Path:  # noqa: N803
    """A job's folder as Hydra and a training leave it."""
    folder = sweep / f"{number}_job"
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(given, folder / ".hydra" / "overrides.yaml")
    OmegaConf.save({"hydra": {"job": {"num": number}}}, folder / ".hydra" / "hydra.yaml")
    if mAP50 is not None:
        (folder / "metrics.json").write_text(json.dumps({"name": "a", "mAP50": mAP50, "mAP": None, "per_class": []}))
        write_results(folder / "results.csv", [{"epoch": 1, "train/loss": 3.0, "val/mAP50": mAP50}])
    if run_id is not None:
        (folder / "mlflow_run.txt").write_text(f"{run_id}\n")
    return folder
