"""The network of a CPU's training step is the model in training: outputs, gradients, statistics."""

from collections.abc import Callable, Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssd.models.layers import BatchNorm
from ssd.training import cpu_kernels, one_loop
from ssd.training.depthwise import depthwise_convolution, same_padding
from ssd.training.network import TrainingNetwork

Arrays = list[np.ndarray]
TOLERANCE = {tf.float32: 2e-6, tf.bfloat16: 1e-2}  # of the largest value
both_types = pytest.mark.parametrize("kind", TOLERANCE, ids=lambda kind: kind.name)


def normal(*shape: int, kind: tf.DType = tf.float32, seed: int = 0) -> tf.Tensor:
    return tf.cast(np.random.default_rng(seed).normal(1, 3, shape), kind)


def results(function: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> Arrays:
    """The output, and the gradients of the sum of its cubes."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = function(*inputs)
        loss = tf.reduce_sum(tf.cast(output, tf.float32) ** 3)
    return [np.asarray(tf.cast(value, tf.float32)) for value in (output, *tape.gradient(loss, inputs))]


def assert_close(found: Arrays, expected: Arrays, tolerance: float) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=tolerance * np.abs(theirs).max())


@both_types
@pytest.mark.parametrize("name", ["relu", "relu6", "hard_swish"])
def test_activations(name: str, kind: tf.DType) -> None:
    values = normal(2, 5, 3, 8, kind=kind)
    found, expected = (results(getattr(module, name), values) for module in (cpu_kernels, keras.activations))
    assert_close(found, expected, TOLERANCE[kind])


@both_types
@pytest.mark.parametrize(
    ("size", "stride", "rows", "columns"),
    [
        (3, 1, (1, 1), (1, 1)),  # "same"
        (5, 1, (2, 2), (2, 2)),
        (3, 2, (0, 1), (1, 1)),  # "same" of 8 rows and 7 columns
        (5, 2, (1, 2), (2, 2)),
        (3, 2, (1, 1), (1, 1)),  # as PyTorch pads
        (5, 2, (2, 2), (2, 2)),
        (5, 1, (0, 0), (0, 0)),
    ],
)
def test_depthwise_convolutions(
    size: int, stride: int, rows: tuple[int, int], columns: tuple[int, int], kind: tf.DType
) -> None:
    def expected(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.nn.depthwise_conv2d(
            tf.pad(inputs, [(0, 0), rows, columns, (0, 0)]), kernel, [1, stride, stride, 1], "VALID"
        )

    values, kernel = normal(2, 8, 7, 6, kind=kind), normal(size, size, 6, 1, kind=kind, seed=1)
    found = results(lambda inputs, kernel: depthwise_convolution(inputs, kernel, stride, rows, columns), values, kernel)
    assert_close(found, results(expected, values, kernel), TOLERANCE[kind])


@pytest.mark.parametrize("side", [1, 2])
def test_the_gradient_of_a_kernel_larger_than_the_map(side: int) -> None:
    """oneDNN's in bfloat16 holds what lay in the memory before: seen with one position, 128 channels and stride 2."""
    values, kernel = normal(2, side, side, 128, kind=tf.bfloat16), normal(3, 3, 128, 1, kind=tf.bfloat16, seed=1)
    padding = same_padding(side, 3, 2)

    def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return depthwise_convolution(inputs, kernel, 2, padding, padding)

    expected = results(convolve, tf.cast(values, tf.float32), tf.cast(kernel, tf.float32))
    for _ in range(5):
        tf.fill((500, 500), np.nan)  # memory that is not zero, and free again
        assert_close(results(convolve, values, kernel), expected, TOLERANCE[tf.bfloat16])


def test_pointwise_convolution() -> None:
    values, kernel = normal(2, 5, 3, 8, kind=tf.bfloat16), normal(1, 1, 8, 6, kind=tf.bfloat16, seed=1)
    found = results(cpu_kernels.pointwise_convolution, values, kernel)
    expected = results(lambda *given: tf.nn.conv2d(*given, 1, "SAME"), values, kernel)
    assert_close(found, expected, TOLERANCE[tf.bfloat16])


@both_types
def test_batch_norm(kind: tf.DType) -> None:
    values, gamma, beta = normal(2, 5, 3, 24, kind=kind), tf.linspace(0.5, 2.0, 24), tf.linspace(-1.0, 1.0, 24)
    found = results(lambda x, scale, shift: cpu_kernels.batch_norm(x, scale, shift, 1e-3)[0], values, gamma, beta)
    expected = results(lambda *given: tf.compat.v1.nn.fused_batch_norm(*given, epsilon=1e-3)[0], values, gamma, beta)
    assert_close(found, expected, TOLERANCE[kind])
    _, mean, variance = cpu_kernels.batch_norm(values, gamma, beta, 1e-3)
    numbers = np.asarray(tf.cast(values, tf.float32)).reshape(-1, 24)
    assert_close([mean.numpy(), variance.numpy()], [numbers.mean(0), numbers.var(0)], 1e-5)


@pytest.fixture
def bfloat16() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


def network(seed: int = 0) -> keras.Model:
    """Something of everything: pads, kernels of 3 and 5, strides, batch norms of 8 and 16 channels, all activations."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    images = keras.Input((12, 12, 3))
    hidden = layers.Conv2D(24, 3, padding="same", activation="relu")(images)
    hidden = BatchNorm(name="slow")(hidden)
    hidden = layers.ReLU(6.0)(hidden)
    hidden = layers.DepthwiseConv2D(3, 2, use_bias=False)(layers.ZeroPadding2D(1)(hidden))
    hidden = layers.Activation("hard_swish")(layers.BatchNormalization(name="keras")(hidden))
    shared = layers.ZeroPadding2D(1)(hidden)
    hidden = layers.DepthwiseConv2D(5, padding="same", use_bias=False)(layers.Conv2D(16, 1)(hidden))
    hidden = layers.ReLU()(BatchNorm(name="fast")(hidden))
    other = layers.DepthwiseConv2D(3, name="with_bias")(layers.LeakyReLU()(shared))
    outputs = layers.Concatenate()([hidden, other, layers.Cropping2D(1)(shared), hidden * 2.0])
    return keras.Model(images, {"values": outputs})


def after_a_step(call: Callable[[tf.Tensor], dict[str, tf.Tensor]], model: keras.Model) -> Arrays:
    """Outputs, gradients of all weights, statistics."""
    with tf.GradientTape() as tape:
        outputs = call(normal(3, *model.input_shape[1:]))["values"]
        loss = tf.reduce_sum(outputs**2)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    return [value.numpy() for value in (outputs, *gradients)] + [
        np.asarray(variable) for variable in model.non_trainable_variables
    ]


@pytest.mark.parametrize("frozen", [False, True])
def test_a_network(frozen: bool) -> None:
    ours, theirs = network(), network()
    for model in (ours, theirs):
        model.get_layer("slow").trainable = not frozen
    found = after_a_step(TrainingNetwork(ours), ours)
    assert_close(found, after_a_step(lambda images: theirs(images, training=True), theirs), 1e-5)


def test_bfloat16_convolutions(bfloat16: None) -> None:
    images = keras.Input((6, 6, 3))
    hidden = keras.layers.Conv2D(8, 1, bias_initializer="ones")(images)
    hidden = keras.layers.Conv2D(8, 1, 2, activation="relu")(keras.layers.ReLU()(hidden))
    outputs = keras.layers.Conv2D(5, 1, use_bias=False)(hidden)
    model = keras.Model(images, {"values": keras.layers.Activation("linear", dtype="float32")(outputs)})
    found = after_a_step(TrainingNetwork(model), model)
    assert_close(found, after_a_step(lambda images: model(images, training=True), model), TOLERANCE[tf.bfloat16])


@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_whose_kernel_is_larger_than_its_map(side: int, stride: int, bfloat16: None) -> None:
    """Its gradient is float32: oneDNN's in bfloat16 may hold what lay in the memory before."""

    def model(kind: str) -> keras.Model:
        keras.utils.set_random_seed(0)
        images = keras.Input((side, side, 128))
        outputs = keras.layers.Conv2D(64, 3, stride, "same", bias_initializer="ones", dtype=kind)(images)
        return keras.Model(images, {"values": keras.layers.Activation("linear", dtype="float32")(outputs)})

    single, half = model("float32"), model("mixed_bfloat16")
    expected = after_a_step(lambda images: single(images, training=True), single)
    found = after_a_step(TrainingNetwork(half), half)
    assert_close(found, expected, TOLERANCE[tf.bfloat16])
    of_kernel = found[1]
    assert (of_kernel != np.asarray(tf.cast(tf.cast(of_kernel, tf.bfloat16), tf.float32))).any(), "is of bfloat16"


def test_an_odd_number_of_positions_is_left_to_the_layer() -> None:
    images = keras.Input((3, 3, 8))
    model = keras.Model(images, {"values": BatchNorm()(images)})
    found = TrainingNetwork(model)(normal(1, 3, 3, 8))["values"]
    assert_close([found.numpy()], [BatchNorm()(normal(1, 3, 3, 8), training=True).numpy()], 1e-6)


def test_without_xla_tensorflows_operations_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_loop, "has_xla", lambda: False)
    values = normal(2, 3, 3, 4)
    assert_close(
        results(cpu_kernels.hard_swish, values), results(keras.activations.hard_swish, values), TOLERANCE[tf.float32]
    )
