"""How much better one training is than another on the same validation images, and whether that is chance.

    python benchmarks/compare.py RUN_A,RUN_A2 RUN_B,RUN_B2 ...

Each word is a run folder, or several of one recipe that differ in their seed. Shown are mean and deviation over the
seeds, and against the first word the paired bootstrap over images of the seeds' mean. All must have the same
validation images.
"""

import sys
from pathlib import Path

import ssd  # noqa: F401  (before TensorFlow: its settings)

# isort: split
import numpy as np
from rich.console import Console
from rich.table import Table

from ssd.cli.compose import compose_jobs, without_hydra
from ssd.cli.earlier_run import with_earlier_run
from ssd.data.sample import Dataset
from ssd.errors import UserError
from ssd.evaluation.bootstrap import paired_differences
from ssd.evaluation.validation import Validation, validate
from ssd.experiment import build
from ssd.experiment.splits import build_splits
from ssd.inference.keras_network import KerasNetwork
from ssd.tasks.evaluate import with_classes

METRICS = ("mAP50_coco", "mAP")


def judged(run: str) -> tuple[Validation, Dataset]:
    """A run's best checkpoint on its own validation split in float32."""
    overrides = with_earlier_run(["task=evaluate", f"checkpoint={Path(run).resolve()}"], multirun=False)
    (job,) = compose_jobs(overrides, multirun=False)
    cfg = without_hydra(job)
    model = build.load_trained(cfg)
    dataset = with_classes(build_splits(cfg).val, model.class_names)
    batches = build.build_val_batches(cfg, dataset, model.image_size)
    return validate(KerasNetwork(model), batches, 0.5), dataset


def have_same_objects(one: Dataset, other: Dataset) -> bool:
    """Whether two data sets are the same images in the same order, whatever readers call them."""
    first, second = one.columns, other.columns
    columns = ("sizes", "starts", "labels", "boxes")
    return one.class_names == other.class_names and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in columns
    )


def main() -> None:
    recipes = [word.split(",") for word in sys.argv[1:]]
    try:
        found = [[judged(run) for run in runs] for runs in recipes]
    except UserError as error:
        sys.exit(str(error))
    if not all(have_same_objects(found[0][0][1], dataset) for of_recipe in found for _, dataset in of_recipe):
        sys.exit("These runs were validated on different images.")
    first = [item.detections for item, _ in found[0]]
    table = Table("runs", *METRICS, "mAP50 against the first", "mAP against the first")
    for runs, of_recipe in zip(recipes, found, strict=True):
        values = np.array([[item.evaluation.metrics[name] for name in METRICS] for item, _ in of_recipe])
        deviation = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(len(METRICS))
        shown = [f"{mean:.3f} ± {spread:.3f}" for mean, spread in zip(values.mean(axis=0), deviation, strict=True)]
        dataset, detections = of_recipe[0][1], [item.detections for item, _ in of_recipe]
        against = paired_differences(first, detections, dataset.annotations, len(dataset.class_names))
        table.add_row(", ".join(Path(run).name for run in runs), *shown, *(str(against[name]) for name in METRICS))
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
