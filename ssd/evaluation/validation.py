"""A pass over a split, the same in a training and in task=evaluate."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from ssd.console import counting
from ssd.data.pipeline import Batch, Batches
from ssd.evaluation.evaluate import Evaluation, evaluate
from ssd.inference.detections import Detections
from ssd.inference.predictor import Outputs, Predictor


@dataclass(frozen=True, eq=False)
class Validation:
    """The metrics, and the detections that they are of, one per image in the order of the data set."""

    evaluation: Evaluation
    detections: list[Detections]


def validate(
    predictor: Predictor,
    batches: Batches,
    score_threshold: float,
    observe: Callable[[Batch, Outputs], None] | None = None,
) -> Validation:
    """Runs a detector over all batches and evaluates what it found.

    Args:
        predictor: of the detector, whose weights of this moment it takes over.
        batches: not shuffled; rows with index -1 are padding and count for nothing.
        score_threshold: for precision, recall and the confusion matrix.
        observe: called with every batch and the network's outputs for it.
    """
    predictor.refresh()
    detections: list[Detections] = []
    with counting("validating", len(batches)) as advance:
        for batch in batches.epoch(0):
            outputs, found = predictor.run(batch["image"])
            if observe is not None:
                observe(batch, outputs)
            detections += found[: int(tf.math.count_nonzero(batch["index"] >= 0))]
            advance()
    dataset = batches.dataset
    annotations = dataset.annotations[: len(detections)]
    return Validation(evaluate(detections, annotations, dataset.class_names, score_threshold), detections)
