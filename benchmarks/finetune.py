"""What the same minutes on the same photographs bring, here and with torchvision's detector on the same backbone.

    python benchmarks/finetune.py FOLDER mobilenet_v2.weights.h5 --minutes 15 augmentation=few detector.priors=auto

FOLDER is what `dataset=folder` takes; further words are overrides of the training here. torchvision's SSDLite320 on
MobileNetV2 begins with the same weights (TensorFlow pads strided convolutions on one side, torchvision on both, which
shifts its maps by a pixel) and is trained with each preset and rate of its references that stands below, each for
the same minutes; shown is every one of them, the best is what `x` compares with. Both are judged by this project's
metrics on the same validation images. Nothing else may run on the machine.
"""

import argparse
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import ssd  # noqa: F401  (before TensorFlow: its settings)

# isort: split
import keras
import numpy as np
from peer import measured_by_peer
from rich.console import Console
from rich.table import Table

from ssd.data.folder.convert import convert
from ssd.data.folder.reader import folder
from ssd.data.sample import Dataset
from ssd.evaluation.evaluate import evaluate
from ssd.inference.detections import Detections
from ssd.runs.results import read_results

PRESETS, RATES = ("hflip", "ssdlite"), (0.01, 0.04)
ROOT = Path(__file__).parents[1]


def write_backbone(weights: str, file: Path) -> None:
    """A MobileNetV2 of keras.applications as arrays in the order of execution."""
    arrays: dict[str, Any] = {}
    convolutions = norms = 0
    for layer in keras.applications.MobileNetV2(include_top=False, weights=weights).layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            arrays[f"kernel_{convolutions}"] = layer.get_weights()[0]
            convolutions += 1
        elif isinstance(layer, keras.layers.BatchNormalization):
            names = ("gamma", "beta", "mean", "variance")
            arrays |= {f"{name}_{norms}": values for name, values in zip(names, layer.get_weights(), strict=True)}
            norms += 1
    np.savez(file, **arrays)


def judged(file: Path, dataset: Dataset) -> dict[str, float]:
    """Metrics of the detections that the peer wrote."""
    with np.load(file) as found:
        ends = np.cumsum(found["counts"])[:-1]
        parts = [np.split(found[key], ends) for key in ("boxes", "labels", "scores")]
    detections = [
        Detections(boxes.astype(np.float32), labels.astype(np.int32), scores)
        for boxes, labels, scores in zip(*parts, strict=True)
    ]
    return evaluate(detections, list(dataset.annotations), dataset.class_names).metrics


def train_here(arguments: argparse.Namespace, overrides: list[str], run: Path) -> dict[str, float]:
    """The best validation of a run by the clock."""
    command = [
        *(sys.executable, str(ROOT / "run.py"), "dataset=folder", f"dataset.path={arguments.path}"),
        *("backbone=mobilenet_v2", f"backbone.weights={arguments.weights}", f"training.minutes={arguments.minutes}"),
        *(f"seed={arguments.seed}", "tracking.enabled=false", f"hydra.run.dir={run}", *overrides),
    ]
    subprocess.run(command, check=True, stdout=sys.stderr)
    rows = [row for row in read_results(run / "results.csv") if "val/mAP" in row]
    best = max(rows, key=lambda row: row["val/mAP"])
    return {"mAP50": best["val/mAP50"], "mAP": best["val/mAP"]}


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="what dataset=folder takes")
    parser.add_argument("weights", help="MobileNetV2 of keras.applications, without top")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=0)
    arguments, overrides = parser.parse_known_args()
    settings: dict[str, Any] = dict(
        line.removeprefix("dataset.").split("=", 1) for line in overrides if line.startswith("dataset.")
    )
    splits = folder(arguments.path, **settings)

    table = Table("trained", "mAP50", "mAP", title=f"{splits.train.name}, {arguments.minutes:g} minutes each")
    with tempfile.TemporaryDirectory() as place:
        copy, backbone = Path(place) / "coco", Path(place) / "backbone.npz"
        convert({"train": splits.train, "val": splits.val}, copy, "coco")
        write_backbone(arguments.weights, backbone)
        theirs = {}
        for preset, rate in product(PRESETS, RATES):
            out = Path(place) / "found.npz"
            words = (str(copy), str(out), "--backbone", str(backbone), "--minutes", str(arguments.minutes))
            choice = ("--rate", str(rate), "--augmentation", preset, "--seed", str(arguments.seed))
            measured_by_peer("finetune.py", *words, *choice)
            theirs[f"torchvision, {preset}, rate {rate:g}"] = judged(out, splits.val)
        ours = train_here(arguments, overrides, Path(place) / "run")
    for name, metrics in theirs.items():
        table.add_row(name, f"{metrics['mAP50']:.3f}", f"{metrics['mAP']:.3f}")
    ratio = ours["mAP"] / max(metrics["mAP"] for metrics in theirs.values())
    table.add_row("here", f"{ours['mAP50']:.3f}", f"{ours['mAP']:.3f} ({ratio:.2f} x)")
    Console().print(table)


if __name__ == "__main__":
    main()
