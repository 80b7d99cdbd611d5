"""`Detector.load`: from a run folder, a checkpoint, MLflow and another project's weights the same detector."""

from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pytest

from helpers.fake_detector import make_detector
from ssd import Detector
from ssd.errors import UserError
from ssd.export.matrix import Variant
from ssd.export.write import write_export
from ssd.runs.folder import BEST
from ssd.tracking.tracker import Tracker

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3), dtype=np.uint8)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    (tmp_path / BEST).parent.mkdir()
    make_detector().save(tmp_path / BEST)
    return tmp_path


def scores(detector: Detector) -> list[list[float]]:
    return [found.scores.tolist() for found in detector(list(IMAGES))]


def test_a_run_folder_and_a_checkpoint(run_folder: Path) -> None:
    detector = Detector.load(run_folder, score_threshold=0.0)
    assert detector.class_names == ("disc", "box")
    every = detector(list(IMAGES))
    assert [len(found) for found in every] == [5, 5, 5]
    alone = [detector(image) for image in IMAGES]  # in a batch of one, and of eight
    for one, other in zip(every, alone, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-6)
    same = Detector.load(str(run_folder / BEST), score_threshold=0.0, batch_size=2)
    np.testing.assert_allclose(scores(same), scores(detector), atol=1e-6)
    median = float(np.median(scores(detector)))
    above = detector(list(IMAGES), score_threshold=median)
    assert [found.scores.tolist() for found in above] == [
        [score for score in found.scores.tolist() if score >= np.float32(median)] for found in every
    ]


def test_the_runtime_can_be_chosen_and_a_file_has_its_own(run_folder: Path) -> None:
    loaded = {name: Detector.load(run_folder, runtime=name, score_threshold=0.1) for name in ("keras", "openvino")}
    assert {name: getattr(detector.network, "runtime", "") for name, detector in loaded.items()} == {
        "keras": "keras",
        "openvino": "openvino",
    }
    for one, other in zip(*(detector(list(IMAGES)) for detector in loaded.values()), strict=True):
        assert one.scores[0] == pytest.approx(other.scores[0], abs=0.01)  # which may be in bfloat16
    with pytest.raises(UserError, match="runtime=tensorrt is not known; choose one of: auto, keras, openvino"):
        Detector.load(run_folder, runtime="tensorrt")
    file = write_export(make_detector(), Variant("openvino", "float32"), "run", run_folder / "exports")
    assert len(Detector.load(file, runtime="openvino", score_threshold=0.1)(IMAGES[0])) > 0
    with pytest.raises(UserError, match=r"detector\.xml runs in openvino, not in keras; leave runtime=keras out"):
        Detector.load(file, runtime="keras")


def test_images_alone_and_together_are_found_the_same(run_folder: Path) -> None:
    file = write_export(make_detector(), Variant("openvino", "float32"), "run", run_folder / "exports")
    detector = Detector.load(file, score_threshold=0.1)
    together = detector(list(np.tile(IMAGES, (7, 1, 1, 1))))  # more than two batches
    alone = [detector(image) for image in IMAGES]  # the first as it was compiled, the others by themselves
    for one, other in zip(together, [*alone] * 7, strict=True):
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-5)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


def test_a_model_of_mlflow(
    uri: str, tracker: Callable[..., Tracker], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracker() as run:
        run.log_model(run_folder / BEST)
        run_id = str(run.run_id)
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: uri)
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient(uri)
    client.create_registered_model("cells")
    outputs = client.get_run(run_id).outputs
    assert outputs is not None
    client.create_model_version("cells", f"models:/{outputs.model_outputs[0].model_id}", run_id)
    client.set_registered_model_alias("cells", "champion", "1")
    expected = scores(Detector.load(run_folder, score_threshold=0.0))
    for where in ("models:/cells@champion", "models:/cells/1", f"runs:/{run_id}/model"):
        np.testing.assert_allclose(scores(Detector.load(where, score_threshold=0.0)), expected, atol=1e-6)
    with pytest.raises(UserError, match="has no model models:/cells@chamption"):
        Detector.load("models:/cells@chamption")


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(UserError, match=r"none\.db: there is no such file"):
        Detector.load("models:/cells@champion")
    assert not (tmp_path / "none.db").exists()


def test_what_is_no_detector(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"no")
    with pytest.raises(UserError, match=r"a\.pt is no detector that can be loaded; give a run folder"):
        Detector.load(tmp_path / "a.pt")
    with pytest.raises(UserError, match=r"is neither a \.keras file nor a run folder"):
        Detector.load(tmp_path / "none")
    with pytest.raises(UserError, match="there is no such file"):
        Detector.load("torchvision:none.pth")
