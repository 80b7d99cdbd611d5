"""The validation of a training: a pass over the validation split, with its losses."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.data.pipeline import Batch, Batches
from ssd.errors import UserError
from ssd.evaluation.gathering import Gather, only_these
from ssd.evaluation.runtime import for_validation
from ssd.evaluation.validation import Outputs, Validated, Validation, validate
from ssd.inference.folding import policy_of
from ssd.inference.keras_network import KerasNetwork
from ssd.inference.runtimes import AUTO, KERAS, OPENVINO, Choice, choose_runtime
from ssd.models.detector import SSD
from ssd.training.loss import MultiBoxLoss
from ssd.training.targets import TargetEncoder


class Refreshed(Validated, Protocol):
    """A network whose detector is trained meanwhile."""

    def refresh(self) -> None:
        """Takes over the weights that its detector has now."""


class Validator:
    """Validates a model while it is trained.

    Args:
        model: the detector.
        encode_targets, loss: of a batch.
        batches: not shuffled; rows with index -1 are padding and count for nothing.
        score_threshold: for precision and recall.
        network: of the model, which runs it.
        gather: of what all processes that share the batches have found.
    """

    def __init__(
        self,
        model: SSD,
        encode_targets: TargetEncoder,
        loss: MultiBoxLoss,
        batches: Batches,
        score_threshold: float,
        network: Refreshed,
        gather: Gather = only_these,
    ) -> None:
        self.batches = batches
        self.network = network
        self._encode_targets = encode_targets
        self._loss = loss
        self._score_threshold = score_threshold
        self._gather = gather
        self._sums = tf.function(self._sums_of, autograph=False)

    def __call__(self) -> tuple[dict[str, float], Validation]:
        """One pass over all batches with the weights of now: the losses, means per image, and what was found."""
        rows: list[list[float]] = []

        def add(batch: Batch, outputs: Outputs) -> None:
            told = {name: tf.convert_to_tensor(outputs[name]) for name in ("offsets", "logits")}
            rows.append([len(rows), *self._sums(batch, told).numpy()])

        validation = self.validate(add)
        means = _means(self._gather(np.array(rows, np.float32)), len(self.batches))
        return dict(zip(("loss", "loss_cls", "loss_box"), means.tolist(), strict=True)), validation

    def validate(self, observe: Callable[[Batch, Outputs], None] | None = None) -> Validation:
        """What a pass with the weights of now finds."""
        self.network.refresh()
        return validate(self.network, self.batches, self._score_threshold, observe, self._gather)

    def _sums_of(self, batch: Batch, outputs: Outputs) -> tf.Tensor:
        """(5,): of the images that are no padding the losses, not divided yet, their positives, and how many it are."""
        real = tf.reduce_sum(tf.cast(batch["index"] >= 0, tf.int32))
        targets = self._encode_targets(batch["boxes"][:real], batch["labels"][:real])
        undivided = targets._replace(matched=tf.ones(()))
        losses = self._loss(undivided, outputs["offsets"][:real], outputs["logits"][:real])
        return tf.stack([*losses[:3], targets.matched, tf.cast(real, tf.float32)])


def _means(rows: NDArray[np.float32], batches: int) -> NDArray[np.float64]:
    """(3,) the losses: of each batch divided by its positives, then the mean over the images.

    Args:
        rows: (N, 6) the number of a batch, and `_sums_of` of it, or of a process's part of it.
        batches: there are.
    """
    sums = np.zeros((batches, 5))
    np.add.at(sums, rows[:, 0].astype(int), rows[:, 1:])
    images = sums[:, 4:]
    means: NDArray[np.float64] = (sums[:, :3] / np.maximum(sums[:, 3:4], 1.0) * images).sum(axis=0) / images.sum()
    return means


def choose_validation_runtime(runtime: str, model: SSD, images: int) -> Choice:
    """What validates a model while it is trained, in the precision of the training.

    Args:
        runtime: a name in `Runtime`.
        model: the detector.
        images: of a validation.

    Raises:
        UserError: it is one that takes longer to convert than it saves.
    """
    if runtime not in (AUTO, KERAS, OPENVINO):
        raise UserError(f"runtime={runtime} is not for trainings: choose auto, keras or openvino for their validations")
    policy = policy_of(model)
    return for_validation(choose_runtime(runtime, policy), policy, model, images)


def validation_network(choice: Choice, model: SSD, batch_size: int) -> Refreshed:
    """The network of a model in the runtime that was chosen."""
    if choice.runtime != OPENVINO:
        return KerasNetwork(model)
    from ssd.training.converted_network import ConvertedNetwork

    assert choice.precision is not None, "OpenVINO's is known"
    return ConvertedNetwork(model, choice.precision, batch_size)
