"""Augmentations that albumentations lacks, as albumentations transforms, for `_target_` in an augmentation's YAML."""

from ssd.data.transforms.autoaugment import AutoAugment
from ssd.data.transforms.copy_paste import CopyPaste
from ssd.data.transforms.recipe import Expand, MinIoUCrop, PhotometricDistort, RandomInterpolationResize

__all__ = ["AutoAugment", "CopyPaste", "Expand", "MinIoUCrop", "PhotometricDistort", "RandomInterpolationResize"]
