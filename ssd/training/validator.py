"""The validation of a training: a pass over the validation split, with its losses."""

import numpy as np
import tensorflow as tf

from ssd.data.pipeline import Batch, Batches
from ssd.evaluation.validation import Validation, validate
from ssd.inference.keras_network import KerasNetwork, Outputs
from ssd.models.detector import SSD
from ssd.training.loss import Losses, MultiBoxLoss
from ssd.training.targets import TargetEncoder


class Validator:
    """Validates a model while it is trained.

    Args:
        model: the detector.
        encode_targets, loss: of a batch.
        batches: not shuffled; rows with index -1 are padding and count for nothing.
        score_threshold: for precision and recall.
    """

    def __init__(
        self,
        model: SSD,
        encode_targets: TargetEncoder,
        loss: MultiBoxLoss,
        batches: Batches,
        score_threshold: float,
    ) -> None:
        self.batches = batches
        self.network = KerasNetwork(model)
        self._encode_targets = encode_targets
        self._loss = loss
        self._score_threshold = score_threshold
        self._losses = tf.function(self._losses_of, autograph=False)

    def __call__(self) -> tuple[dict[str, float], Validation]:
        """One pass over all batches: the losses, means per image, and what was found."""
        sums = np.zeros(3)
        images = 0

        def add(batch: Batch, outputs: Outputs) -> None:
            nonlocal images
            losses, real = self._losses(batch, outputs)
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
