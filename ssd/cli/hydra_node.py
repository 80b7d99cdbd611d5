"""A look at what the user set in Hydra's own node, which Hydra takes as it is."""

import logging
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ssd.cli.hydra_errors import explain
from ssd.errors import UserError


def check_hydra(job: DictConfig, multirun: bool) -> None:
    """Refuses what Hydra would stumble over before a job has begun.

    Args:
        job: composed, with its `hydra` node.
        multirun: whether it is one of several.

    Raises:
        UserError: naming the key.
    """
    if not isinstance(OmegaConf.select(job, "hydra", default=None), DictConfig):
        raise UserError("hydra has no value; leave it as it is")
    _value(job, "name")  # a part of the folder: what is wrong with it is said of it
    key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
    if not str(_value(job, key)).strip():
        raise UserError(f"{key} is empty; give a folder, or leave it out")
    if multirun and "${" not in str(OmegaConf.to_container(job.hydra.sweep)["subdir"]):  # type: ignore[index,call-overload]
        raise UserError("hydra.sweep.subdir is the same for all jobs, which would share one folder; leave it out")
    for key in ("hydra.sweeper", "hydra.launcher"):
        node = _value(job, key)
        target = node.get("_target_") if isinstance(node, DictConfig) else None
        if not isinstance(target, str) or not target.startswith(("hydra.", "hydra_plugins.", "ssd.")):
            chosen = key.replace(".", "/")
            raise UserError(f"{key} is no part of Hydra or of this program; choose one: {chosen}=basic")
    batch = OmegaConf.select(job, "hydra.sweeper.max_batch_size", default=None)
    if isinstance(batch, int) and batch < 1:
        raise UserError(f"hydra.sweeper.max_batch_size={batch} must be at least 1")
    subdir = _value(job, "hydra.output_subdir")
    if isinstance(subdir, str) and (subdir.startswith("/") or ".." in subdir.split("/") or not subdir):
        raise UserError(f"hydra.output_subdir={subdir} must be a folder inside the run's; leave it out")
    _check_logging(job)


def _check_logging(job: DictConfig) -> None:
    verbose = _value(job, "hydra.verbose")
    if not isinstance(verbose, bool | str) and not OmegaConf.is_list(verbose):
        raise UserError(f"hydra.verbose={verbose} must be true, false or the name of a logger")
    level: Any = OmegaConf.select(job, "hydra.job_logging.root.level", default=None)
    if isinstance(level, str) and level.upper() not in logging.getLevelNamesMapping():
        names = "DEBUG, INFO, WARNING, ERROR"
        raise UserError(f"hydra.job_logging.root.level={level} is no level; choose one of: {names}")


def _value(job: DictConfig, key: str) -> Any:
    try:
        return OmegaConf.select(job, key, default=None)
    except OmegaConfBaseException as error:
        raise UserError(explain(error)) from error
