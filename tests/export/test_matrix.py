"""What task.format and task.precision may ask for."""

import pytest

from ssd.errors import UserError
from ssd.export.matrix import read_variants


def names(kind: object, precision: object) -> list[str]:
    return [variant.name for variant in read_variants({"format": kind, "precision": precision})]


def test_each_with_each() -> None:
    assert names("onnx", "int8") == ["onnx_int8"]
    assert names(["onnx", "litert", "onnx"], ["float32", "int8"]) == [
        "onnx_float32",
        "onnx_int8",
        "litert_float32",
        "litert_int8",
    ]


def test_all() -> None:
    assert names("saved_model", "all") == ["saved_model_float32", "saved_model_bfloat16", "saved_model_float16"]
    assert names("all", "int8") == ["onnx_int8", "openvino_int8", "litert_int8"]
    assert len(names("all", "all")) == 14


@pytest.mark.parametrize(
    ("kind", "precision", "said"),
    [
        ("onyx", "int8", "task.format=onyx is not known; did you mean 'onnx'?"),
        ("onnx", "in8", "task.precision=in8 is not known; did you mean 'int8'?"),
        ("litert", "bfloat16", r"task.precision=bfloat16: litert does not have it \(LiteRT has no bfloat16\)"),
        ("openvino", "full_int8", "choose one of: float32, bfloat16, float16, int8"),
        ([], "int8", "task.format is empty"),
        (3, "int8", "task.format=3 is not known"),
    ],
)
def test_what_there_is_not(kind: object, precision: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        names(kind, precision)
