"""What this machine computes on, and in which precision."""

from pathlib import Path

import keras
import tensorflow as tf

# Instructions that multiply bfloat16, and whether they also make a step of depthwise convolutions and batch norms
# faster, which gain only by halving the memory (measured in docs/measurements.md).
_BFLOAT16_INSTRUCTIONS = {"amx_bf16": True, "avx512_bf16": False}


def set_memory_growth(gpu_memory_growth: bool) -> None:
    """Whether TensorFlow takes a GPU's memory as needed or at once; before anything is computed."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, gpu_memory_growth)


def make_deterministic(seed: int) -> None:
    """Operations of TensorFlow that give the same bits each time, on a GPU too; before anything is computed.

    Those that have none raise an error (`tf.config.experimental.enable_op_determinism`).
    """
    keras.utils.set_random_seed(seed)  # or its random operations refuse to work
    tf.config.experimental.enable_op_determinism()


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def choose_precision(requested: str, model: keras.Model | None = None) -> tuple[str, str]:
    """The Keras dtype policy for training `model` here, and why.

    Args:
        requested: "auto" or the name of a policy, which is never overridden.
        model: the network, in any precision; None: one without depthwise convolutions.
    """
    if requested != "auto":
        return requested, "as configured"
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        if capability >= (8, 0):
            return "mixed_bfloat16", "auto: this GPU computes bfloat16"
        if capability >= (7, 0):
            return "mixed_float16", "auto: this GPU computes float16, with loss scaling"
        return "float32", "auto: this GPU has no fast half precision"
    layers = () if model is None else model.layers
    depthwise = any(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in layers)
    found = _processor_flags().intersection(_BFLOAT16_INSTRUCTIONS)
    if not found:
        return "float32", "auto: this processor does not multiply bfloat16"
    if depthwise and not any(_BFLOAT16_INSTRUCTIONS[flag] for flag in found):
        return "float32", "auto: without amx_bf16 depthwise convolutions gain nothing from bfloat16"
    return "mixed_bfloat16", f"auto: this processor multiplies bfloat16 ({', '.join(sorted(found))})"


def _processor_flags() -> set[str]:
    """The first processor's instruction set extensions, as Linux lists them; empty on other systems."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
