"""What a user's own backbone, optimizer or schedule gave, before something else stumbles over it."""

from typing import Any

import keras

from ssd.errors import UserError, kind_of


def as_backbone(made: Any, target: str, image_size: int) -> keras.Model:
    """A model from square uint8 images to feature maps.

    Args:
        made: what the target gave.
        target: for the message.
        image_size: side of the images that it is for.

    Raises:
        UserError: it is something else, or for images of another size.
    """
    if not isinstance(made, keras.Model):
        _refuse("backbone", target, made, "a keras.Model from images to a list of feature maps")
    if len(getattr(made, "inputs", None) or ()) != 1 or not getattr(made, "outputs", None):
        raise UserError(
            f"backbone: {target} gave a model without known inputs and outputs; make it by keras.Model(images, [maps])"
        )
    takes, wanted = tuple(made.inputs[0].shape), (None, image_size, image_size, 3)
    if takes != wanted:
        raise UserError(
            f"backbone: {target} gave a model for images of shape {takes}, and detector.image_size={image_size} needs "
            f"{wanted}; use its argument image_size"
        )
    if (kind := keras.backend.standardize_dtype(made.inputs[0].dtype)) != "uint8":
        raise UserError(
            f"backbone: {target} gave a model for {kind} images; it must take uint8 (keras.Input(..., dtype='uint8')) "
            "and do its own scaling"
        )
    for number, features in enumerate(made.outputs):
        shape = tuple(features.shape)
        if len(shape) != 4 or None in shape[1:] or shape[1] != shape[2]:
            raise UserError(
                f"backbone: output {number} of {target} has the shape {shape}; it must be a square feature map "
                "(None, side, side, channels)"
            )
    return made


def as_optimizer(made: Any, target: str) -> keras.optimizers.Optimizer:
    """An optimizer of Keras.

    Raises:
        UserError: it is something else.
    """
    if not isinstance(made, keras.optimizers.Optimizer):
        _refuse("optimizer", target, made, "a keras.optimizers.Optimizer")
    return made


def as_schedule(made: Any, target: str) -> Any:
    """A learning rate or a schedule of one.

    Raises:
        UserError: it is something else.
    """
    is_number = isinstance(made, int | float) and not isinstance(made, bool)
    if not is_number and not isinstance(made, keras.optimizers.schedules.LearningRateSchedule):
        _refuse("schedule", target, made, "a keras.optimizers.schedules.LearningRateSchedule or a number")
    return made


def _refuse(key: str, target: str, made: Any, wanted: str) -> None:
    raise UserError(f"{key}: {target} gave {kind_of(made)}; it must give {wanted}")
