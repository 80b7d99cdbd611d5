"""Decoding and NMS in ONNX's own operations, as `ssd.inference.decoder.Decoder` does them."""

import numpy as np
import onnx
from onnx import numpy_helper, parser

from ssd.models.box_coder import MAX_LOG_SCALE, BoxCoder
from ssd.models.detector import NMSSettings

OPSET = 17

# B images, P priors, C classes and the background before them, N chosen by NMS of all, K of an image at most. The best
# of a class enter NMS, whose rows come by image and class. Sorted by score they are gathered into K places per image;
# those left empty get the row of zeros behind the last one. Scores are 0 to 1, so that in float64 the number of the
# image puts them in order without touching them.
_GRAPH = """
<ir_version: 8, opset_import: ["" : {opset}]>
decoding (float[B, P, 4] offsets, float[B, P, L] logits)
      => (float[B, K, 4] boxes, int32[B, K] labels, float[B, K] scores, int32[B] count)
      <float[4] variances, float[P, 2] prior_centers, float[P, 2] prior_sizes>
{{
    zero = Constant <value_int = 0> ()
    zeros_1 = Constant <value_ints = [0]> ()
    one_1 = Constant <value_ints = [1]> ()
    two_1 = Constant <value_ints = [2]> ()
    three_1 = Constant <value_ints = [3]> ()
    four_1 = Constant <value_ints = [4]> ()
    minus_one_1 = Constant <value_ints = [-1]> ()

    scaled = Mul (offsets, variances)
    shift = Slice (scaled, zeros_1, two_1, two_1)
    log_size = Slice (scaled, two_1, four_1, two_1)
    moved = Mul (shift, prior_sizes)
    center = Add (moved, prior_centers)
    most_log = Constant <value_float = {max_log}> ()
    limited = Min (log_size, most_log)
    growth = Exp (limited)
    size = Mul (growth, prior_sizes)
    two = Constant <value_float = 2.0> ()
    half = Div (size, two)
    low = Sub (center, half)
    high = Add (center, half)
    corners = Concat <axis = 2> (low, high)
    least = Constant <value_float = 0.0> ()
    greatest = Constant <value_float = 1.0> ()
    all_boxes = Clip (corners, least, greatest)

    probabilities = Softmax <axis = 2> (logits)
    by_class = Transpose <perm = [0, 2, 1]> (probabilities)
    end = Constant <value_ints = [9223372036854775807]> ()
    objects = Slice (by_class, one_1, end, one_1)
    shape = Shape (offsets)
    images_1 = Gather (shape, zeros_1)
    priors_1 = Gather (shape, one_1)
    asked_1 = Constant <value_ints = [{per_class}]> ()
    entering_1 = Min (asked_1, priors_1)
    best, best_prior = TopK <axis = 2> (objects, entering_1)
    last = Slice (best, minus_one_1, end, two_1)
    enters = GreaterOrEqual (objects, last)
    never = Constant <value_float = 0.0> ()
    entering = Where (enters, objects, never)
    iou = Constant <value_floats = [{iou}]> ()
    threshold = Constant <value_floats = [{threshold}]> ()
    chosen = NonMaxSuppression (all_boxes, entering, asked_1, iou, threshold)

    image_and_class = Slice (chosen, zeros_1, two_1, one_1)
    image_1 = Slice (chosen, zeros_1, one_1, one_1)
    class_1 = Slice (chosen, one_1, two_1, one_1)
    prior_1 = Slice (chosen, two_1, three_1, one_1)
    image_and_prior = Concat <axis = 1> (image_1, prior_1)
    found_scores = GatherND (objects, chosen)
    found_boxes = GatherND (all_boxes, image_and_prior)
    image = Squeeze (image_1, one_1)
    class = Squeeze (class_1, one_1)

    exact = Cast <to = 11> (found_scores)
    exact_image = Cast <to = 11> (image)
    twice = Constant <value = double[1] {{2}}> ()
    place = Mul (exact_image, twice)
    key = Sub (exact, place)
    rows_1 = Shape (image)
    falling_key, order = TopK <axis = 0> (key, rows_1)
    sorted_scores = Gather (found_scores, order)
    sorted_boxes = Gather (found_boxes, order)
    sorted_class = Gather (class, order)
    no_score = Constant <value_floats = [0.0]> ()
    no_box = Constant <value = float[1, 4] {{0, 0, 0, 0}}> ()
    scores_and_none = Concat <axis = 0> (sorted_scores, no_score)
    boxes_and_none = Concat <axis = 0> (sorted_boxes, no_box)
    class_and_none = Concat <axis = 0> (sorted_class, zeros_1)

    one = Constant <value_int = 1> ()
    images = Squeeze (images_1, zeros_1)
    every_image = Range (zero, images, one)
    every_image_1 = Unsqueeze (every_image, one_1)
    belongs = Equal (every_image_1, image)
    belongs_number = Cast <to = 7> (belongs)
    found_1 = ReduceSum (belongs_number, one_1)
    start_after = CumSum <exclusive = 1> (found_1, zero)
    kept = Constant <value_int = {detections}> ()
    count_1 = Min (found_1, kept)
    every_place = Range (zero, kept, one)
    used = Less (every_place, count_1)
    row = Add (start_after, every_place)
    source = Where (used, row, rows_1)
    boxes = Gather (boxes_and_none, source)
    scores = Gather (scores_and_none, source)
    wide_labels = Gather (class_and_none, source)
    labels = Cast <to = 6> (wide_labels)
    wide_count = Squeeze (count_1, one_1)
    count = Cast <to = 6> (wide_count)
}}
"""


def decoding_graph(coder: BoxCoder, nms: NMSSettings) -> onnx.ModelProto:
    """Offsets (B, P, 4) and logits (B, P, C + 1) → boxes (B, K, 4), labels (B, K), scores (B, K), count (B,).

    Args:
        coder: of the detector.
        nms: thresholds and counts; K is its max_detections.
    """
    text = _GRAPH.format(
        opset=OPSET,
        max_log=MAX_LOG_SCALE,
        per_class=nms.max_per_class,
        iou=float(nms.iou),
        threshold=float(nms.score_threshold),
        detections=nms.max_detections,
    )
    model = parser.parse_model(text)
    values = {
        "variances": coder.variances,
        "prior_centers": np.ascontiguousarray(coder.priors[:, :2]),
        "prior_sizes": np.ascontiguousarray(coder.priors[:, 2:]),
    }
    del model.graph.initializer[:]
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in values.items())
    return model
