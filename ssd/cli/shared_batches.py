"""What of a configuration must fit the devices and processes that share each batch."""

from typing import Any

from ssd.cluster import this_member
from ssd.config.schemas import ScaleRate
from ssd.errors import UserError


def check_shared_batches(values: dict[str, Any]) -> None:
    """Refuses a training whose batches cannot be shared as is asked for.

    Args:
        values: the configuration, resolved.

    Raises:
        UserError: naming the key and what would do.
    """
    task, training = values["task"]["name"], values["training"]
    if task not in ("train", "lr_find"):
        return
    _check_rate(task, training)
    processes = this_member().count if task == "train" else 1
    parts = training["devices"] * processes * training["micro_batches"]
    if training["batch_size"] % parts:
        ways = [f"{training['devices']} devices", f"{training['micro_batches']} micro-batches"]
        ways += [f"{processes} processes"] if processes > 1 else []
        nearest = max(round(training["batch_size"] / parts), 1) * parts
        raise UserError(
            f"training.batch_size={training['batch_size']} cannot be shared evenly ({', '.join(ways)}); give "
            f"training.batch_size={nearest}, or another multiple of {parts}"
        )
    if training["synchronized_batch_norm"] and training["micro_batches"] > 1:
        raise UserError(
            "training.synchronized_batch_norm is of batches that pass the network at once; leave "
            "training.micro_batches out, or freeze the batch norms (backbone.freeze_batch_norm=true)"
        )
    if processes > 1 and training["minutes"] is not None:
        raise UserError(
            f"training.minutes={training['minutes']:g} is by one machine's clock, and {processes} train together; give "
            "training.minutes=null and training.epochs"
        )


def _check_rate(task: str, training: dict[str, Any]) -> None:
    if training["scale_rate"] == ScaleRate.none:
        return
    rule = training["scale_rate"].name
    if training["base_batch_size"] is None:
        raise UserError(
            f"training.scale_rate={rule} needs training.base_batch_size, the batch that optimizer.learning_rate was "
            "found for"
        )
    if task == "lr_find":
        raise UserError(f"training.scale_rate={rule}: task=lr_find finds the rate of this very batch; leave it out")
