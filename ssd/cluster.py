"""The processes that train together, one for each machine or GPU, as the environment tells them."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from ssd.errors import UserError

TF_CONFIG = "TF_CONFIG"  # the variable that TensorFlow, Kubernetes' training operator and Ray Train agree on
_KINDS = ("chief", "worker")


@dataclass(frozen=True)
class Member:
    """One of the processes: which, and of how many. Number 0 is the chief, which alone writes."""

    index: int = 0
    count: int = 1

    @property
    def is_chief(self) -> bool:
        """Whether it is the one that writes."""
        return self.index == 0


LONE = Member()


def this_member(environment: Mapping[str, str] = os.environ) -> Member:
    """This process's place: by TF_CONFIG, or else in the step of Slurm (`srun`) that it is a task of.

    Raises:
        UserError: TF_CONFIG is damaged, or has processes of other kinds than `chief` and `worker`.
    """
    if given := environment.get(TF_CONFIG):
        return _of_tf_config(given)
    tasks = int(environment.get("SLURM_STEP_NUM_TASKS", "1"))
    return Member(int(environment["SLURM_PROCID"]), tasks) if tasks > 1 else LONE


def _of_tf_config(given: str) -> Member:
    try:
        config = json.loads(given)
        cluster = config.get("cluster") or {}
        sizes = {kind: len(addresses) for kind, addresses in cluster.items()}
        kind, index = (config["task"]["type"], int(config["task"]["index"])) if sizes else (_KINDS[0], 0)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{TF_CONFIG} is not what TensorFlow takes ({type(error).__name__}: {error}); it must be "
            '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'
        ) from error
    if others := sorted({*sizes, kind} - set(_KINDS)):
        raise UserError(f"{TF_CONFIG} has a {others[0]}, which no training here needs; name workers alone")
    if sizes and not 0 <= index < sizes.get(kind, 0):
        raise UserError(f"{TF_CONFIG} says that this is {kind} {index}, and lists {sizes.get(kind, 0)} of them")
    return Member(index + (sizes.get("chief", 0) if kind == "worker" else 0), max(sum(sizes.values()), 1))
