"""The network for inference: every batch norm behind a convolution has become part of its kernel and bias."""

from collections import Counter
from typing import Any

import keras
import tensorflow as tf

from ssd.models.detector import SSD

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


class FoldedNetwork:
    """A detector's network as inference computes it; its weights are those that the detector had at `refresh`.

    With its stored statistics a batch norm is y = scale * x + shift per channel, so that of a convolution before it
    follows another convolution: kernel * scale, and bias * scale + shift (arXiv 1712.05877, section 3.2). TensorFlow
    runs that with its bias and often its activation as one operation. Outputs differ by rounding: at most 1e-5 of the
    largest one in float32.

    Args:
        model: the detector, which stays as it is; where nothing changes it is used itself.
        policy: the Keras dtype policy that it computes in, whatever the detector was trained in; None: that one.
    """

    def __init__(self, model: SSD, policy: str | None = None) -> None:
        graph = keras.Model(model.inputs, model.output)  # of the base class, which Keras can copy with changes
        self._norms = _foldable(graph)
        self._source = model
        is_same = not self._norms and policy in (None, policy_of(model))
        self._network = model if is_same else _copy(graph, self._norms, policy)
        self.refresh()

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """(B, S, S, 3) uint8 RGB images to the outputs of `SSD`."""
        return self._network(images, training=False)

    @property
    def keras_model(self) -> keras.Model:
        """What computes it, layer by layer."""
        return self._network

    def refresh(self) -> None:
        """Takes over the weights that the detector has now."""
        if self._network is self._source:
            return
        for layer in self._network.layers:
            if not layer.weights:
                continue
            source = self._source.get_layer(layer.name)
            if layer.name in self._norms:
                _fold(source, self._norms[layer.name], into=layer)
            else:
                for variable, value in zip(layer.weights, source.weights, strict=True):
                    variable.assign(value)


def _foldable(graph: keras.Model) -> dict[str, keras.layers.BatchNormalization]:
    """By the name of each convolution whose output goes nowhere but into a batch norm, that batch norm."""
    uses = Counter(
        id(tensor) for layer in graph.layers for node in layer._inbound_nodes for tensor in node.input_tensors
    )
    uses.update(id(tensor) for tensor in graph.outputs)
    calls = {layer.name: len(layer._inbound_nodes) for layer in graph.layers}
    norms = {}
    for norm in graph.layers:
        if not isinstance(norm, keras.layers.BatchNormalization) or calls[norm.name] != 1 or norm.axis not in (-1, 3):
            continue
        layer = norm.input._keras_history.operation
        if (
            isinstance(layer, _CONVOLUTIONS)
            and layer.activation is keras.activations.linear
            and layer.data_format == "channels_last"
            and calls[layer.name] == uses[id(norm.input)] == 1
        ):
            norms[layer.name] = norm
    return norms


def policy_of(model: keras.Model) -> str:
    """The dtype policy of a network's layers; a loaded one does not know it as a whole."""
    return next(layer.dtype_policy.name for layer in model.layers if layer.weights)


def _copy(graph: keras.Model, norms: dict[str, keras.layers.BatchNormalization], policy: str | None) -> keras.Model:
    """In another policy, its weights not yet set, its convolutions with a bias in the place of a batch norm."""
    left_out = {norm.name for norm in norms.values()}
    fixed = {tensor._keras_history.operation.name for tensor in graph.inputs + graph.outputs}

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if layer.name in norms:
            config["use_bias"] = True
        if policy is not None and "dtype" in config and layer.name not in fixed:
            config["dtype"] = policy
        return type(layer).from_config(config)

    def call(layer: keras.layers.Layer, *arguments: Any, **options: Any) -> Any:
        return arguments[0] if layer.name in left_out else layer(*arguments, **options)

    return keras.models.clone_model(graph, clone_function=copy, call_function=call)


def _fold(convolution: keras.layers.Layer, norm: keras.layers.BatchNormalization, into: keras.layers.Layer) -> None:
    """Sets a convolution's kernel and bias to those of another one and the batch norm behind it."""
    scale = tf.math.rsqrt(norm.moving_variance + norm.epsilon)
    if norm.gamma is not None:
        scale *= norm.gamma
    shift = -norm.moving_mean * scale if norm.beta is None else norm.beta - norm.moving_mean * scale
    kernel = convolution.kernel
    # a depthwise kernel is (h, w, in, multiplier), its outputs in * multiplier
    into.kernel.assign(kernel * tf.reshape(scale, kernel.shape[2:] if _is_depthwise(convolution) else [-1]))
    into.bias.assign(shift if convolution.bias is None else convolution.bias * scale + shift)


def _is_depthwise(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.DepthwiseConv2D)
