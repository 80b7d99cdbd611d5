"""Keras' optimizers with TensorFlow's fused updates: one operation for each variable instead of a dozen.

Keras 3 writes a step of Adam as separate operations, each of which reads and writes whole arrays; of a small detector's
training step that is a quarter on a CPU. Formulas, state and its order are Keras'.
"""

from typing import Any

import keras
import tensorflow as tf

Gradients = list[tf.Tensor | None]


class _Frugal(keras.optimizers.Optimizer):
    """Keras' clipping and weight decay with fewer operations."""

    def _clip_gradients(self, grads: Gradients) -> Gradients:
        """Gradients below `global_clipnorm` are not multiplied by one, each in a pass of its own."""
        if self.clipnorm or not self.global_clipnorm:
            return list(super()._clip_gradients(grads))
        norm = tf.linalg.global_norm(grads)
        return tf.cond(
            norm <= self.global_clipnorm,
            lambda: grads,
            lambda: tf.clip_by_global_norm(grads, self.global_clipnorm, norm)[0],
        )

    def _apply_weight_decay(self, variables: list[keras.Variable | tf.Variable]) -> None:
        """`w -= w · decay · lr`, where Keras asks the schedule for the rate once for each variable."""
        if self.weight_decay is None:
            return
        rate = tf.convert_to_tensor(self.learning_rate)
        for variable in map(_value, filter(self._use_weight_decay, variables)):
            decay, lr = (tf.cast(factor, variable.dtype) for factor in (self.weight_decay, rate))
            variable.assign_sub(variable * decay * lr)


@keras.saving.register_keras_serializable("ssd")
class FusedAdam(_Frugal, keras.optimizers.Adam):
    """Keras' Adam, or with `weight_decay` its AdamW, without `amsgrad` (arXiv 1412.6980, end of section 2)."""

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """`m += (1 - β1)(g - m)`, `v += (1 - β2)(g² - v)`, `w -= lr √(1 - β2ᵗ) / (1 - β1ᵗ) m / (√v + ε)`."""
        index, dtype = self._get_variable_index(variable), variable.dtype
        step = tf.cast(self.iterations + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=_value(variable).handle,
            m=_value(self._momentums[index]).handle,
            v=_value(self._velocities[index]).handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, dtype), step),
            lr=tf.cast(learning_rate, dtype),
            beta1=tf.cast(self.beta_1, dtype),
            beta2=tf.cast(self.beta_2, dtype),
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


@keras.saving.register_keras_serializable("ssd")
class FusedSGD(_Frugal, keras.optimizers.SGD):
    """Keras' SGD with momentum."""

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """`m = momentum · m - lr · g`, `w += m`, or with `nesterov` `w += momentum · m - lr · g`."""
        dtype = variable.dtype
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=_value(variable).handle,
            accum=_value(self.momentums[self._get_variable_index(variable)]).handle,
            lr=tf.cast(learning_rate, dtype),
            grad=tf.cast(gradient, dtype),
            momentum=tf.cast(self.momentum, dtype),
            use_nesterov=self.nesterov,
        )


def fused(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The same optimizer, not built yet, with fused updates where it is one of Keras' that have them; else itself."""
    kind = type(optimizer)
    if kind in (keras.optimizers.Adam, keras.optimizers.AdamW) and not optimizer.amsgrad:
        return FusedAdam.from_config(_settings(optimizer))
    if kind is keras.optimizers.SGD and optimizer.momentum:
        return FusedSGD.from_config(_settings(optimizer))
    return optimizer


def _settings(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """The config of an optimizer with its schedule itself, not a copy: one by time looks at the training's clock."""
    schedule = optimizer._learning_rate
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return {**optimizer.get_config(), "learning_rate": schedule}
    return dict(optimizer.get_config())


def at_share_of_the_rate(
    optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable], share: float
) -> keras.optimizers.Optimizer:
    """The same optimizer, not built yet, whose steps for some variables are at `share` of its rate.

    Discriminative learning rates (arXiv 1801.06146, section 3.2): pretrained layers are to change less than new ones.
    Weight decay, which Keras applies by itself, goes by the whole rate.

    Args:
        optimizer: any of Keras' that updates variable by variable.
        variables: of the model that it is built for.
        share: 1 changes nothing.
    """
    if share == 1:
        return optimizer
    slower = {id(variable) for variable in variables}
    whole = optimizer.update_step

    def update_step(gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        known = optimizer._trainable_variables[optimizer._get_variable_index(variable)]
        whole(gradient, variable, learning_rate * share if id(known) in slower else learning_rate)

    optimizer.update_step = update_step  # type: ignore[method-assign]
    return optimizer


def with_summed_gradients(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The same optimizer, which takes gradients that have been added up over all devices.

    Keras adds them up behind its clipping, where each device would clip by the norm of its own part.
    """
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs  # type: ignore[method-assign]
    return optimizer


def scaled_rate(rate: float, rule: str, batch_size: int, base_batch_size: int) -> float:
    """The learning rate for a batch, where `rate` is meant for one of `base_batch_size` images.

    Args:
        rate: as it was found.
        rule: "linear", in proportion to the batch (Goyal et al., arXiv 1706.02677, section 2.1, to be begun
            with a warm-up); or "sqrt", to its square root (Krizhevsky, arXiv 1404.5997, section 5).
        batch_size: images of a step.
        base_batch_size: that the rate is meant for.
    """
    ratio = batch_size / base_batch_size
    return rate * {"linear": ratio, "sqrt": ratio**0.5}[rule]


def _value(variable: keras.Variable | tf.Variable) -> tf.Variable:
    return variable.value if isinstance(variable, keras.Variable) else variable
