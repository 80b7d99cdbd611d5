"""Backbones: a keras.Model from uint8 RGB images to a list of feature maps, finest first.

A user's own backbone is any function with `image_size` and the arguments in its YAML that returns such a model.
"""

from ssd.models.backbones.mobilenetv2 import mobilenet_v2
from ssd.models.backbones.mobilenetv3 import mobilenet_v3_large
from ssd.models.backbones.vgg import vgg16

__all__ = ["mobilenet_v2", "mobilenet_v3_large", "vgg16"]
