"""Which runtime is chosen, in which precision, and what is said of it."""

import sys
from pathlib import Path

import pytest

from ssd.errors import UserError
from ssd.inference import openvino_network, runtimes
from ssd.inference.runtimes import choose_runtime, may_have_gpu


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A processor with bfloat16 and no GPU."""
    monkeypatch.setattr(runtimes, "may_have_gpu", lambda: False)
    monkeypatch.setattr(openvino_network, "multiplies_bfloat16", lambda: True)
    return monkeypatch


@pytest.mark.parametrize(
    ("runtime", "policy", "chosen"),
    [
        ("auto", "auto", ("openvino", "bfloat16")),
        ("auto", "float32", ("openvino", "float32")),
        ("auto", "mixed_bfloat16", ("openvino", "bfloat16")),
        ("auto", "mixed_float16", ("keras", "mixed_float16")),
        ("keras", "auto", ("keras", None)),
        ("keras", "float32", ("keras", "float32")),
        ("openvino", "auto", ("openvino", "bfloat16")),
        ("onnxruntime", "auto", ("onnxruntime", "float32")),
        ("litert", "float32", ("litert", "float32")),
    ],
)
def test_what_runs_where(
    runtime: str, policy: str, chosen: tuple[str, str | None], machine: pytest.MonkeyPatch
) -> None:
    choice = choose_runtime(runtime, policy)
    assert (choice.runtime, choice.precision) == chosen
    assert choice.is_auto == (runtime == "auto" and chosen[0] == "openvino")


def test_a_processor_without_bfloat16(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(openvino_network, "multiplies_bfloat16", lambda: False)
    assert choose_runtime("auto", "auto").in_words() == "openvino in float32 (auto: no GPU here)"


def test_a_gpu_has_keras(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(runtimes, "may_have_gpu", lambda: True)
    machine.setattr("ssd.device.has_gpu", lambda: True)
    assert choose_runtime("auto", "auto").in_words() == "keras (auto: TensorFlow has a GPU)"
    machine.setattr("ssd.device.has_gpu", lambda: False)  # a device that TensorFlow does not use
    assert choose_runtime("auto", "auto").runtime == "openvino"


def test_without_openvino_there_is_keras(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(runtimes, "find_spec", lambda name: None)
    assert choose_runtime("auto", "auto").in_words() == "keras (auto: openvino is not installed)"


@pytest.mark.parametrize(
    ("runtime", "policy", "said"),
    [
        ("openvno", "auto", r"runtime=openvno is not known; did you mean 'openvino'\?"),
        ("onnxruntime", "mixed_bfloat16", "precision=mixed_bfloat16: onnxruntime computes float32 on a processor"),
        ("openvino", "mixed_float16", "precision=mixed_float16: openvino computes float32 and mixed_bfloat16"),
    ],
)
def test_what_there_is_not(runtime: str, policy: str, said: str, machine: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=said):
        choose_runtime(runtime, policy)


def test_a_gpu_is_looked_for_without_tensorflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(runtimes, "_DEVICES", (str(tmp_path / "nvidia0"),))
    assert not may_have_gpu()
    (tmp_path / "nvidia0").touch()
    assert may_have_gpu()
