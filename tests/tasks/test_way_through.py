"""The whole way, small: train, kill, resume, evaluate, predict; what the run folder and MLflow then hold."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cv2
import h5py
import mlflow
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from omegaconf import OmegaConf
from tensorflow.python.framework.config import disable_op_determinism

from helpers.fake_voc import item, write_voc
from helpers.tiny import CONFIG_DIR, PYTHONPATH, TINY
from helpers.warm import Process
from ssd.cli.main import main
from ssd.environment import ROOT
from ssd.models.checkpoint import load_detector
from ssd.runs.folder import BEST, LAST
from ssd.runs.results import read_results


@pytest.fixture(scope="module")
def trained(work):
    """A finished training on a dozen shapes, with its charts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssd.figures.style.FigureCanvasAgg", FigureCanvasAgg)
        assert main([*TINY, "name=first", "tracking.log_model=true", "optimizer=adam"]) == 0
    return (work / "outputs" / "latest").resolve()


def test_the_run_folder_can_be_published(trained):
    files = {str(path.relative_to(trained)) for path in trained.rglob("*") if path.is_file()}
    assert files >= {
        "config.yaml",
        "metrics.json",
        "results.csv",
        "report.md",
        "report.html",
        "run.log",
        "record.json",
        "annotations.npz",
        "validation.npz",
        "checkpoints/best.keras",
        "checkpoints/last.keras",
        *(
            f"plots/{name}.png"
            for name in ("curves", "label_statistics", "training_batch", "pr_curves", "confusion_matrix", "predictions")
        ),
    }
    rows = read_results(trained / "results.csv")
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(np.isfinite(row[name]) for row in rows for name in ("train/loss", "val/loss", "val/mAP50", "lr"))
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["mAP"] == pytest.approx(max(row["val/mAP"] for row in rows), abs=1e-6)
    assert [row["class"] for row in metrics["per_class"]][-1] == "all"
    assert OmegaConf.load(trained / "config.yaml").detector.image_size == 64


def _optimizer_state(file):
    with zipfile.ZipFile(file) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
        return {name: value[()] for name, value in weights.get("optimizer/vars", {}).items()}


def test_only_the_last_checkpoint_carries_the_optimizer(trained):
    best, last = (_optimizer_state(trained / name) for name in (BEST, LAST))
    assert not best
    weights = load_detector(trained / LAST).trainable_variables
    assert len(last) > 2 * len(weights)  # Adam keeps two values for each weight
    assert last["0"] == 2 * 3  # steps
    assert (trained / LAST).stat().st_size > 1.5 * (trained / BEST).stat().st_size


def test_mlflow_holds_the_run(work, trained):
    client = mlflow.MlflowClient(f"sqlite:///{work}/mlflow.db")
    (experiment,) = [e for e in client.search_experiments() if e.name == "ssd"]
    (run,) = client.search_runs([experiment.experiment_id], "tags.task = 'train' and attributes.run_name = 'first'")
    assert run.info.status == "FINISHED"
    assert run.data.params["detector.image_size"] == "64"
    epochs = [metric.step for metric in client.get_metric_history(run.info.run_id, "train/loss")]
    assert epochs == [1, 2]
    wanted = {
        "train/loss_cls",
        "train/loss_box",
        "val/loss",
        "val/mAP50",
        "val/mAP50_07",
        "val/mAP",
        "lr/learning_rate",
        "train/minutes",
        "model/parameters",
        "model/gflops",
        "best/mAP50",
    }
    assert wanted <= set(run.data.metrics)
    assert run.inputs is not None
    assert {dataset.dataset.name for dataset in run.inputs.dataset_inputs} == {"shapes:train", "shapes:val"}
    assert "mAP50" in run.data.tags["mlflow.note.content"]
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {
        "plots",
        "report.html",
        "images",
    }
    assert run.data.params["dataset"] == run.data.tags["dataset"]
    assert re.fullmatch("shapes [0-9a-f]{6}", run.data.tags["dataset"])
    assert run.data.tags["mlflow.runColor"].startswith("#")


