"""A pass over a split, the same in a training and in task=evaluate."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import tensorflow as tf

from ssd import interrupts
from ssd.console import counting
from ssd.data.pipeline import Batch, Batches
from ssd.evaluation.evaluate import Evaluation, evaluate
from ssd.inference.detections import Detections
from ssd.inference.keras_network import KerasNetwork, Outputs

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Validation:
    """The metrics, and the detections that they are of, one per image in the order of the data set."""

    evaluation: Evaluation
    detections: list[Detections]


def validate(
    network: KerasNetwork,
    batches: Batches,
    score_threshold: float,
    observe: Callable[[Batch, Outputs], None] | None = None,
) -> Validation:
    """Runs a detector over all batches and evaluates what it found.

    While the network runs for a batch, what it gave for the one before is decoded and observed in another thread. After
    a signal, also within `interrupts.deferred`, it stops before the next batch.

    Args:
        network: of the detector, whose weights of this moment it takes over.
        batches: not shuffled; rows with index -1 are padding and count for nothing.
        score_threshold: for precision, recall and the confusion matrix.
        observe: called with every batch and the network's outputs for it, in order.

    Raises:
        KeyboardInterrupt: a signal has come.
    """
    network.refresh()

    def run_network() -> Iterator[tuple[Batch, Outputs]]:
        for batch in batches.epoch(0):
            interrupts.check()
            yield batch, network.outputs(batch["image"])

    def decode(of_batch: tuple[Batch, Outputs]) -> list[Detections]:
        batch, outputs = of_batch
        if observe is not None:
            observe(batch, outputs)
        return network.decode(outputs)[: int(tf.math.count_nonzero(batch["index"] >= 0))]

    detections: list[Detections] = []
    with counting("validating", len(batches)) as advance:
        for found in one_behind(decode, run_network()):
            detections += found
            advance()
    dataset = batches.dataset
    annotations = dataset.annotations[: len(detections)]
    return Validation(evaluate(detections, annotations, dataset.class_names, score_threshold), detections)


def one_behind(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """What `function` makes of each item, in order; it works in a thread of its own while the next item is made.

    Raises:
        BaseException: whatever `items` or `function` raises, in the caller's thread, once no call is running.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        before: Future[R] | None = None
        for item in items:
            if before is not None:
                yield before.result()
            before = thread.submit(function, item)
        if before is not None:
            yield before.result()
