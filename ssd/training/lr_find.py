"""The learning rate range test (Smith, arXiv 1506.01186, section 3.3): the loss while the rate rises."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from keras.optimizers.schedules import ExponentialDecay

from ssd.data.pipeline import Batch
from ssd.errors import UserError
from ssd.training.loss import Losses

_MEMORY = 0.98  # of the mean that smooths the losses, fastai's
_TORN = 4.0  # times the least smoothed loss: the training is lost, as fastai has it


@dataclass(frozen=True)
class RateTest:
    """What was found, step by step, until the loss was lost or the highest rate was reached.

    Attributes:
        rates: of the steps.
        losses: at these, smoothed.
    """

    rates: list[float]
    losses: list[float]

    @property
    def suggestion(self) -> float:
        """The rate halfway down the longest valley (fastai's `valley`, a third and a half of a third into it).

        The valley is the longest sequence of steps, not all in a row, whose losses fall.
        """
        length, before = [1] * len(self.losses), list(range(len(self.losses)))
        for here, loss in enumerate(self.losses):
            for earlier in range(here):
                if loss < self.losses[earlier] and length[earlier] >= length[here]:
                    length[here], before[here] = length[earlier] + 1, earlier
        end = max(range(len(length)), key=lambda step: length[step])
        start = end
        while before[start] != start:
            start = before[start]
        return self.rates[start + (end - start) // 2]


def rising(low: float, high: float, steps: int) -> ExponentialDecay:
    """The schedule of a test: from `low` at step 0 to `high` at step `steps - 1`, by the same factor each step."""
    return ExponentialDecay(low, max(steps - 1, 1), high / low)


def raise_rate(
    train_step: Callable[[Batch], Losses], batches: Iterable[Batch], rates: ExponentialDecay, steps: int
) -> RateTest:
    """Trains for `steps` steps, or until the smoothed loss is four times its least one.

    Args:
        train_step: of an optimizer whose schedule is `rates`.
        batches: at least `steps`.
        rates: see `rising`.
        steps: at most.

    Raises:
        UserError: the loss is not finite at the first step.
    """
    mean, least = 0.0, math.inf
    tried, smoothed = list[float](), list[float]()
    for step, batch in zip(range(steps), batches, strict=False):
        loss = float(train_step(batch).total)
        if not math.isfinite(loss):
            break
        mean = _MEMORY * mean + (1 - _MEMORY) * loss
        tried.append(float(rates(step)))
        smoothed.append(mean / (1 - _MEMORY ** (step + 1)))
        least = min(least, smoothed[-1])
        if smoothed[-1] > _TORN * least:
            break
    if not tried:
        raise UserError("the loss is not finite at the first step; look at the boxes of the data with task=inspect")
    return RateTest(tried, smoothed)
