"""The network as a training step computes it: same layers, weights and results, other operations."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from ssd.training.cpu_kernels import batch_norm, hard_swish, pointwise_convolution, relu, relu6
from ssd.training.depthwise import depthwise_convolution, same_padding

Call = Callable[..., tf.Tensor]
_ACTIVATIONS: dict[Call, Call] = {
    keras.activations.relu: relu,
    keras.activations.relu6: relu6,
    keras.activations.hard_swish: hard_swish,
}


class TrainingNetwork:
    """A functional model in training mode, its layers called as they are but where a CPU has a faster way.

    It has one for activations, depthwise convolutions and the zeros put around them, 1x1 convolutions in bfloat16, and
    some batch norms; a convolution whose kernel is larger than its map is float32. The model itself is not changed: it
    is saved, loaded and exported as ever.

    Args:
        model: of layers in a graph, as `SSD` is.
        others: by the id of a layer, what is called in its place.
        is_cpu: whether to take a CPU's faster ways.
    """

    def __init__(self, model: keras.Model, others: Mapping[int, Call] | None = None, is_cpu: bool = True) -> None:
        self._model = model
        self._calls = (_faster(model) if is_cpu else {}) | dict(others or {})

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """(B, S, S, 3) uint8 RGB images to the outputs of `SSD`, batch norms with the batch's statistics."""
        outputs: dict[str, tf.Tensor] = self._model._run_through_graph([images], operation_fn=self._call_of)
        return outputs

    def _call_of(self, layer: keras.Operation) -> Callable[..., Any]:
        if (call := self._calls.get(id(layer))) is not None:
            return call
        takes_training = getattr(layer, "_call_has_training_arg", False)
        return lambda *inputs, **options: layer(*inputs, **options, **({"training": True} if takes_training else {}))


def _faster(model: keras.Model) -> dict[int, Call]:
    """By the id of a layer, a CPU's faster way."""
    calls: dict[int, Call] = {}
    padded = _pads_of_depthwise(model)
    for layer in model.layers:
        if (activation := _activation_of(layer)) is not None:
            calls[id(layer)] = activation
        elif _is_bfloat16_pointwise(layer):
            calls[id(layer)] = _pointwise(layer)
        elif _is_bfloat16_convolution(layer):
            calls[id(layer)] = _convolution(layer)
        elif _is_slow_batch_norm(layer):
            calls[id(layer)] = _batch_norm(layer)
        elif _is_plain_depthwise(layer):
            pad = padded.get(id(layer))
            calls[id(layer)] = _depthwise(layer, pad)
            if pad is not None:
                calls[id(pad)] = lambda inputs: inputs
    return calls


def _activation_of(layer: keras.layers.Layer) -> Call | None:
    """The faster function of a layer that is nothing but an activation."""
    found = None
    if type(layer) is keras.layers.ReLU and not layer.negative_slope and not layer.threshold:
        found = {None: relu, 6.0: relu6}.get(layer.max_value)
    elif type(layer) is keras.layers.Activation:
        found = _ACTIVATIONS.get(layer.activation)
    # in float32 the others are one pass already
    return found if found is hard_swish or layer.compute_dtype != "float32" else None


def _is_bfloat16_convolution(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.Conv2D
        and layer.compute_dtype == "bfloat16"
        and layer.data_format == "channels_last"
    )


def _convolution(layer: keras.layers.Conv2D) -> Call:
    def call(inputs: tf.Tensor) -> tf.Tensor:
        spans = (step * (size - 1) + 1 for step, size in zip(layer.dilation_rate, layer.kernel_size, strict=True))
        if all(side >= span for side, span in zip(inputs.shape[1:3], spans, strict=True)):
            return layer(inputs)
        # of maps smaller than the kernel, what oneDNN's gradient gives in bfloat16 may be what lay in the memory
        outputs = keras.ops.conv(
            tf.cast(inputs, tf.float32),
            layer.kernel.value,
            layer.strides,
            layer.padding,
            layer.data_format,
            layer.dilation_rate,
        )
        outputs = outputs + layer.bias.value if layer.use_bias else outputs
        return layer.activation(tf.cast(outputs, tf.bfloat16))

    return call


