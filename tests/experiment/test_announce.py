"""What a training says before it begins: who chose what."""

from hydra.core.hydra_config import HydraConfig

from helpers.fake_detector import make_detector
from helpers.samples import make_sample
from ssd.cli.compose import compose_jobs, without_hydra
from ssd.data.sample import Dataset, Splits
from ssd.experiment.announce import announcement
from ssd.training.replicas import ALONE
from ssd.weights.layouts import LAYOUTS

(LITE,) = (layout for layout in LAYOUTS["torchvision"] if layout.published == "ssdlite320_mobilenet_v3_large")


def of_the_detector(*overrides: str) -> str:
    """The line on it."""
    (job,) = compose_jobs(overrides, multirun=False)
    HydraConfig.instance().set_config(job)
    data = Dataset("toy:train", tuple("abcdefghijklm"), [make_sample().annotation], lambda _: b"")
    model = make_detector()
    splits = Splits(data, data)
    lines = announcement(without_hydra(job), model, splits, [1, 2], "from somewhere", ALONE)  # type: ignore[arg-type]
    return next(line for line in lines if line.startswith("detector: "))


def test_what_weights_bring_is_told_from_what_was_typed() -> None:
    said = of_the_detector(*LITE.overrides, "detector.image_size=96", "weights=torchvision:x")
    ours = "ssdlite320 (by weights, with detector.image_size=96) on mobilenet_v3_large (by weights), from somewhere;"
    assert said.startswith(f"detector: {ours}")


def test_without_weights_the_same_lines_are_the_users() -> None:
    said = of_the_detector("backbone=mobilenet_v3_large", "detector=ssdlite320")
    assert said.startswith("detector: ssdlite320 (as given) on mobilenet_v3_large (as given), from somewhere;")
    assert "ssd128 (by dataset=shapes) on mobilenet_v2_small (by dataset=shapes)" in of_the_detector("seed=1")
