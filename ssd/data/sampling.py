"""How often each image is trained on in an epoch."""

import numpy as np
from numpy.typing import NDArray

from ssd.data.rows import take
from ssd.data.sample import Dataset


def repeated(dataset: Dataset, class_balanced: bool, seed: int) -> Dataset:
    """The data set with images that are there several times: as often as their weights and classes ask for.

    The factors of `class_balanced_factors` and the data set's weights are multiplied and divided by the smallest, so
    that each image is there at least once; an epoch becomes longer. Of a factor of 2.3, 3 of 10 images on average are
    there three times and the others twice; which ones follows from the seed, and is the same in every epoch. Each copy
    is a row of its own, and so augmented in its own way.

    Args:
        dataset: to train on.
        class_balanced: whether images with rare classes are to be seen more often.
        seed: any integer.
    """
    factors = np.ones(len(dataset)) if dataset.weights is None else dataset.weights
    if class_balanced:
        factors = factors * class_balanced_factors(dataset)
    if not len(dataset) or (factors == factors[0]).all():
        return dataset
    factors = factors / factors.min()
    times = np.floor(factors + np.random.default_rng((seed % 2**64, 0)).random(len(factors))).astype(np.int64)
    return take(dataset, np.repeat(np.arange(len(factors)), times).tolist())


def class_balanced_factors(dataset: Dataset) -> NDArray[np.float64]:
    """(N,) repeat factors of the images, by which those with rare classes are seen more often; at least 1.

    As in LVIS (Gupta et al. 2019, "LVIS: A Dataset for Large Vocabulary Instance Segmentation", repeat factor
    sampling): a class has the factor max(1, sqrt(t / f)), f being the share of the images that show it, and an image
    the largest factor of its classes; one without objects has 1. The threshold t is the f of the most frequent class
    here: the paper's, 0.001, is for a thousand classes, and changes nothing for a few.
    """
    shows = np.zeros((len(dataset), len(dataset.class_names)), np.bool_)
    for row, item in enumerate(dataset.annotations):
        shows[row, item.labels[~item.crowd]] = True
    share = shows.mean(axis=0)
    factor = np.sqrt(share.max() / np.maximum(share, 1 / len(dataset)))
    return np.where(shows, np.maximum(factor, 1.0), 1.0).max(axis=1)
