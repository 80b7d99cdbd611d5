"""What `precision: auto` chooses."""

import keras
import pytest

from ssd import device


def model(layer):
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, layer(inputs))


DENSE = keras.layers.Conv2D(4, 3)
DEPTHWISE = keras.layers.DepthwiseConv2D(3)


@pytest.mark.parametrize(
    ("layer", "flags", "policy"),
    [
        (DENSE, {"avx512f", "avx512_bf16"}, "mixed_bfloat16"),
        (DENSE, {"amx_bf16"}, "mixed_bfloat16"),
        (DENSE, {"avx2"}, "float32"),
        (DENSE, set(), "float32"),
        (DEPTHWISE, {"avx512f", "avx512_bf16"}, "float32"),
        (DEPTHWISE, {"avx512_bf16", "amx_bf16"}, "mixed_bfloat16"),
        (DEPTHWISE, {"avx2"}, "float32"),
    ],
)
def test_auto_on_a_cpu_asks_the_processor_and_the_network(monkeypatch, layer, flags, policy):
    monkeypatch.setattr(device, "_processor_flags", lambda: flags)
    monkeypatch.setattr(device.tf.config, "list_physical_devices", lambda kind=None: [])
    chosen, why = device.choose_precision("auto", model(layer))
    assert chosen == policy
    assert why.startswith("auto: ")


@pytest.mark.parametrize(
    ("capability", "policy"), [((9, 0), "mixed_bfloat16"), ((7, 5), "mixed_float16"), ((6, 1), "float32")]
)
def test_auto_on_a_gpu_asks_its_compute_capability(monkeypatch, capability, policy):
    monkeypatch.setattr(device.tf.config, "list_physical_devices", lambda kind=None: ["a GPU"])
    monkeypatch.setattr(
        device.tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": capability}
    )
    assert device.choose_precision("auto", model(DEPTHWISE))[0] == policy


def test_what_a_user_set_is_kept():
    assert device.choose_precision("mixed_bfloat16", model(DEPTHWISE))[0] == "mixed_bfloat16"
