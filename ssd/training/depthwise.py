"""Depthwise convolutions of a training step as a CPU computes them and their gradients fastest.

Results are TensorFlow's. Each way was chosen by measuring (docs/measurements.md).
"""

from collections.abc import Callable, Sequence
from functools import cache

import tensorflow as tf

from ssd.training.one_loop import in_one_loop


def depthwise_convolution(
    inputs: tf.Tensor, kernel: tf.Tensor, stride: int, rows: Sequence[int], columns: Sequence[int]
) -> tf.Tensor:
    """Convolves each channel with a kernel of its own.

    Args:
        inputs: (B, H, W, C).
        kernel: (K, K, C, 1), of the same type.
        stride: of rows and columns.
        rows, columns: how many zeros are put before and behind.
    """
    strides = [1, stride, stride, 1]
    explicit = {"padding": "EXPLICIT", "explicit_paddings": [0, 0, *rows, *columns, 0, 0]}
    is_same = (tuple(rows), tuple(columns)) == tuple(
        same_padding(side, kernel.shape[0], stride) for side in inputs.shape[1:3]
    )
    padding = {"padding": "SAME"} if is_same else explicit
    half = inputs.dtype != tf.float32

    @tf.custom_gradient
    def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], list[tf.Tensor]]]:
        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            return [input_gradient(upstream), kernel_gradient(upstream)]

        def input_gradient(upstream: tf.Tensor) -> tf.Tensor:
            # oneDNN has this for zeros as in "same" and, in bfloat16, for stride 1; else it is ten times slower
            slow = not is_same or (half and stride > 1)
            if slow and stride > 1 and kernel.shape[0] <= 3:
                return _spread(stride, rows[0], columns[0], *inputs.shape[1:3])(upstream, kernel)
            kind = tf.float32 if slow else upstream.dtype
            found = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(inputs),
                filter=tf.cast(kernel, kind),
                out_backprop=tf.cast(upstream, kind),
                strides=strides,
                **padding,
            )
            return tf.cast(found, inputs.dtype)

        def kernel_gradient(upstream: tf.Tensor) -> tf.Tensor:
            # TensorFlow's own operation, which "explicit" means, takes half of oneDNN's time of kernels beyond 3x3; of
            # maps smaller than the kernel, what oneDNN's gives in bfloat16 may be what lay in the memory
            own = kernel.shape[0] > min(3, *inputs.shape[1:3])
            kind = tf.float32 if own or not is_same else upstream.dtype
            found = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=tf.cast(inputs, kind),
                filter_sizes=kernel.shape,
                out_backprop=tf.cast(upstream, kind),
                strides=strides,
                **(explicit if own else padding),
            )
            return tf.cast(found, kernel.dtype)

        outputs = tf.raw_ops.DepthwiseConv2dNative(input=inputs, filter=kernel, strides=strides, **padding)
        return outputs, gradient

    return convolve(inputs, kernel)


@cache
def _spread(stride: int, top: int, left: int, height: int, width: int) -> Callable[..., tf.Tensor]:
    """What leads from a depthwise convolution's output gradient and kernel to the gradient of its input.

    Row `stride * m + a` of the input took part in row `m + (a + top - t) / stride` of the output by the kernel's row t,
    for each t where that is a whole number; columns alike.
    """

    def taps(offset: int, size: int) -> list[tuple[int, int]]:
        return [(t, (offset - t) // stride) for t in range(size) if (offset - t) % stride == 0]

    def spread(upstream: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        size, rows, columns = kernel.shape[0], -(-height // stride), -(-width // stride)
        padded = tf.pad(upstream, [(0, 0), (size, size), (size, size), (0, 0)])

        def phase(a: int, b: int) -> tf.Tensor:
            return tf.add_n(
                [
                    padded[:, size + y : size + y + rows, size + x : size + x + columns] * kernel[t, u, :, 0]
                    for t, y in taps(a + top, size)
                    for u, x in taps(b + left, size)
                ]
            )

        phases = [tf.stack([phase(a, b) for b in range(stride)], axis=3) for a in range(stride)]
        whole = (-1, stride * rows, stride * columns, kernel.shape[2])
        return tf.reshape(tf.stack(phases, axis=2), whole)[:, :height, :width]

    return in_one_loop(spread)


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """How many zeros TensorFlow's "same" puts before and behind `side` values."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2
