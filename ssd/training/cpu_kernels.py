"""Activations, batch norms and 1x1 convolutions of a training step as a CPU computes them fastest.

Results are TensorFlow's. Each way was chosen by measuring (docs/measurements.md).
"""

from collections.abc import Callable

import tensorflow as tf

from ssd.training.one_loop import in_one_loop

Gradient = Callable[[tf.Tensor], tf.Tensor]


_relu6 = in_one_loop(tf.nn.relu6)
_relu6_gradient = in_one_loop(lambda upstream, output: tf.where((output > 0.0) & (output < 6.0), upstream, 0.0))
_relu_gradient = in_one_loop(lambda upstream, output: tf.where(output > 0.0, upstream, 0.0))
_hard_swish = in_one_loop(lambda inputs: inputs * tf.nn.relu6(inputs + 3.0) * (1 / 6))
_hard_swish_gradient = in_one_loop(
    lambda upstream, inputs: (
        upstream * tf.where(inputs <= -3.0, 0.0, tf.where(inputs >= 3.0, 1.0, inputs * (1 / 3) + 0.5))
    )
)
_line = in_one_loop(lambda values, scale, shift: values * scale + shift)
_plane = in_one_loop(lambda first, second, a, b, shift: first * a + second * b + shift)


@tf.custom_gradient
def relu(inputs: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """max(x, 0); TensorFlow's, which it merges with the operation before, with a gradient of one pass."""
    outputs = tf.nn.relu(inputs)
    return outputs, lambda upstream: _relu_gradient(upstream, outputs)


@tf.custom_gradient
def relu6(inputs: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """min(max(x, 0), 6)."""
    outputs = _relu6(inputs)
    return outputs, lambda upstream: _relu6_gradient(upstream, outputs)


@tf.custom_gradient
def hard_swish(inputs: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """x * relu6(x + 3) / 6 (arXiv 1905.02244, section 5.2)."""
    return _hard_swish(inputs), lambda upstream: _hard_swish_gradient(upstream, inputs)


def batch_norm(
    inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Batch norm over all but the channels, with the statistics of the batch.

    oneDNN's takes five times as long where the number of channels is no multiple of 16. Here two neighbouring
    positions are given to it as one of twice the channels, which is the same memory; only its sums are used.

    Args:
        inputs: (B, H, W, C) with B·H·W even and C a multiple of 8.
        gamma, beta: (C,) float32.
        epsilon: added to the variance.

    Returns:
        outputs like `inputs`, the mean and the variance of these values, (C,) float32.
    """
    channels = inputs.shape[-1]
    count = tf.cast(tf.size(inputs) // channels, tf.float32)
    twice = tf.ones(2 * channels)

    def pairs(values: tf.Tensor) -> tf.Tensor:
        return tf.reshape(values, (1, 1, -1, 2 * channels))

    def halves(values: tf.Tensor) -> tf.Tensor:
        return tf.reshape(values, (2, channels))

    @tf.custom_gradient
    def normalise(
        inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, tf.Tensor, tf.Tensor], Callable[..., list[tf.Tensor]]]:
        _, means, variances = tf.compat.v1.nn.fused_batch_norm(pairs(inputs), twice, twice, epsilon=epsilon)
        mean = tf.reduce_mean(halves(means), axis=0)
        half = count / 2.0
        spread = tf.reduce_mean(tf.square(halves(means) - mean), axis=0)
        variance = tf.reduce_mean(halves(variances), axis=0) * (tf.maximum(half - 1.0, 1.0) / half) + spread
        inverse = tf.math.rsqrt(variance + epsilon)
        scale = gamma * inverse

        def gradient(upstream: tf.Tensor, *_: tf.Tensor) -> list[tf.Tensor]:
            _, of_gamma, of_beta, _, _ = tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=pairs(upstream),
                x=pairs(inputs),
                scale=twice,
                reserve_space_1=tf.tile(mean, [2]),
                reserve_space_2=tf.tile(variance, [2]),
                reserve_space_3=tf.zeros(0),
                epsilon=epsilon,
            )
            of_gamma, of_beta = (tf.reduce_sum(halves(sums), axis=0) for sums in (of_gamma, of_beta))
            slope = -scale * inverse * of_gamma / count
            return [_plane(upstream, inputs, scale, slope, -scale * of_beta / count - slope * mean), of_gamma, of_beta]

        return (_line(inputs, scale, beta - mean * scale), mean, variance), gradient

    outputs: tuple[tf.Tensor, tf.Tensor, tf.Tensor] = normalise(inputs, gamma, beta)
    return outputs


@tf.custom_gradient
def pointwise_convolution(
    inputs: tf.Tensor, kernel: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], list[tf.Tensor]]]:
    """(B, H, W, C) through a (1, 1, C, F) kernel: (B, H, W, F), all bfloat16.

    The kernel's gradient is a matrix product, which takes oneDNN half of the time of a convolution's.
    """

    def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
        of_inputs = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(inputs), filter=kernel, out_backprop=upstream, strides=[1] * 4, padding="VALID"
        )
        rows, columns = (tf.reshape(values, (-1, values.shape[-1])) for values in (inputs, upstream))
        return [of_inputs, tf.reshape(tf.matmul(rows, columns, transpose_a=True), kernel.shape)]

    return tf.nn.conv2d(inputs, kernel, 1, "VALID"), gradient
