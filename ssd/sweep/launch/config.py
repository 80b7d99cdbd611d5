"""Schemas and checks of `hydra/launcher`: conf/hydra/launcher. Imports nothing heavy."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from omegaconf import MISSING, DictConfig

from ssd.errors import UserError


@dataclass
class JoblibConfig:
    """conf/hydra/launcher/joblib.yaml."""

    _target_: str = "ssd.sweep.launch.processes.ProcessLauncher"
    n_jobs: int = 2
    threads: int | None = None


@dataclass
class RayConfig:
    """conf/hydra/launcher/ray.yaml and ray_cluster.yaml."""

    _target_: str = "ssd.sweep.launch.ray_tasks.RayLauncher"
    n_jobs: int = MISSING
    cpus: int = 1
    gpus: float | None = None
    init: dict[str, Any] = field(default_factory=dict)


@dataclass
class SubmititConfig:
    """conf/hydra/launcher/submitit_slurm.yaml and submitit_local.yaml."""

    _target_: str = "ssd.sweep.launch.slurm_jobs.SubmititLauncher"
    cluster: str = MISSING  # slurm, or local to rehearse it
    n_jobs: int = MISSING
    poll_seconds: float = MISSING  # between two looks at the jobs
    folder: str = MISSING
    parameters: dict[str, Any] = field(default_factory=dict)  # of submitit's update_parameters


SCHEMAS: dict[str, type] = {"joblib": JoblibConfig, "ray": RayConfig, "submitit": SubmititConfig}

# Class of a launcher → the package it needs and the extra that brings it.
PACKAGES = {RayConfig._target_: ("ray", "ray"), SubmititConfig._target_: ("submitit", "slurm")}

AT_LEAST_1 = ("n_jobs", "threads", "cpus")


def check_launcher(launcher: DictConfig) -> None:
    """Checks Hydra's node of the launcher.

    Raises:
        UserError: a number that cannot be, or a package that is not installed.
    """
    for name in AT_LEAST_1:
        value = launcher.get(name)
        if value is not None and value < 1 and not (name == "n_jobs" and value == -1):
            raise UserError(f"hydra.launcher.{name}={value} must be at least 1")
    package, extra = PACKAGES.get(launcher._target_, ("hydra", ""))
    if find_spec(package) is None:
        command = f"pip install -c constraints.txt -e '.[{extra}]'"
        raise UserError(f"this launcher needs the package {package}, which is not installed: {command}")
