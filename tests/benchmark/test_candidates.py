"""Which exports are measured, and whose metrics are taken from their report."""

import json
from pathlib import Path

import pytest

from ssd.benchmark.candidates import of_exports, of_keras
from ssd.data.digest import annotation_digest
from ssd.data.sample import Dataset
from ssd.runs.checkpoint import digest_of


@pytest.fixture
def dataset() -> Dataset:
    return Dataset("cells:val", ("cell",), [], lambda _: b"")


def write(folder: Path, checkpoint: str, dataset: Dataset, **others: object) -> None:
    folder.mkdir(parents=True)
    values = {
        "format": "onnx",
        "precision": "int8",
        "file": "detector.onnx",
        "megabytes": 3.5,
        "checkpoint": checkpoint,
        "digest": annotation_digest(dataset),
        "images": 0,
        "metrics": {"mAP": 0.5},
    }
    (folder / "report.json").write_text(json.dumps({**values, **others}))


def test_the_newest_of_this_checkpoint(tmp_path: Path, dataset: Dataset) -> None:
    checkpoint = tmp_path / "best.keras"
    checkpoint.write_bytes(b"weights")
    exports, own = tmp_path / "exports", digest_of(checkpoint)
    write(exports / "onnx_int8", own, dataset)
    write(exports / "onnx_int8_2", own, dataset, metrics={"mAP": 0.6})
    write(exports / "onnx_int8_10", own, dataset, metrics={"mAP": 0.7})
    write(exports / "litert_int8", "another", dataset, format="litert", file="detector.tflite")
    write(exports / "openvino_int8", own, dataset, format="openvino", file="detector.xml", images=7)
    found, others = of_exports("cells", checkpoint, exports, dataset)
    known = {one.name: (one.file.parent.name, one.metrics, one.megabytes) for one in found}
    assert known == {
        "onnx_int8": ("onnx_int8_10", {"mAP": 0.7}, 3.5),
        "openvino_int8": ("openvino_int8", {}, 3.5),  # checked on other images
    }
    assert others == [exports / "litert_int8" / "detector.tflite"]


def test_keras_and_no_exports(tmp_path: Path, dataset: Dataset) -> None:
    checkpoint = tmp_path / "best.keras"
    checkpoint.write_bytes(bytes(2_000_000))
    full, half = of_keras("cells", checkpoint, ["float32", "mixed_bfloat16"])
    assert (full.name, half.name, full.megabytes) == ("keras_float32", "keras_bfloat16", 2.0)
    assert of_exports("cells", checkpoint, tmp_path / "exports", dataset) == ([], [])