def test_a_training_says_what_it_does_before_it_does_it(trained):
    text = (trained / "run.log").read_text()
    said = [
        f"run folder: {trained.relative_to(trained.parents[2])}",
        "precision float32 (as configured)",
        "data: shapes (default, with 3 values given), 12 images",
        "classes: circle ",
        "detector: ssd128 (by dataset=shapes, with 4 values given) on tiny (as given), from random weights; ",
        "training: 2 epochs of 3 steps of 4 images (by dataset=shapes, with ",
        "augmentation: HorizontalFlip (as given)",
        "epoch 1/2: train/loss ",
        " left",
        "epoch 2/2: train/loss ",
        "evaluating the best checkpoint, of epoch ",
    ]
    places = [text.find(line) for line in said]
    assert -1 not in places, said[places.index(-1)]
    assert places == sorted(places)


def test_a_terminal_hears_nothing_of_tensorflows_own(tmp_path):
    """In a process of its own: what C++ writes comes when TensorFlow is loaded."""
    command = [sys.executable, str(ROOT / "run.py"), *TINY, "training.epochs=1", "tracking.enabled=false"]
    environment = os.environ | {"PYTHONPATH": PYTHONPATH}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == ""
    others = r"[IWEF]0000 |All log messages|oneDNN|rebuild TensorFlow|cuda|absl|WARNING:"
    assert not [line for line in done.stdout.splitlines() if re.search(others, line)]
    assert re.search(r"^best: epoch 1, val/mAP 0\.", done.stdout, re.MULTILINE)
    assert (tmp_path / "outputs" / "latest" / "checkpoints" / "last.keras").is_file()


def test_latency_is_measured_where_it_is_asked_for(work, trained):
    assert "latency_ms" not in json.loads((trained / "metrics.json").read_text())
    source = f"source={trained}"
    assert main([CONFIG_DIR, "task=report", source, "sweep.latency=true"]) == 0
    found = json.loads((trained / "metrics.json").read_text())
    assert 0 < found["latency_ms"] < 10_000
    run = mlflow.MlflowClient(f"sqlite:///{work}/mlflow.db").get_run((trained / "mlflow_run.txt").read_text().strip())
    assert run.data.metrics["model/latency_ms"] == pytest.approx(found["latency_ms"], rel=0.01)
    (report,) = work.glob("outputs/report/*/sweep.md")
    assert "latency (ms)" in report.read_text()


def test_evaluating_the_checkpoint_gives_the_same_numbers(work, trained):
    assert main([CONFIG_DIR, "task=evaluate", "checkpoint=outputs/latest"]) == 0
    (folder,) = (work / "outputs" / "evaluate").iterdir()
    ours, theirs = (json.loads((place / "metrics.json").read_text()) for place in (folder, trained))
    for name in ("mAP50", "mAP50_07", "mAP"):
        assert ours[name] == pytest.approx(theirs[name], abs=1e-6)
    assert (work / "outputs" / "latest").resolve() == trained  # only a training is the latest run


def test_a_run_that_recorded_nothing_is_evaluated_to_be_compared(work, trained, capsys):
    """With the evaluation above, of the same weights."""
    older = work / "older"
    shutil.copytree(trained, older)
    for name in ("record.json", "annotations.npz", "validation.npz"):
        (older / name).unlink()
    (evaluation,) = (work / "outputs" / "evaluate").iterdir()
    assert main([CONFIG_DIR, "task=compare", f"source={older}+{evaluation}", "task.draws=100", "trust=true"]) == 0
    said = capsys.readouterr().out
    assert "code: not known, as there is no record.json in older\n" in said
    assert "data, val: the same 5 images with " in said
    assert said.count("A and B have the same") == 3
    (folder,) = (work / "outputs" / "compare").iterdir()
    values = json.loads((folder / "comparison.json").read_text())
    assert values["same_weights"] is True
    assert values["results"]["metrics"]["mAP"]["difference"]["p"] == 1
    (run,) = mlflow.MlflowClient(f"sqlite:///{work}/mlflow.db").search_runs(["1"], "tags.task = 'compare'")
    assert run.data.metrics["compare/mAP"] == 0


