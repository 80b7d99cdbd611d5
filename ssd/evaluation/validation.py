"""A pass over a split, the same in a training and in task=evaluate."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from ssd import interrupts
from ssd.console import counting
from ssd.data.pipeline import Batch, Batches
from ssd.evaluation.evaluate import Evaluation, evaluate
from ssd.evaluation.gathering import Gather, gathered_detections, only_these
from ssd.inference.detections import Detections

Outputs = Mapping[str, Any]  # "offsets" (B, P, 4) and "logits" (B, P, C + 1), where the network tells them

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Validation:
    """The metrics, and the detections that they are of, one per image in the order of the data set."""

    evaluation: Evaluation
    detections: list[Detections]


class Validated(Protocol):
    """A network as a validation runs it: a batch is begun, and ended while the next one runs."""

    def begin(self, images: Any) -> Any:
        """What `end` takes, for (B, S, S, 3) uint8 RGB images."""

    def end(self, begun: Any) -> tuple[Outputs, list[Detections]]:
        """The network's outputs, and the detections of each image, above the detector's own threshold."""


def validate(
    network: Validated,
    batches: Batches,
    score_threshold: float,
    observe: Callable[[Batch, Outputs], None] | None = None,
    gather: Gather = only_these,
) -> Validation:
    """Runs a detector over all batches and evaluates what it found.

    While the network runs for a batch, what it gave for the one before is decoded and observed in another thread. After
    a signal, also within `interrupts.deferred`, it stops before the next batch.

    Args:
        network: of the detector.
        batches: not shuffled; rows with index -1 are padding and count for nothing.
        score_threshold: for precision, recall and the confusion matrix.
        observe: called with every batch and the network's outputs for it, in order.
        gather: of what all processes that share the batches have found, each of which evaluates all of it.

    Raises:
        KeyboardInterrupt: a signal has come.
    """

    def begin() -> Iterator[tuple[Batch, Any]]:
        for batch in batches.epoch(0):
            interrupts.check()
            yield batch, network.begin(batch["image"])

    def end(of_batch: tuple[Batch, Any]) -> dict[int, Detections]:
        batch, begun = of_batch
        outputs, detections = network.end(begun)
        if observe is not None:
            observe(batch, outputs)
        rows = batch["index"].numpy()
        return {int(row): found for row, found in zip(rows[rows >= 0], detections, strict=False)}

    own: dict[int, Detections] = {}
    with counting("validating", len(batches)) as advance:
        for found in one_behind(end, begin()):
            own |= found
            advance()
    dataset = batches.dataset
    detections = list(own.values())
    if batches.member.count > 1:
        detections = gathered_detections(own, int(np.count_nonzero(batches.indices(0) >= 0)), gather)
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
