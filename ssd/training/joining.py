"""How the processes and devices of a training come together, and what becomes of it when one is lost."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from ssd.cluster import TF_CONFIG, Member, this_member
from ssd.errors import UserError, first_line
from ssd.training.replicas import Replicas

_PORTS = range(20_000, 30_000)  # that tasks of Slurm listen at; below those that Linux gives to connections
# What TensorFlow raises in the others when a process is gone.
_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


def join_replicas(devices: int) -> Replicas:
    """The devices of this process and, where the environment tells of others, of those; before anything is computed.

    Args:
        devices: of each process: GPUs, or on a machine without one parts of its processor, to try things out.

    Raises:
        UserError: there are fewer devices, or a process cannot be reached.
    """
    member = this_member()
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and len(gpus) < devices:
        raise UserError(f"training.devices={devices}, but this machine has {len(gpus)} GPUs; give at most so many")
    if member.count > 1:
        return Replicas(_joined(member, devices, gpus), member)
    if devices == 1:
        return Replicas(tf.distribute.get_strategy(), member)
    if not gpus:
        parts = [tf.config.LogicalDeviceConfiguration()] * devices
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
    kind = "GPU" if gpus else "CPU"
    return Replicas(tf.distribute.MirroredStrategy([f"{kind}:{number}" for number in range(devices)]), member)


def _joined(member: Member, devices: int, gpus: list[Any]) -> tf.distribute.Strategy:
    if not gpus and devices > 1:
        raise UserError(f"training.devices={devices} of several machines are GPUs, and this one has none")
    tf.config.set_visible_devices(gpus[:devices], "GPU")
    if TF_CONFIG not in os.environ:
        os.environ[TF_CONFIG] = json.dumps(tf_config_of_slurm())
    addresses = [place for places in json.loads(os.environ[TF_CONFIG])["cluster"].values() for place in places]
    hosts = {place.rpartition(":")[0] for place in addresses}
    os.environ.setdefault("no_grpc_proxy", ",".join(sorted(hosts)))  # or TensorFlow asks https_proxy for them
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError) as error:
        raise UserError(
            f"process {member.index} of {member.count} cannot join the others ({first_line(error)}); see that all run, "
            f"and that {TF_CONFIG} is the same list for each, with addresses that the others reach"
        ) from error


def tf_config_of_slurm() -> dict[str, Any]:
    """TF_CONFIG as Slurm's step has it; which GPUs a task sees is Slurm's to say (srun --gpus-per-task)."""
    per_node = max(int(count.partition("(")[0]) for count in os.environ["SLURM_STEP_TASKS_PER_NODE"].split(","))
    port = _PORTS[int(os.environ.get("SLURM_JOB_ID", "0")) % (len(_PORTS) // per_node) * per_node]
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        port_base=port, gpus_per_node=per_node, gpus_per_task=1, auto_set_gpu=False
    )
    cluster = resolver.cluster_spec().as_dict()
    kind, index = resolver.get_task_info()
    return {"cluster": cluster, "task": {"type": kind, "index": index}}


class LostProcessError(UserError):
    """Another process of the training has ended: no mistake in the command."""

    status = 1


@contextmanager
def loss_of_others_said(folder: str) -> Iterator[None]:
    """Makes a sentence of what TensorFlow raises when another process of the training is gone.

    Args:
        folder: of the run.

    Raises:
        LostProcessError: another process has ended.
    """
    member = this_member()
    try:
        yield
    except _LOST as error:
        if member.count == 1:
            raise
        run = folder if member.is_chief else "RUN_FOLDER"
        raise LostProcessError(
            f"another of the {member.count} processes of this training has ended, or is not reached any more; see what "
            f"it said, and start all of them again with resume={run}"
        ) from error