def test_evaluating_in_another_runtime(work, trained):
    found = {}
    for runtime in ("keras", "openvino"):
        folder = work / runtime
        chosen = [f"runtime={runtime}", "precision=float32", "tracking.enabled=false", "task.pictures=0"]
        assert main([CONFIG_DIR, "task=evaluate", f"checkpoint={trained}", *chosen, f"hydra.run.dir={folder}"]) == 0
        assert f"runtime {runtime} in float32 (as configured" in (folder / "run.log").read_text()
        found[runtime] = json.loads((folder / "metrics.json").read_text())
    for name in ("mAP50", "mAP50_07", "mAP"):
        assert found["openvino"][name] == pytest.approx(found["keras"][name], abs=1e-4)


def test_predicting_a_folder_leaves_the_images_alone(work, trained):
    source = work / "photos"
    (source / "deep").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (50, 80, 3), np.uint8)
    cv2.imwrite(str(source / "a.jpg"), pixels)
    cv2.imwrite(str(source / "deep" / "grey.png"), pixels[..., 0])
    before = {path: path.read_bytes() for path in source.rglob("*.*")}
    assert main([CONFIG_DIR, "task=predict", f"checkpoint={trained}", f"source={source}", "score_threshold=0.0"]) == 0
    (folder,) = (work / "outputs" / "predict").iterdir()
    images = json.loads((folder / "detections.json").read_text())["images"]
    assert [(Path(image["file"]).name, image["height"], image["width"]) for image in images] == [
        ("a.jpg", 50, 80),
        ("grey.png", 50, 80),
    ]
    for image in images:
        for found in image["objects"]:
            left, top, right, bottom = found["box"]
            assert 0 <= left <= right <= 80
            assert 0 <= top <= bottom <= 50
    drawn = cv2.imread(str(folder / "pictures" / "a.jpg"))
    assert drawn is not None
    assert drawn.shape == (50, 80, 3)
    assert (folder / "pictures" / "deep" / "grey.jpg").exists()
    assert {path: path.read_bytes() for path in source.rglob("*.*")} == before


def test_predicting_a_damaged_image_names_it(work, trained, capsys):
    broken = work / "broken.jpg"
    broken.write_bytes(cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes()[:300])
    assert main([CONFIG_DIR, "task=predict", f"checkpoint={trained}", f"source={broken}"]) == 2
    assert "broken.jpg" in capsys.readouterr().err


def test_a_killed_run_goes_on_as_if_it_had_not_been(work, trained):
    """SIGKILL after the first epoch, then resume: the same second epoch, folder and MLflow run."""
    run = Process(work, *TINY, "name=killed", "optimizer=adam")
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and not run.ended:
        if list(work.glob(f"outputs/train/*_killed/{LAST}")):
            run.send(signal.SIGKILL)
            break
        time.sleep(0.01)
    assert run.wait(60) == -signal.SIGKILL, run.said
    (folder,) = work.glob("outputs/train/*_killed")
    run_id = (folder / "mlflow_run.txt").read_text()

    assert main([CONFIG_DIR, f"resume={folder}"]) == 0
    assert list(work.glob("outputs/train/*_killed")) == [folder]
    assert (folder / "mlflow_run.txt").read_text() == run_id
    ours, undisturbed = read_results(folder / "results.csv"), read_results(trained / "results.csv")
    assert [row["epoch"] for row in ours] == [1, 2]
    for name in ("train/loss", "val/loss", "step", "lr"):
        assert ours[1][name] == pytest.approx(undisturbed[1][name], rel=1e-3), name


