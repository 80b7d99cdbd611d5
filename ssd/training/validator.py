"""The validation of a training: a pass over the validation split, with its losses."""

from typing import Protocol

import numpy as np
import tensorflow as tf

from ssd.data.pipeline import Batch, Batches
from ssd.errors import UserError
from ssd.evaluation.runtime import for_validation
from ssd.evaluation.validation import Outputs, Validated, Validation, validate
from ssd.inference.folding import policy_of
from ssd.inference.keras_network import KerasNetwork
from ssd.inference.runtimes import AUTO, KERAS, OPENVINO, Choice, choose_runtime
from ssd.models.detector import SSD
from ssd.training.loss import Losses, MultiBoxLoss
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
    """

    def __init__(
        self,
        model: SSD,
        encode_targets: TargetEncoder,
        loss: MultiBoxLoss,
        batches: Batches,
        score_threshold: float,
        network: Refreshed,
    ) -> None:
        self.batches = batches
        self.network = network
        self._encode_targets = encode_targets
        self._loss = loss
        self._score_threshold = score_threshold
        self._losses = tf.function(self._losses_of, autograph=False)

    def __call__(self) -> tuple[dict[str, float], Validation]:
        """One pass over all batches with the weights of now: the losses, means per image, and what was found."""
        self.network.refresh()
        sums = np.zeros(3)
        images = 0

        def add(batch: Batch, outputs: Outputs) -> None:
            nonlocal images
            told = {name: tf.convert_to_tensor(outputs[name]) for name in ("offsets", "logits")}
            losses, real = self._losses(batch, told)
            sums[:] += np.array([float(value) for value in losses[:3]]) * int(real)
            images += int(real)

        validation = validate(self.network, self.batches, self._score_threshold, add)
        means = (sums / images).tolist()
        return dict(zip(("loss", "loss_cls", "loss_box"), means, strict=True)), validation

    def _losses_of(self, batch: Batch, outputs: Outputs) -> tuple[Losses, tf.Tensor]:
        """Of the images that are no padding, and how many these are."""
        real = tf.reduce_sum(tf.cast(batch["index"] >= 0, tf.int32))
        targets = self._encode_targets(batch["boxes"][:real], batch["labels"][:real])
        return self._loss(targets, outputs["offsets"][:real], outputs["logits"][:real]), real


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
