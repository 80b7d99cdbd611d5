"""Means of the losses over an epoch."""

from time import monotonic

import numpy as np

from ssd.training.loss import Losses


class LossMeter:
    """Adds up the losses of the steps and the images that passed."""

    def __init__(self) -> None:
        self._sums = np.zeros(3)
        self._steps = 0
        self._images = 0
        self._start = monotonic()

    def add(self, losses: Losses, images: int) -> bool:
        """Adds a step; False where its loss is not finite."""
        values = np.array([float(value) for value in losses[:3]])
        self._sums += values
        self._steps += 1
        self._images += images
        return bool(np.isfinite(values).all())

    def means(self) -> dict[str, float]:
        """train/loss, train/loss_cls, train/loss_box and train/images_per_second of the steps so far."""
        loss, classification, localisation = (self._sums / max(self._steps, 1)).tolist()
        return {
            "train/loss": loss,
            "train/loss_cls": classification,
            "train/loss_box": localisation,
            "train/images_per_second": self._images / max(monotonic() - self._start, 1e-9),
        }

    def summary(self) -> str:
        """The means, for a person."""
        means = self.means()
        return (
            f"loss {means['train/loss']:.3f} (cls {means['train/loss_cls']:.3f}, box {means['train/loss_box']:.3f}) "
            f"{means['train/images_per_second']:.1f} images/s"
        )
