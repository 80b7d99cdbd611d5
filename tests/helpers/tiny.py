"""A detector of a few convolutions on a dozen drawn shapes, so that a whole training takes seconds."""

import os

from ssd.environment import ROOT

CONF = ROOT / "tests" / "helpers" / "conf"
CONFIG_DIR = f"--config-dir={CONF}"
TINY = [
    CONFIG_DIR,
    "backbone=tiny",
    "detector.image_size=64",
    "detector.extras=[{squeeze: 16, filters: 32}]",
    "detector.scales=[0.2, 0.5, 0.9]",
    "detector.aspect_ratios=[[2.0], [2.0]]",
    "augmentation=flip",
    "dataset.train_images=12",
    "dataset.val_images=5",
    "dataset.image_size=64",
    "training.batch_size=4",
    "training.epochs=2",
    "training.evaluate_every=1",
    "optimizer.learning_rate=1e-2",
    "schedule.warmup_steps=0",
    "precision=float32",
    "pipeline.workers=1",
    "task.pictures=1",
    "tracking.system_metrics=false",
    "tracking.log_model=false",
]

PYTHONPATH = os.pathsep.join([str(ROOT), str(ROOT / "tests")])  # of a process that uses it
