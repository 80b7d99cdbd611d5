"""Batches of a few pictures for validations."""

from dataclasses import replace

import cv2
import numpy as np

from helpers.samples import make_sample
from ssd.cluster import LONE, Member
from ssd.data.pipeline import Batches
from ssd.data.sample import Dataset


def five_batches(member: Member = LONE) -> Batches:
    """Five pictures of the sample, each moved further, in batches of two, or a process's part of them; the last
    one has a row of padding.
    """
    sample = make_sample()
    annotation = replace(sample.annotation, labels=np.array([0, 1, 0], np.int32))
    images = [cv2.imencode(".png", np.roll(sample.image, 7 * row, axis=1))[1].tobytes() for row in range(5)]
    return Batches(
        Dataset("five", ("disc", "box"), [annotation] * 5, images.__getitem__),
        image_size=32,
        batch_size=2,
        augmentation=None,
        shuffle=False,
        seed=0,
        workers=1,
        cache_gb=0.0,
        drop_remainder=False,
        member=member,
    )
