"""Backbones: a keras.Model from uint8 RGB images to a list of feature maps, finest first.

A user's own backbone is any function with `image_size` and the arguments in its YAML that returns such a model. Ours
have in common:

    image_size: side of the square input in pixels.
    weights: "imagenet" (keras.applications downloads them), a file of keras.applications without top, or None.
    feature_layers: names of the layers whose output is a feature map.
    freeze_until: this layer and all before it keep their weights; None trains all.
    freeze_batch_norm: batch norms keep the statistics and factors they were loaded with.

They return a model (B, S, S, 3) uint8 → list of feature maps, and raise UserError for weights that cannot be loaded
or a layer that does not exist.
"""

from ssd.models.backbones.mobilenetv2 import mobilenet_v2
from ssd.models.backbones.mobilenetv3 import mobilenet_v3_large
from ssd.models.backbones.vgg import vgg16

__all__ = ["mobilenet_v2", "mobilenet_v3_large", "vgg16"]
