"""The layers SSD needs and Keras does not have."""

from typing import Any

import keras
import tensorflow as tf

# torchvision's SSDLite. keras.applications' 0.999 follows the statistics only after thousands of steps: a detector
# trained for an hour would be validated with the statistics it started from.
BATCH_NORM_MOMENTUM = 0.97
BATCH_NORM_EPSILON = 1e-3  # keras.applications' and torchvision's mobile networks


@keras.saving.register_keras_serializable("ssd")
class Preprocess(keras.layers.Layer):
    """uint8 RGB → what the backbone was pretrained on, float: (channels · scale - mean), optionally as BGR.

    Args:
        scale: factor on the 0-255 values.
        mean: subtracted after scaling, in the order of the output's channels.
        bgr: reverse the channels (the Caffe VGG16).
    """

    def __init__(self, scale: float, mean: list[float], bgr: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.mean = list(mean)
        self.bgr = bgr

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """(B, H, W, 3) uint8 → the same shape in the layer's compute dtype."""
        values = tf.cast(images, tf.float32) * self.scale
        values = tf.reverse(values, axis=[-1]) if self.bgr else values
        return tf.cast(values - tf.constant(self.mean), self.compute_dtype)

    def compute_output_spec(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """The same shape, float."""
        return keras.KerasTensor(images.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments."""
        return super().get_config() | {"scale": self.scale, "mean": self.mean, "bgr": self.bgr}


@keras.saving.register_keras_serializable("ssd")
class L2Norm(keras.layers.Layer):
    """Each position's channels scaled to length one, then by a learnt factor per channel (ParseNet, section 3.3).

    Args:
        initial_scale: first value of the factors; 20 in SSD.
    """

    def __init__(self, initial_scale: float = 20.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial_scale = initial_scale

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """One factor per channel."""
        self.gamma = self.add_weight(
            name="gamma", shape=(input_shape[-1],), initializer=keras.initializers.Constant(self.initial_scale)
        )

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """(B, H, W, C) → the same shape; the norm is taken in float32."""
        normal = tf.math.l2_normalize(tf.cast(features, tf.float32), axis=-1, epsilon=1e-10)
        return tf.cast(normal, self.compute_dtype) * tf.cast(self.gamma, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Unchanged."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments."""
        return super().get_config() | {"initial_scale": self.initial_scale}


@keras.saving.register_keras_serializable("ssd")
class BatchNorm(keras.layers.BatchNormalization):
    """Keras' batch norm over the channels of (B, H, W, C), in training computed by TensorFlow's fused kernel.

    Keras 3 takes the moments and normalises in separate operations, each of which reads and writes the whole map.
    Results, variables, their order and names are those of Keras' layer; inference is Keras' own.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        """(B, H, W, C) → the same shape; in training the moving statistics are updated."""
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        # the kernel gives the estimate for all values, n / (n - 1) times the variance of these n, which Keras keeps
        values = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
        variance *= tf.maximum(values - 1.0, 1.0) / values
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + new * (1.0 - self.momentum))
        return outputs


def batch_norm(name: str) -> BatchNorm:
    """The batch norm of all networks here."""
    return BatchNorm(epsilon=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM, name=name)


def with_fused_batch_norm(model: keras.Model, momentum: float) -> keras.Model:
    """A copy of a functional model, weights included, whose batch norms are `BatchNorm` of this momentum."""

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if isinstance(layer, keras.layers.BatchNormalization):
            return BatchNorm.from_config(config | {"momentum": momentum})
        return type(layer).from_config(config)

    fused = keras.models.clone_model(model, clone_function=copy)
    fused.set_weights(model.get_weights())
    return fused


def separable_conv(
    inputs: keras.KerasTensor, filters: int, kernel: int, stride: int, padding: int, use_bias: bool, name: str
) -> keras.KerasTensor:
    """Depthwise convolution, batch norm, ReLU6, then a 1x1 convolution (MobileNetV2 paper, section 6.2: SSDLite)."""
    hidden = pad(inputs, padding, name)
    hidden = keras.layers.DepthwiseConv2D(
        kernel, strides=stride, use_bias=False, depthwise_initializer="glorot_uniform", name=f"{name}_depthwise"
    )(hidden)
    hidden = batch_norm(f"{name}_depthwise_bn")(hidden)
    hidden = keras.layers.ReLU(6.0, name=f"{name}_depthwise_relu")(hidden)
    return keras.layers.Conv2D(
        filters, 1, use_bias=use_bias, kernel_initializer="glorot_uniform", name=f"{name}_pointwise"
    )(hidden)


def pad(inputs: keras.KerasTensor, padding: int, name: str) -> keras.KerasTensor:
    """`padding` zeros on each side: symmetric, unlike TensorFlow's "same" on even sizes."""
    return keras.layers.ZeroPadding2D(padding, name=f"{name}_pad")(inputs) if padding else inputs