def _is_bfloat16_pointwise(layer: keras.layers.Layer) -> bool:
    return (
        _is_bfloat16_convolution(layer)
        and tuple(layer.kernel_size) == tuple(layer.strides) == (1, 1)
        and layer.groups == 1
        and layer.activation is keras.activations.linear
    )


def _pointwise(layer: keras.layers.Conv2D) -> Call:
    def call(inputs: tf.Tensor) -> tf.Tensor:
        kernel, inputs = (tf.cast(values, tf.bfloat16) for values in (layer.kernel.value, inputs))
        outputs = pointwise_convolution(inputs, kernel)
        return tf.nn.bias_add(outputs, tf.cast(layer.bias.value, tf.bfloat16)) if layer.use_bias else outputs

    return call


def _is_slow_batch_norm(layer: keras.layers.Layer) -> bool:
    """Whether a batch norm uses the batch's statistics, of channels that are no multiple of 16."""
    return (
        isinstance(layer, keras.layers.BatchNormalization)
        and layer.trainable
        and layer.scale
        and layer.center
        and layer.axis in (-1, 3)
        and layer.gamma.shape[0] % 16 == 8
    )


def _batch_norm(layer: keras.layers.BatchNormalization) -> Call:
    def call(inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        if mask is not None or not _is_even(inputs.shape[:3]):
            return layer(inputs, training=True, mask=mask)
        inputs = tf.cast(inputs, layer.compute_dtype)
        outputs, mean, variance = batch_norm(inputs, layer.gamma.value, layer.beta.value, layer.epsilon)
        for moving, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            moving.assign(moving * layer.momentum + new * (1.0 - layer.momentum))
        return outputs

    return call


def _is_even(sides: tf.TensorShape) -> bool:
    count = sides.num_elements()
    return count is not None and count % 2 == 0


def _is_plain_depthwise(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.DepthwiseConv2D
        and layer.depth_multiplier == 1
        and layer.data_format == "channels_last"
        and layer.activation is keras.activations.linear
        and not layer.use_bias
        and tuple(layer.dilation_rate) == (1, 1)
        and len(set(layer.strides)) == len(set(layer.kernel_size)) == 1
    )


def _depthwise(layer: keras.layers.DepthwiseConv2D, pad: keras.layers.ZeroPadding2D | None) -> Call:
    stride, size = layer.strides[0], layer.kernel_size[0]

    def call(inputs: tf.Tensor) -> tf.Tensor:
        kernel = tf.cast(layer.kernel.value, layer.compute_dtype)
        rows, columns = pad.padding if pad else ((0, 0), (0, 0))
        if layer.padding == "same":
            rows, columns = (same_padding(side, size, stride) for side in inputs.shape[1:3])
        return depthwise_convolution(tf.cast(inputs, layer.compute_dtype), kernel, stride, rows, columns)

    return call


def _pads_of_depthwise(model: keras.Model) -> dict[int, keras.layers.ZeroPadding2D]:
    """By the id of each depthwise convolution, the layer that puts zeros around its input and nothing else's."""
    uses = Counter(id(tensor) for operation in model.operations for tensor in _inputs(operation))
    uses.update(id(tensor) for tensor in model.outputs)
    found = {}
    for layer in model.layers:
        if _is_plain_depthwise(layer) and layer.padding == "valid":
            tensor, *others = _inputs(layer)
            source = tensor._keras_history.operation
            if not others and type(source) is keras.layers.ZeroPadding2D and uses[id(tensor)] == 1:
                found[id(layer)] = source
    return found


def _inputs(operation: keras.Operation) -> list[keras.KerasTensor]:
    return [tensor for node in operation._inbound_nodes for tensor in node.input_tensors]
