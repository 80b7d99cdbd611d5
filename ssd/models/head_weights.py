"""First weights of the heads that say little at first, so that their errors do not tear the layers before them."""

import numpy as np

from ssd.models.detector import SSD

_DEVIATION = 0.01


def initialise_heads(model: SSD, object_prior: float, seed: int) -> None:
    """Gives the heads the first weights of RetinaNet (arXiv 1708.02002, sections 3.3 and 4.1).

    Kernels are drawn from a normal distribution of deviation 0.01, biases are 0, but for the background's of the class
    heads: all priors begin with a probability of `object_prior` to be an object, of any class alike. In RetinaNet each
    class has a sigmoid; here, where a softmax is over the classes and the background, its logit is
    log(C (1 - p) / p).

    Args:
        model: with fresh heads.
        object_prior: p, in (0, 1). RetinaNet's is 0.01 for all of its priors; of those that count in SSD's loss one of
            1 + `negative_ratio` is an object.
        seed: of the kernels.
    """
    classes = len(model.class_names)
    background = np.log(classes * (1 - object_prior) / object_prior)
    for level in range(len(model.prior_levels)):
        for kind, values in (("box_head", 4), ("class_head", classes + 1)):
            name = f"{kind}_{level}{'_pointwise' if model.separable else ''}"
            head = model.get_layer(name)
            random = np.random.default_rng((seed, level, values))
            head.kernel.assign(random.normal(0, _DEVIATION, head.kernel.shape))
            bias = np.zeros((head.bias.shape[0] // values, values), np.float32)
            if kind == "class_head":
                bias[:, 0] = background
            head.bias.assign(bias.ravel())
