"""Detectors built from the project's own configuration, so that the YAML's numbers are what is compared."""

from functools import cache

from ssd.cli.compose import compose_jobs, without_hydra
from ssd.experiment.build import build_detector
from ssd.models.detector import SSD


@cache
def detector(*overrides: str, classes: int = 1) -> SSD:
    """The network of `run.py OVERRIDES` with random weights."""
    (job,) = compose_jobs(["backbone.weights=null", *overrides], multirun=False)
    return build_detector(without_hydra(job), tuple(f"class {k}" for k in range(classes)))
