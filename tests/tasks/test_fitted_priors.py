"""`detector.priors=auto` in a training: fitted once, then the run's own numbers."""

from pathlib import Path

import albumentations as alb
import mlflow
import numpy as np
import pytest
from omegaconf import OmegaConf

from helpers.tiny import CONFIG_DIR, TINY
from ssd.cli.main import main
from ssd.data.augmentation import Augmentation
from ssd.data.sample import Annotation, Dataset
from ssd.experiment.fitted_priors import augmented_boxes
from ssd.models.checkpoint import load_detector

AUTO = [*TINY, "detector.priors=auto", "task.pictures=0"]


def _unread(index: int) -> bytes:
    raise AssertionError(f"image {index} was read")


def _dataset() -> Dataset:
    boxes = np.array([[0.0, 0.0, 0.5, 0.25], [0.1, 0.1, 0.9, 0.9]], np.float32)
    flags = np.array([False, False]), np.array([False, True])  # the second is a crowd
    annotation = Annotation("a", 40, 80, boxes, np.array([1, 0], np.int32), *flags, np.ones(2, np.float32))
    return Dataset("a:train", ("x", "y"), [annotation], _unread)


def test_boxes_go_through_the_augmentation_without_their_images():
    boxes, labels = augmented_boxes(_dataset(), Augmentation([alb.HorizontalFlip(p=1.0)]), seed=0)
    np.testing.assert_allclose(boxes, np.tile([[0.0, 0.75, 0.5, 1.0]], (len(boxes), 1)), atol=1e-6)
    assert len(boxes) > 1000  # one image again and again
    assert set(labels.tolist()) == {1}
    raw, _ = augmented_boxes(_dataset(), None, seed=0)
    assert raw.tolist() == [[0.0, 0.0, 0.5, 0.25]]


@pytest.fixture(scope="module")
def trained(work):
    assert main([*AUTO, "name=fitted"]) == 0
    return (work / "outputs" / "latest").resolve()


def _noted(run):
    detector = OmegaConf.load(run / "config.yaml").detector
    return detector.priors, tuple(detector.scales), tuple(map(tuple, detector.aspect_ratios))


def test_a_run_notes_what_it_fitted_everywhere(trained):
    priors, scales, ratios = _noted(trained)
    assert priors == "fitted"
    assert scales != (0.2, 0.5, 0.9)
    spec = load_detector(trained).prior_spec
    assert (spec.scales, spec.aspect_ratios) == (scales, ratios)
    assert "priors fitted to" in (trained / "run.log").read_text()
    assert "objects that a prior overlaps by 0.5:" in (trained / "run.log").read_text()
    assert ", ".join(map(str, scales)) in (trained / "report.md").read_text()
    mlflow.set_tracking_uri(f"sqlite:///{Path.cwd()}/mlflow.db")
    params = mlflow.get_run((trained / "mlflow_run.txt").read_text().strip()).data.params
    assert params["detector.priors"] == "fitted"
    assert params["detector.scales"] == ", ".join(map(str, scales))
    assert params["detector.aspect_ratios"] == "; ".join(", ".join(map(str, own)) for own in ratios)


def test_what_is_fitted_once_stays(trained, monkeypatch):
    """Going on and evaluating take the run's numbers, though their data might give others by now."""
    before = _noted(trained)
    monkeypatch.setattr("ssd.experiment.fitted_priors.fit_priors", lambda *_: pytest.fail("fitted again"))
    assert main([CONFIG_DIR, f"resume={trained}", "training.epochs=3"]) == 0
    assert _noted(trained) == before
    spec = load_detector(trained).prior_spec
    assert (spec.scales, spec.aspect_ratios) == before[1:]
    assert main([CONFIG_DIR, "task=evaluate", f"checkpoint={trained}"]) == 0
    (evaluation,) = (trained.parents[1] / "evaluate").iterdir()
    assert _noted(evaluation) == before


def test_a_training_from_it_has_its_priors_and_none_can_be_fitted(trained, capsys):
    data = [arg for arg in TINY if arg.startswith(("--config-dir", "dataset.", "training.", "tracking.", "pipeline."))]
    assert main([*data, f"checkpoint={trained}", "detector.priors=auto"]) == 2
    error = capsys.readouterr().err
    assert "detector.priors=auto fits other priors than those that the heads of checkpoint=" in error
    assert main([*data, f"checkpoint={trained}", "training.epochs=1", "precision=float32", "task.pictures=0"]) == 0
    tuned = (trained.parents[1] / "latest").resolve()
    assert _noted(tuned) == _noted(trained)


def test_of_few_objects_the_given_priors_are_kept(work):
    assert main([*AUTO, "dataset.train_images=3", "training.batch_size=2", "training.epochs=1", "seed=3"]) == 0
    run = (work / "outputs" / "latest").resolve()
    assert _noted(run)[:2] == ("fitted", (0.2, 0.5, 0.9))
    assert "fewer than 20 objects" in (run / "run.log").read_text()
