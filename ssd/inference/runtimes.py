"""Which runtime a detector's network runs in, in which precision, and why; TensorFlow is imported for a GPU only."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ssd.config.runtime import Runtime
from ssd.errors import UserError, nearest

AUTO = Runtime.auto.value
KERAS = Runtime.keras.value
OPENVINO = Runtime.openvino.value

# Of devices that TensorFlow may compute on: NVIDIA's, AMD's, and those that Windows lends its Linux.
_DEVICES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


class Choice(NamedTuple):
    """What runs a network.

    Attributes:
        runtime: keras, openvino, onnxruntime or litert.
        precision: of Keras a dtype policy, None for the detector's own; of the others float32 or bfloat16.
        why: it was chosen.
        is_auto: whether another one may take its place.
    """

    runtime: str
    precision: str | None
    why: str
    is_auto: bool = False

    def in_words(self) -> str:
        """E.g. "openvino in bfloat16 (auto: no GPU here)"."""
        return f"{self.runtime}{f' in {self.precision}' if self.precision else ''} ({self.why})"


def choose_runtime(runtime: str, policy: str) -> Choice:
    """What runs a detector here.

    The choice depends on the machine and the settings alone, never on a clock: a command that is given again takes the
    same one, and finds the same.

    Args:
        runtime: a name in `Runtime`.
        policy: "auto", or the Keras dtype policy that was asked for.

    Raises:
        UserError: there is no such runtime, or it does not have the precision.
    """
    names = [one.value for one in Runtime]
    if runtime not in names:
        raise UserError(f"runtime={runtime} is not known{nearest(runtime, names)}")
    if runtime == AUTO:
        return _automatic(policy)
    why = "as configured"
    return in_keras(policy, why) if runtime == KERAS else Choice(runtime, _precision(runtime, policy), why)


def may_have_gpu() -> bool:
    """Whether there may be a GPU that TensorFlow computes on; where not, it need not be imported to ask it."""
    if sys.platform == "darwin":
        return find_spec("tensorflow-plugins") is not None
    return any(Path(device).exists() for device in _DEVICES)


def _automatic(policy: str) -> Choice:
    if may_have_gpu():
        from ssd.device import has_gpu

        if has_gpu():
            return in_keras(policy, "auto: TensorFlow has a GPU")
    if policy == "mixed_float16":
        return in_keras(policy, "auto: OpenVINO computes no float16 on a processor")
    if find_spec("openvino") is None:
        return in_keras(policy, "auto: openvino is not installed")
    return Choice(OPENVINO, _precision(OPENVINO, policy), "auto: no GPU here", is_auto=True)


def in_keras(policy: str, why: str) -> Choice:
    """Keras, in the dtype policy that was asked for."""
    return Choice(KERAS, None if policy == AUTO else policy, why)


def _precision(runtime: str, policy: str) -> str:
    """Of an exported network, for a dtype policy of Keras."""
    if policy == "float32" or (policy == AUTO and runtime != OPENVINO):
        return "float32"
    if runtime == OPENVINO and policy == AUTO:
        from ssd.inference.openvino_network import multiplies_bfloat16

        return "bfloat16" if multiplies_bfloat16() else "float32"
    if runtime == OPENVINO and policy == "mixed_bfloat16":
        return "bfloat16"
    has = "float32 and mixed_bfloat16" if runtime == OPENVINO else "float32"
    raise UserError(f"precision={policy}: {runtime} computes {has} on a processor; choose one, or runtime=keras")
