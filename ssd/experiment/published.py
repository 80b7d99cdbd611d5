"""Detectors of other projects without a command line: their network as this project's configuration builds it."""

from hydra import compose, initialize_config_dir

from ssd.config.overrides import quote
from ssd.config.schemas import register
from ssd.environment import ROOT
from ssd.experiment.build import load_trained
from ssd.models.detector import SSD
from ssd.weights.reader import read_layout, split_spec


def load_published(weights: str) -> SSD:
    """The detector in "torchvision:FILE", "torchvision:NAME" or "amdegroot:FILE".

    Raises:
        UserError: it cannot be read or downloaded.
    """
    register()
    project, file = split_spec(weights)
    lines = [*read_layout(weights).overrides, f"weights={quote(f'{project}:{file.resolve()}')}"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return load_trained(compose("config", lines))
