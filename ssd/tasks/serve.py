"""A trained detector behind HTTP."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ssd.console import waiting
from ssd.prediction.detector import Detector
from ssd.serving.server import listen, serve
from ssd.serving.settings import read_settings
from ssd.tasks.predict import load


def run(cfg: DictConfig, folder: Path) -> float:
    """Serves until it is interrupted or terminated, which is its usual end.

    Raises:
        UserError: the port is taken, or there is no detector.
    """
    settings = read_settings(OmegaConf.to_container(cfg.task), "task.")  # type: ignore[arg-type]
    with listen(settings.host, settings.port, "task.") as listening:
        with waiting("loading the detector"):
            network = load(cfg, settings.batch_size)
        detector = Detector(network, score_threshold=cfg.score_threshold, batch_size=settings.batch_size)
        serve(detector, settings, cfg.score_threshold, listening, cfg.checkpoint or cfg.weights)
    return 0.0
