"""Hard negative mining, the loss's value and its gradient: torchvision's autograd, plain loops, finite differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from parity.detectors import detector
from parity.differences import largest_difference
from parity.inputs import REFERENCES, Batch, training_batch
from ssd.boxes import centers_to_corners
from ssd.models.box_coder import BoxCoder
from ssd.training.loss import Losses, MultiBoxLoss
from ssd.training.targets import TargetEncoder

VARIANCES = (0.1, 0.1, 0.2, 0.2)
SWAP = [1, 0, 3, 2]  # x first ↔ y first


def padded(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
    """Boxes and labels as the project has them: y first, labels without background, padding -1."""
    most = max(map(len, batch.boxes)) + 2
    boxes = [np.pad(one[:, SWAP], ((0, most - len(one)), (0, 0))) for one in batch.boxes]
    labels = [np.pad(one - 1, (0, most - len(one)), constant_values=-1) for one in batch.labels]
    return tf.constant(np.stack(boxes)), tf.constant(np.stack(labels), tf.int32)


def make_loss(coder: BoxCoder, ratio: float = 3.0) -> Callable[..., Losses]:
    """Ground truth and outputs in, losses out."""
    encode_targets, loss = TargetEncoder(coder, match_iou=0.5), MultiBoxLoss(ratio, box_weight=1.0)
    return lambda boxes, labels, offsets, logits: loss(encode_targets(boxes, labels), offsets, logits)


def loss_and_gradients(loss: Callable[..., Losses], boxes, labels, offsets, logits) -> tuple[Losses, Any, Any]:
    offsets, logits = tf.Variable(offsets), tf.Variable(logits)
    with tf.GradientTape() as tape:
        losses = loss(boxes, labels, offsets, logits)
    return losses, *(tf.convert_to_tensor(one).numpy() for one in tape.gradient(losses.total, [offsets, logits]))


def at_rows(gradients, rows):
    """The gradients of the stored priors; all others must be exactly zero."""
    image, prior = rows.astype(int).T
    others = gradients.copy()
    others[image, prior] = 0
    assert not others.any()
    return gradients[image, prior]


def test_loss_and_gradient_are_torchvisions():
    """Its `SSD.compute_loss` on four images with 1, 4, 9 and 1 objects: 177 positives, 531 negatives."""
    stored = np.load(REFERENCES / "loss.npz")
    model = detector("backbone=mobilenet_v2", "detector=ssdlite320")
    batch = training_batch(len(model.priors), images=4, classes=20)
    loss = make_loss(model.box_coder)
    losses, by_offsets, by_logits = loss_and_gradients(loss, *padded(batch), batch.offsets[..., SWAP], batch.logits)
    parts = [float(losses.classification), float(losses.localisation)]
    assert int(losses.matched) == len(stored["offset_rows"])
    assert largest_difference("loss, torchvision", parts, stored["losses"]) < 2e-6
    by_offsets = at_rows(by_offsets[..., SWAP], stored["offset_rows"])
    by_logits = at_rows(by_logits, stored["logit_rows"])
    assert largest_difference("gradient by offsets, torchvision", by_offsets, stored["offset_gradients"]) < 1e-7
    assert largest_difference("gradient by logits, torchvision", by_logits, stored["logit_gradients"]) < 1e-7


# --- a small problem in plain float64 ---------------------------------------------------------------------------------

SIDE, CLASSES = 5, 3


def small_priors() -> np.ndarray:
    """Three shapes in each of 5 x 5 cells: cy, cx, height, width."""
    centers = [((row + 0.5) / SIDE, (column + 0.5) / SIDE) for row in range(SIDE) for column in range(SIDE)]
    shapes = [(0.25, 0.25), (0.2, 0.4), (0.4, 0.2)]
    return np.array([[*center, *shape] for center in centers for shape in shapes], np.float32)


def small_problem(seed: int, objects: list[int]):
    """An object lies exactly on a prior of its own, slightly moved; gives boxes, labels, offsets and logits."""
    random = np.random.default_rng(seed)
    priors = small_priors()
    boxes = np.zeros((len(objects), 4, 4), np.float32)
    labels = np.full((len(objects), 4), -1, np.int32)
    for image, count in enumerate(objects):
        chosen = random.choice(len(priors), count, replace=False)
        boxes[image, :count] = centers_to_corners(priors[chosen]) + random.uniform(-0.01, 0.01, (count, 4))
        labels[image, :count] = random.integers(0, CLASSES, count)
    offsets = random.uniform(-3, 3, (len(objects), len(priors), 4)).astype(np.float32)
    logits = random.uniform(-3, 3, (len(objects), len(priors), CLASSES + 1)).astype(np.float32)
    return boxes, labels, offsets, logits


def plain_matches(boxes, labels, priors):
    """The object of every prior of an image, -1 for none; every object has a prior that overlaps it most."""
    corners = centers_to_corners(priors).astype(np.float64)
    table = np.zeros((len(boxes), len(priors)))
    for i, a in enumerate(boxes.astype(np.float64)):
        for j, b in enumerate(corners):
            sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
            table[i, j] = sides.prod() / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - sides.prod())
    table[labels < 0] = 0
    matched = np.where(table.max(axis=0) >= 0.5, table.argmax(axis=0), -1)
    of_object = np.flatnonzero(labels >= 0)
    matched[table[of_object].argmax(axis=1)] = of_object
    return matched


def cross_entropy(logits, target):
    return np.log(np.exp(logits).sum()) - logits[target]


def plain_negatives(logits, matched, ratio):
    """The priors of an image that are mined: the worst backgrounds, `ratio` for each positive, of one at least."""
    free = [prior for prior in range(len(matched)) if matched[prior] < 0]
    free.sort(key=lambda prior: -cross_entropy(logits[prior], 0))  # stable: of equal ones the lower prior first
    positives = len(matched) - len(free)
    return free[: int(max(positives, 1) * ratio)]


def plain_loss(boxes, labels, offsets, logits, priors, matches, negatives):
    """Equations 1 to 3 of the paper in float64, over priors that are already matched and mined."""
    total, positives = 0.0, 0
    for image, matched in enumerate(matches):
        for prior, row in enumerate(matched):
            if row < 0:
                continue
            positives += 1
            total += cross_entropy(logits[image, prior], labels[image, row] + 1)
            box, (center, size) = boxes[image, row].astype(np.float64), np.split(priors[prior].astype(np.float64), 2)
            shift = ((box[:2] + box[2:]) / 2 - center) / size / 0.1
            scale = np.log((box[2:] - box[:2]) / size) / 0.2
            for error in np.abs(offsets[image, prior] - np.concatenate([shift, scale])):
                total += 0.5 * error**2 if error < 1 else error - 0.5
        total += sum(cross_entropy(logits[image, prior], 0) for prior in negatives[image])
    return total / max(positives, 1)


def compare_with_plain(seed, objects, ratio):
    """Ours and the plain loss with what is needed to evaluate it elsewhere."""
    boxes, labels, offsets, logits = small_problem(seed, objects)
    priors = small_priors()
    matches = [plain_matches(boxes[i], labels[i], priors) for i in range(len(objects))]
    negatives = [plain_negatives(logits[i].astype(np.float64), matches[i], ratio) for i in range(len(objects))]

    def plain(offsets, logits):
        return plain_loss(boxes, labels, offsets, logits, priors, matches, negatives)

    loss = make_loss(BoxCoder(priors, VARIANCES), ratio)
    result = loss_and_gradients(loss, tf.constant(boxes), tf.constant(labels), offsets, logits)
    mined = [np.flatnonzero(result[2][i].any(-1) & (matches[i] < 0)).tolist() for i in range(len(objects))]
    assert mined == [sorted(of_image) for of_image in negatives]
    return result, plain, offsets.astype(np.float64), logits.astype(np.float64)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 4), min_size=1, max_size=3), st.sampled_from([0.5, 3.0, 100.0]))
def test_mined_negatives_and_loss_are_those_of_plain_loops(seed, objects, ratio):
    """Also without objects (three negatives then; torchvision and Caffe: none), and where too few priors are left."""
    (losses, *_), plain, offsets, logits = compare_with_plain(seed, objects, ratio)
    assert float(losses.total) == pytest.approx(plain(offsets, logits), rel=3e-6)


def test_gradient_is_that_of_finite_differences():
    (_, *gradients), plain, *arguments = compare_with_plain(seed=0, objects=[2, 0, 4], ratio=3.0)
    step = 1e-6
    for which, name in enumerate(("offsets", "logits")):
        slopes = np.zeros_like(arguments[which])
        for place in zip(*np.nonzero(gradients[which]), strict=True):
            moved = [argument.copy() for argument in arguments]
            moved[which][place] += step
            above = plain(*moved)
            moved[which][place] -= 2 * step
            slopes[place] = (above - plain(*moved)) / (2 * step)
        assert largest_difference(f"gradient by {name}, finite differences", gradients[which], slopes) < 1e-6


def test_an_image_without_objects_adds_three_negatives_to_torchvisions_loss():
    """The one stated difference: torchvision, as Caffe, mines none there."""
    boxes, labels, offsets, logits = (tf.constant(one) for one in small_problem(1, [3, 0]))
    loss = make_loss(BoxCoder(small_priors(), VARIANCES))
    both, one = loss(boxes, labels, offsets, logits), loss(boxes[:1], labels[:1], offsets[:1], logits[:1])
    worst = sorted((cross_entropy(row, 0) for row in logits.numpy()[1].astype(np.float64)), reverse=True)[:3]
    assert float(both.matched) == float(one.matched)
    assert float(both.total) == pytest.approx(float(one.total) + sum(worst) / float(one.matched), rel=1e-6)
