"""`task=benchmark`: Keras and what has been exported, measured, judged, and told in a table, a picture and MLflow."""

import csv
import json
import shutil
from pathlib import Path

import mlflow
import pytest

from helpers.tiny import TINY
from ssd.cli.main import main

QUICK = ["tracking.system_metrics=false", "task.images=3", "task.seconds=0.05", "task.batch_sizes=[2]"]


@pytest.fixture(scope="module")
def trained(work: Path) -> Path:
    assert main([*TINY, "name=first", "task.pictures=0", "tracking.enabled=false"]) == 0
    run = (work / "outputs" / "latest").resolve()
    assert main([TINY[0], "task=export", f"checkpoint={run}", "format=onnx", "tracking.enabled=false"]) == 0
    return run


def run(*arguments: str) -> int:
    try:
        return main([TINY[0], "task=benchmark", *QUICK, *arguments])
    except SystemExit as left:
        return int(left.code or 0)


def rows_of(work: Path) -> list[dict[str, str]]:
    """Of the newest benchmark."""
    place = max(work.glob("outputs/benchmark/*/benchmark.csv"), key=lambda file: file.stat().st_mtime_ns)
    with place.open() as stream:
        return list(csv.DictReader(stream))


def test_what_is_there_is_measured(trained: Path, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"checkpoint={trained}", "format=openvino", "precision=float32", "tracking.enabled=true") == 0
    assert (trained / "exports" / "openvino_float32" / "detector.xml").exists()  # it was missing
    keras, openvino = rows_of(work)
    assert (keras["format"], openvino["format"]) == ("keras", "openvino")
    for row in (keras, openvino):
        assert (row["detector"], row["precision"], row["batch"]) == ("first", "float32", "2")
        assert 0 < float(row["latency_ms"]) <= float(row["p95_ms"])
        assert sum(float(row[f"{step}_share"]) for step in ("read", "resize", "network", "nms")) == pytest.approx(
            1, abs=1e-3
        )
    assert float(keras["mAP"]) == pytest.approx(float(openvino["mAP"]), abs=1e-3)
    assert keras["detections"] == openvino["detections"]  # the same real images
    assert float(openvino["memory_mb"]) < float(keras["memory_mb"])  # TensorFlow is not in it
    (folder,) = work.glob("outputs/benchmark/*")
    assert (folder / "benchmark.png").exists()
    assert "| keras | float32 | 2 |" in (folder / "report.md").read_text()
    (logged,) = mlflow.search_runs(experiment_names=["ssd"], output_format="list")
    assert logged.data.metrics["first/openvino_float32/batch_2_threads_2/latency_ms"] > 0
    files = {file.path for file in mlflow.MlflowClient().list_artifacts(logged.info.run_id)}
    assert {"benchmark.csv", "report.md", "benchmark.png"} <= files


def test_exports_of_another_checkpoint_are_left_out(
    trained: Path, work: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    copy = work / "copy"
    shutil.copytree(trained, copy)
    shutil.rmtree(copy / "exports" / "openvino_float32", ignore_errors=True)
    report = copy / "exports" / "onnx_float32" / "report.json"
    report.write_text(json.dumps({**json.loads(report.read_text()), "checkpoint": "of another"}))
    assert run(f"checkpoint={copy}", "precision=float32", "tracking.enabled=false") == 0
    assert [row["format"] for row in rows_of(work)] == ["keras"]
    said = capsys.readouterr()
    assert "copy/exports/onnx_float32/detector.onnx was made of another checkpoint" in said.out + said.err + caplog.text
    assert "Not exported, so not measured: saved_model_float32" in said.out


def test_mistakes(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in [
        ([], "task=benchmark needs a trained detector"),
        ([f"checkpoint={trained}", "format=coreml"], "task.format=coreml is not known"),
        ([f"checkpoint={trained}", "task.threads=[4000]"], "task.threads has 4000, but this process may use"),
        ([f"checkpoint={trained}", "task.others=[nowhere]"], "nowhere is neither a .keras file nor a run folder"),
        ([f"checkpoint={trained}", "task.batch_sizes=[0]"], "task.batch_sizes=[0] must hold numbers between 1"),
    ]:
        assert run(*arguments) == 2
        assert said in capsys.readouterr().err
