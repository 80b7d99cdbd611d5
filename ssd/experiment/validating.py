"""How a checkpoint is validated: on labels in its own order, in the runtime and precision that fit it here."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ssd.data.pipeline import Batches
from ssd.data.sample import Dataset
from ssd.device import choose_precision
from ssd.errors import UserError
from ssd.evaluation.runtime import for_validation
from ssd.export.running import running
from ssd.inference.exported import ExportedNetwork
from ssd.inference.keras_network import KerasNetwork
from ssd.inference.runtimes import AUTO, KERAS, choose_runtime, in_keras
from ssd.models.detector import SSD
from ssd.weights.transfer import match_classes


def validation_network(
    runtime: str, precision: str, model: SSD, batches: Batches, checkpoint: Path | None
) -> KerasNetwork | ExportedNetwork:
    """What runs a detector: with auto as in the validations of a training, which found the same.

    Args:
        runtime: a name in `Runtime`.
        precision: "auto", or a dtype policy of Keras.
        model: the detector.
        batches: that it will validate on.
        checkpoint: its file, if it is of one.

    Raises:
        UserError: the detector cannot run in the runtime that was asked for.
    """
    policy, why = choose_precision(precision, model)
    choice = choose_runtime(runtime, policy if runtime == AUTO else precision)
    choice = for_validation(choice, policy, model, min(len(batches.dataset), batches.batch_size * len(batches)))
    if choice.runtime == KERAS:
        choice = in_keras(policy, f"{choice.why}; {why}")
    return running(choice, policy, batches.batch_size, lambda: model, checkpoint)


def with_classes(dataset: Dataset, class_names: tuple[str, ...]) -> Dataset:
    """The data set with its labels in the order of a detector's class names, matched by name (`match_classes`).

    Raises:
        UserError: where the data set has a class that the detector does not know.
    """
    if dataset.class_names == class_names:
        return dataset
    known = match_classes(dataset.class_names, class_names)
    if unknown := [name for name, match in known.items() if match is None]:
        raise UserError(
            f"the detector does not know {', '.join(unknown)} of {dataset.name}; it detects {', '.join(class_names)}; "
            "use a data set of these classes"
        )
    order = np.array([class_names.index(match) for match in known.values() if match is not None], np.int32)
    annotations = [replace(annotation, labels=order[annotation.labels]) for annotation in dataset.annotations]
    return replace(dataset, class_names=class_names, annotations=annotations)
