"""Whether OpenVINO validates a detector sooner than Keras does."""

import keras

from ssd.inference.runtimes import Choice, in_keras

# Giving OpenVINO new weights takes a second, then an image takes 5 to 8 ms less (MobileNetV2, docs/measurements.md).
_WORTH_CONVERTING = 500  # images


def for_validation(choice: Choice, policy: str, model: keras.Model, images: int) -> Choice:
    """What runs a validation: what was chosen, or in the place of what auto chose Keras, where that is done sooner.

    Weights change from one validation of a training to the next, and OpenVINO has to be given them anew. That pays for
    networks of depthwise convolutions, which it runs about twice as fast, on enough images; others are near the
    processor's peak in Keras. It depends on nothing that a clock says: a resumed training goes on as it began, and
    task=evaluate finds what the training found.

    Args:
        choice: of `choose_runtime`.
        policy: the dtype policy that Keras would have.
        model: the detector.
        images: of a validation.
    """
    if not choice.is_auto:
        return choice
    if not any(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in model.layers):
        return in_keras(policy, f"auto: {choice.runtime} is hardly faster at ordinary convolutions")
    if images < _WORTH_CONVERTING:
        return in_keras(policy, f"auto: {images} images are too few to convert the network for")
    return choice
