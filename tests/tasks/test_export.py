"""`task=export`: files beside the run, each with its report; what differs too much ends with status 1."""

import json
from pathlib import Path

import cv2
import mlflow
import numpy as np
import pytest

from helpers.tiny import TINY
from ssd.cli.main import main
from ssd.export import check
from ssd.export.check import Tolerance

COMMAND = ["task=export", "tracking.system_metrics=false"]


@pytest.fixture(scope="module")
def trained(work: Path) -> Path:
    assert main([*TINY, "name=first", "task.pictures=0", "tracking.enabled=false"]) == 0
    return (work / "outputs" / "latest").resolve()


def run(*arguments: str) -> int:
    try:
        return main([TINY[0], *COMMAND, *arguments])
    except SystemExit as left:
        return int(left.code or 0)


def test_files_reports_and_mlflow(trained: Path, work: Path) -> None:
    assert (
        run(f"checkpoint={trained}", "format=[openvino,onnx]", "precision=[float32,int8]", "tracking.enabled=true") == 0
    )
    exports = trained / "exports"
    assert sorted(place.name for place in exports.iterdir()) == [
        "onnx_float32",
        "onnx_int8",
        "openvino_float32",
        "openvino_int8",
    ]
    assert {file.name for file in (exports / "openvino_int8").iterdir()} == {
        "detector.xml",
        "detector.bin",
        "report.json",
        "report.md",
    }
    report = json.loads((exports / "onnx_float32" / "report.json").read_text())
    assert report["passed"]
    assert report["images"] == 5
    assert report["metrics"] == pytest.approx(report["original_metrics"], abs=1e-3)
    assert report["differences"]["missing"] == 0
    (own,) = work.glob("outputs/export/*/report.md")
    assert "| onnx | int8 |" in own.read_text()
    (logged,) = mlflow.search_runs(experiment_names=["ssd"], output_format="list")
    client = mlflow.MlflowClient()
    files = {file.path for file in client.list_artifacts(logged.info.run_id, "exports/onnx_int8")}
    assert {"exports/onnx_int8/detector.onnx", "exports/onnx_int8/report.json"} <= files
    assert logged.data.metrics["onnx_int8/megabytes"] > 0

    cv2.imwrite(str(work / "photo.png"), np.full((80, 90, 3), 200, np.uint8))
    assert main([TINY[0], "task=predict", f"checkpoint={exports}/onnx_float32/detector.onnx", "source=photo.png"]) == 0


def test_beyond_its_tolerance(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(check.TOLERANCES, "bfloat16", Tolerance(1e-9, "mAP", 0.5))
    assert run(f"checkpoint={trained}", "format=openvino", "precision=bfloat16", "tracking.enabled=false") == 1
    said = capsys.readouterr().err
    assert "error: openvino_bfloat16 does not find what the detector finds: " in said
    place = trained / "exports" / "openvino_bfloat16"
    report = json.loads((place / "report.json").read_text())
    assert not report["passed"]
    assert report["layers"]
    assert report["blamed"] in said
    assert "## Failed" in (place / "report.md").read_text()
    monkeypatch.setitem(check.TOLERANCES, "bfloat16", Tolerance(None, "mAP", 0.5))
    assert run(f"checkpoint={trained}", "format=openvino", "precision=bfloat16", "tracking.enabled=false") == 0
    assert (place / "detector.xml").exists()  # what is there stays
    assert json.loads((place.with_name(f"{place.name}_2") / "report.json").read_text())["passed"]


def test_mistakes(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in [
        (["format=onnx"], "task=export needs a trained detector"),
        ([f"checkpoint={trained}", "format=coreml"], "task.format=coreml is not known"),
        ([f"checkpoint={trained}", "precision=bfloat16", "format=litert"], "litert does not have it"),
        ([f"checkpoint={trained}", "task.calibration_images=0"], "task.calibration_images=0 must be between 1"),
    ]:
        assert run(*arguments) == 2
        assert said in capsys.readouterr().err
