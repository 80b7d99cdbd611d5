"""Why a training does or does not learn: what each step does to each layer, and which units never answer."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.data.pipeline import Batch
from ssd.figures.diagnostics import draw_diagnostics
from ssd.models.detector import SSD
from ssd.runs.files import write_text
from ssd.runs.folder import DIAGNOSTICS, PLOTS
from ssd.training.loss import Losses

COLUMNS = ("epoch", "layer", "gradient_norm", "gradient_norm_max", "update_ratio", "dead", "matched")
ALL = "all"  # the row of the whole network
_TINY = 1e-30
_RECTIFIERS = (keras.activations.relu, keras.activations.relu6)


class Diagnostics:
    """Watches the steps of a training, and writes diagnostics.csv and plots/diagnostics.png after each epoch.

    In a row of a layer: `gradient_norm`, the root mean square over the epoch's steps of the norm of its gradient;
    `update_ratio`, that of what steps add to its weights, over the norm of the weights; `dead`, the share of its
    channels behind a ReLU that are 0 wherever one looks in the epoch's last batch. In the row "all": those of the
    network, the largest norm of a step, before clipping, and the matched priors of an image.

    Args:
        model: that is trained.
        folder: of the run. Rows of epochs beyond `epochs` are of a run that was stopped before it could save them.
        epochs: that are through.
    """

    def __init__(self, model: SSD, folder: Path, epochs: int) -> None:
        self._model = model
        self._file = folder / DIAGNOSTICS
        self.picture = folder / PLOTS / "diagnostics.png"
        self._rows = [row for row in read_diagnostics(self._file) if float(row["epoch"]) <= epochs]
        self._layers = _trained_layers(model)
        # squares, summed over the steps: of gradients, updates and weights of each variable
        self._squares = _sum_of_steps(tf.zeros((3, len(model.trainable_variables))))
        self._largest, self._matched, self._images, self._steps = (_sum_of_steps(tf.zeros(())) for _ in range(4))
        self._best_answers = _best_answers(model)

    def apply(
        self, optimizer: keras.optimizers.Optimizer, gradients: Sequence[tf.Tensor | None], losses: Losses, images: int
    ) -> None:
        """Takes an optimizer's step in the graph, and notes what it does.

        Args:
            optimizer: of the model.
            gradients: of its trainable variables, scaled as the optimizer expects them.
            losses: of the batch.
            images: in the batch.
        """
        variables = self._model.trainable_variables
        before = [tf.identity(variable.value) for variable in variables]
        optimizer.apply(gradients, variables)
        scale = tf.cast(optimizer.scale_loss(tf.ones(())), tf.float32)
        squares = [
            tf.stack([0.0 if gradient is None else _square(gradient) / scale**2 for gradient in gradients]),
            tf.stack([_square(new.value - old) for new, old in zip(variables, before, strict=True)]),
            tf.stack([_square(old) for old in before]),
        ]
        self._squares.assign_add(tf.stack(squares))
        self._largest.assign(tf.maximum(self._largest, tf.sqrt(tf.reduce_sum(squares[0]))))
        self._matched.assign_add(tf.cast(losses.matched, tf.float32))
        self._images.assign_add(tf.cast(images, tf.float32))
        self._steps.assign_add(1.0)

    def end_epoch(self, epoch: int, batch: Batch) -> dict[str, float]:
        """Writes the epoch's rows and the picture, and starts anew.

        Args:
            epoch: that is through, 1-based.
            batch: its last one.

        Returns:
            What is tracked: train/gradient_norm, train/gradient_norm_max, train/update_ratio (the median of the
            layers), train/dead (of all channels) and train/matched.
        """
        squares = self._squares.numpy().astype(np.float64) / max(float(self._steps.numpy()), 1.0)
        layers: dict[str, dict[str, float]] = {
            name: {
                "gradient_norm": float(np.sqrt(squares[0, places].sum())),
                "update_ratio": float(np.sqrt(squares[1, places].sum() / max(squares[2, places].sum(), _TINY))),
            }
            for name, places in self._layers.items()
        }
        whole = {
            "gradient_norm": float(np.sqrt(squares[0].sum())),
            "gradient_norm_max": float(self._largest.numpy()),
            "update_ratio": float(np.median([values["update_ratio"] for values in layers.values()])),
            "matched": float(self._matched.numpy()) / max(float(self._images.numpy()), 1.0),
        }
        channels = {name: best.numpy() <= 0 for name, best in self._best_answers(batch["image"]).items()}
        if channels:
            whole["dead"] = float(np.concatenate(list(channels.values())).mean())
        for name, dead in channels.items():
            layers.setdefault(name, {})["dead"] = float(dead.mean())
        self._start_anew()
        self._rows = [row for row in self._rows if float(row["epoch"]) != epoch]
        for name, values in ({ALL: whole} | layers).items():
            self._rows.append({"epoch": str(epoch), "layer": name, **{k: f"{v:.6g}" for k, v in values.items()}})
        self._write()
        return {f"train/{name}": value for name, value in whole.items()}

    @property
    def sums(self) -> NDArray[np.float64]:
        """(N,) of the epoch's steps so far, exact."""
        return np.concatenate([sums.numpy().astype(np.float64).ravel() for sums in self._sums])

    def go_on(self, values: NDArray[np.float64]) -> None:
        """Goes on within an epoch, from what `sums` was there; where others were watched, from nothing."""
        sizes = [int(tf.size(sums)) for sums in self._sums]
        if len(values) == sum(sizes):
            for sums, part in zip(self._sums, np.split(values, np.cumsum(sizes)[:-1]), strict=True):
                sums.assign(part.reshape(sums.shape).astype(np.float32))

    @property
    def _sums(self) -> tuple[tf.Variable, ...]:
        return self._squares, self._largest, self._matched, self._images, self._steps

    def _start_anew(self) -> None:
        for sums in self._sums:
            sums.assign(tf.zeros_like(sums))

    def _write(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write_text(self._file, text.getvalue())
        draw_diagnostics(self._rows, self.picture)


def _sum_of_steps(zeros: tf.Tensor) -> tf.Variable:
    """What is added to in each step; the same on all devices, of which one's word is taken."""
    return tf.Variable(zeros, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def read_diagnostics(file: Path) -> list[dict[str, str]]:
    """The rows of diagnostics.csv; none where the file does not exist, or is not one."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8", errors="replace") as lines:
        reader = csv.DictReader(lines)
        return list(reader) if tuple(reader.fieldnames or ()) == COLUMNS else []


def _trained_layers(model: keras.Model) -> dict[str, list[int]]:
    """Layer → the places of its variables among the trainable ones."""
    places = {id(variable): place for place, variable in enumerate(model.trainable_variables)}
    layers = {
        layer.name: [places[id(variable)] for variable in layer.trainable_variables if id(variable) in places]
        for layer in model.layers
    }
    return {name: found for name, found in layers.items() if found}


def _best_answers(model: keras.Model) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """A function: (B, S, S, 3) images → layer with a ReLU → (C,) the largest output of each of its channels."""
    found = {layer.name: keras.ops.max(layer.output, axis=(0, 1, 2)) for layer in model.layers if _is_rectified(layer)}
    if not found:
        return lambda images: {}
    network = keras.Model(model.inputs, found)
    return tf.function(lambda images: network(images, training=False), autograph=False)


def _is_rectified(layer: keras.layers.Layer) -> bool:
    rectifies = isinstance(layer, keras.layers.ReLU) or getattr(layer, "activation", None) in _RECTIFIERS
    return rectifies and len(layer.output.shape) == 4


def _square(values: tf.Tensor) -> tf.Tensor:
    """The sum of the squares, float32."""
    return tf.reduce_sum(tf.square(tf.cast(tf.convert_to_tensor(values), tf.float32)))