def test_training_starts_from_a_checkpoints_weights(work, trained):
    assert (
        main([*TINY, "name=second", f"checkpoint={trained}", "optimizer.learning_rate=1e-9", "training.epochs=1"]) == 0
    )
    (folder,) = work.glob("outputs/train/*_second")
    first = load_detector(trained / BEST)
    second = load_detector(folder / LAST)
    for ours, theirs in zip(second.trainable_variables, first.trainable_variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_loss_that_is_not_finite_names_the_images(work, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([*TINY, "name=nan", "optimizer.learning_rate=1e30", "optimizer.global_clipnorm=null"])
    message = capsys.readouterr().err
    assert "the loss is not finite at step" in message
    assert "in the batch of images" in message


def test_early_stopping(work, trained):
    overrides = [f"checkpoint={trained}", "optimizer.learning_rate=1e-12", "training.epochs=9", "training.patience=1"]
    assert main([*TINY, *overrides, "name=patient"]) == 0
    (folder,) = work.glob("outputs/train/*_patient")
    assert len(read_results(folder / "results.csv")) < 9


def test_a_broken_tracking_server_does_not_stop_a_training(work, caplog):
    assert main([*TINY, "name=untracked", "training.epochs=1", "tracking.uri=http://127.0.0.1:9"]) == 0
    (folder,) = work.glob("outputs/train/*_untracked")
    assert "goes on without it" in (folder / "run.log").read_text()
    assert (folder / "report.md").exists()


def test_another_class_in_the_data_is_explained(work, trained, capsys):
    data = write_voc(work / "animals", {"a": [item("cat", 5, 5, 20, 20)]}, {"train": ["a"]})
    file = work / "alone.keras"
    file.write_bytes((trained / "checkpoints" / "best.keras").read_bytes())
    overrides = ["dataset=voc_folder", f"dataset.path={data}", "dataset.train=train", "dataset.val=train"]
    with pytest.raises(SystemExit, match="2"):
        main(["task=evaluate", f"checkpoint={file}", *overrides])
    assert "does not know cat" in capsys.readouterr().err


def test_a_learning_rate_is_suggested_with_its_picture_and_its_command(work, capsys):
    given = [line for line in TINY if not line.startswith("task.")]
    latest = (work / "outputs" / "latest").resolve()
    assert main([*given, "task=lr_find", "task.steps=12", "tracking.enabled=false", "name=finding"]) == 0
    command = capsys.readouterr().out.strip().splitlines()[-1]
    assert re.search(r"optimizer\.learning_rate=\d\.\de-\d\d$", command)
    assert "lr_find" not in command
    (picture,) = work.glob("outputs/lr_find/*/plots/lr_find.png")
    assert picture.stat().st_size > 0
    assert (work / "outputs" / "latest").resolve() == latest


def test_a_training_is_reproduced_with_other_workers_but_not_with_other_settings(work, trained, capsys):
    source = [CONFIG_DIR, "task=reproduce", f"source={trained}"]
    assert main([*source, "pipeline.workers=2"]) == 0
    said = capsys.readouterr().out
    assert "first is reproduced: all numbers of 2 epochs are the same, and the weights of best.keras and last" in said
    for line in ("data, train: the same 12 images", "code: the same", "packages: the same", "workers 1 → 2\n"):
        assert line in said
    (folder,) = (work / "outputs" / "reproduce").iterdir()
    assert json.loads((folder / "reproduction.json").read_text())["same"] is True
    run = mlflow.MlflowClient(f"sqlite:///{work}/mlflow.db").get_run((folder / "mlflow_run.txt").read_text().strip())
    assert run.data.tags["reproduced"] == "true"
    try:
        with pytest.raises(SystemExit, match="1"):
            main([*source, "deterministic=true", "training.epochs=1", "tracking.enabled=false"])
    finally:
        disable_op_determinism()
    message = capsys.readouterr().err
    assert "first is not reproduced: 2 epochs had been made, now 1; " in message
    assert "last.keras has other weights (what else differs: settings)" in message
