"""A detector small enough for tests that only need one."""

import keras

from ssd.models.detector import SSD, NMSSettings, PriorSpec


def make_detector() -> SSD:
    """Random weights from a fixed seed, 32 x 32 pixels, one 4 x 4 feature map with 4 priors each, two classes."""
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3), dtype="uint8")
    features = keras.layers.Conv2D(4, 3, strides=8, padding="same")(keras.layers.Rescaling(1 / 255)(image))
    priors = PriorSpec((0.2, 0.4), ((2.0,),), "stride", False)
    nms = NMSSettings(score_threshold=0.01, iou=0.45, max_per_class=50, max_detections=5)
    backbone = keras.Model(image, [features])
    return SSD(backbone, ["disc", "box"], [], priors, (0.1, 0.1, 0.2, 0.2), False, nms)
