"""The learning rate range test on losses that are known."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from ssd.errors import UserError
from ssd.training.lr_find import RateTest, raise_rate, rising


def of_rate(loss: Callable[[float], float], steps: int = 100) -> RateTest:
    """A test in which each step's loss is a function of its rate."""
    rates = rising(1e-7, 1.0, steps)
    number = iter(range(steps))
    return raise_rate(lambda _: SimpleNamespace(total=loss(float(rates(next(number))))), batches(), rates, steps)  # type: ignore[arg-type,return-value]


def batches() -> Iterator[None]:
    while True:
        yield None


def test_the_rates_rise_by_the_same_factor_from_the_lowest_to_the_highest() -> None:
    found = of_rate(lambda rate: 1.0)
    assert (found.rates[0], found.rates[-1], len(found.rates)) == (pytest.approx(1e-7), pytest.approx(1.0), 100)
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e7) / 99, rtol=1e-3)


def test_a_valley_suggests_a_rate_on_its_slope_and_a_lost_training_ends_the_test() -> None:
    found = of_rate(lambda rate: 5 - 4 * np.clip((np.log10(rate) + 5) / 3, 0, 1) + (rate > 0.05) * 1e4)
    assert 1e-5 < found.suggestion < 1e-2  # the loss falls from 1e-5 on
    assert found.rates[-1] == pytest.approx(0.05, rel=0.4)


def test_the_first_losses_are_not_taken_for_small_ones() -> None:
    assert of_rate(lambda rate: 3.0).losses == pytest.approx([3.0] * 100)


def test_the_longest_fall_may_have_gaps() -> None:
    rates = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert RateTest(rates, [9, 8, 8.5, 7, 6, 5, 9]).suggestion == 3.0  # 1 to 6, without 3: from index 0 to 5


def test_a_loss_that_is_not_finite_ends_it_and_is_a_mistake_at_once() -> None:
    found = of_rate(lambda rate: float("nan") if rate > 1e-3 else 2.0)
    assert found.rates[-1] == pytest.approx(1e-3, rel=0.2)
    with pytest.raises(UserError, match="not finite at the first step"):
        of_rate(lambda rate: float("inf"))
