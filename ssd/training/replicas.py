"""The devices that share each batch, of this process and of others: TensorFlow's strategies as the training uses them.

One device is a strategy, too (TensorFlow's default one), so that all trainings take the same way.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.cluster import LONE, Member

T = TypeVar("T")


class Replicas:
    """The devices on which a strategy has the network; each computes its part of every batch.

    Attributes:
        member: this process among those that train together.
        count: of all devices.
        here: of this process.
    """

    def __init__(self, strategy: tf.distribute.Strategy, member: Member) -> None:
        self._strategy = strategy
        self.member = member
        self.count: int = strategy.num_replicas_in_sync
        self.here = self.count // member.count
        self._gather = tf.function(lambda rows: strategy.gather(rows, axis=0), autograph=False, reduce_retracing=True)

    def scope(self) -> AbstractContextManager[Any]:
        """In which the network and the optimizer are made, so that each device has their variables."""
        scope: AbstractContextManager[Any] = self._strategy.scope()
        return scope

    def compiled(self, step: Callable[..., T], jit_compile: bool) -> Callable[..., T]:
        """A function of tensors, each of them this process's part of a batch: what `step` gives on its first device.

        Args:
            step: runs on each device, for that one's part.
            jit_compile: with XLA.
        """
        on_each = tf.function(step, jit_compile=True, autograph=False) if jit_compile else step
        run = tf.function(lambda *parts: self._strategy.run(on_each, parts), autograph=False)
        if self.here == 1:
            return lambda *values: run(*values)  # type: ignore[no-any-return]

        def call(*values: tf.Tensor) -> T:
            results = run(*(self._split(value) for value in values))
            return tf.nest.map_structure(lambda value: self._strategy.experimental_local_results(value)[0], results)

        return call

    def gathered(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The (N, K) rows of all processes, in their order; each must ask for them."""
        if self.member.count == 1:
            return rows
        values = self._strategy.experimental_distribute_values_from_function(
            lambda replica: tf.constant(rows if self._number(replica) == 0 else rows[:0])
        )
        found: NDArray[np.float32] = self._gather(values).numpy()
        return found

    def wait_for_all(self) -> None:
        """Waits until each process has come here; one that ends while others work would count as lost."""
        self.gathered(np.ones((1, 1), np.float32))

    def _split(self, value: tf.Tensor) -> Any:
        parts = tf.split(value, self.here)
        return self._strategy.experimental_distribute_values_from_function(lambda replica: parts[self._number(replica)])

    def _number(self, replica: tf.distribute.ReplicaContext | Any) -> int:
        return int(replica.replica_id_in_sync_group) % self.here


def summed(values: T) -> T:
    """Within a step: the sums, over all devices, of each of the tensors in a structure; of one device these."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return values
    sums: T = replica.all_reduce(tf.distribute.ReduceOp.SUM, values)
    return sums


def replicas_in_step() -> int:
    """Within a step: how many devices take part."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


ALONE = Replicas(tf.distribute.get_strategy(), LONE)
