"""Computes what the components are compared with, by torchvision's own code.

Run by hand, in an environment with torch 2.14.1 and torchvision 0.29.1:
    python tests/parity/make_references.py
It writes references/priors.npz, encoding.npz, loss.npz, decoding_ssd300.npz and decoding_ssdlite320.npz. The inputs
come from `inputs.py`; every file keeps their checksum.
"""

import numpy as np
import torch
from inputs import REFERENCES, checksum, decoding_batch, encoding_pairs, training_batch
from torchvision.models.detection import _utils, ssd300_vgg16, ssdlite320_mobilenet_v3_large
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

CLASSES = 90


def priors_of(model, side):
    """(P, 4) corners in pixels, from the model's own feature maps and generator."""
    images = torch.zeros((1, 3, side, side))
    with torch.no_grad():
        maps = list(model.backbone(images).values())
    return model.anchor_generator(ImageList(images, [(side, side)]), maps)[0]


def make_encoding():
    pairs = encoding_pairs()
    coder = _utils.BoxCoder(weights=(10.0, 10.0, 5.0, 5.0))
    boxes, priors = (torch.from_numpy(one) for one in pairs)
    offsets = coder.encode_single(boxes, priors)
    exact = coder.encode_single(boxes.double(), priors.double())
    extreme = torch.from_numpy(np.random.RandomState(3).uniform(-60, 60, offsets.shape).astype(np.float32))
    decoded = coder.decode_single(extreme, priors)
    np.savez_compressed(
        REFERENCES / "encoding.npz", offsets=offsets, exact=exact, decoded=decoded, checksum=checksum(*pairs)
    )


def make_loss(model, priors, side):
    """The model's own matcher, loss and gradients on four images."""
    batch = training_batch(len(priors), images=4, classes=20)
    offsets, logits = (torch.from_numpy(one).requires_grad_() for one in (batch.offsets, batch.logits))
    targets, matched = [], []
    for boxes, labels in zip(batch.boxes, batch.labels, strict=True):
        targets.append({"boxes": torch.from_numpy(boxes) * side, "labels": torch.from_numpy(labels)})
        matched.append(model.proposal_matcher(box_iou(targets[-1]["boxes"], priors)))
    outputs = {"bbox_regression": offsets, "cls_logits": logits}
    losses = model.compute_loss(targets, outputs, [priors] * len(targets), matched)
    sum(losses.values()).backward()
    used = [torch.nonzero(one.grad.abs().sum(-1)) for one in (offsets, logits)]  # image and prior
    np.savez_compressed(
        REFERENCES / "loss.npz",
        matched=torch.stack(matched).to(torch.int16),
        losses=[losses["classification"].item(), losses["bbox_regression"].item()],
        offset_rows=used[0].to(torch.int16),
        offset_gradients=offsets.grad[used[0][:, 0], used[0][:, 1]],
        logit_rows=used[1].to(torch.int16),
        logit_gradients=logits.grad[used[1][:, 0], used[1][:, 1]],
        checksum=checksum(batch.offsets, batch.logits, *batch.boxes, *batch.labels),
    )


def make_decoding(name, model, priors, side):
    batch = decoding_batch(len(priors), CLASSES)
    outputs = {"bbox_regression": torch.from_numpy(batch.offsets), "cls_logits": torch.from_numpy(batch.logits)}
    found = model.postprocess_detections(outputs, [priors] * 3, [(side, side)] * 3)
    np.savez_compressed(
        REFERENCES / f"decoding_{name}.npz",
        boxes=torch.cat([one["boxes"] for one in found]),
        scores=torch.cat([one["scores"] for one in found]),
        labels=torch.cat([one["labels"] for one in found]).to(torch.uint8),
        counts=[len(one["boxes"]) for one in found],
        settings=[model.score_thresh, model.nms_thresh, model.topk_candidates, model.detections_per_img],
        checksum=checksum(batch.offsets, batch.logits),
    )


def main():
    torch.set_num_threads(1)
    vgg = ssd300_vgg16(weights=None, weights_backbone=None, num_classes=CLASSES + 1).eval()
    lite = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=CLASSES + 1).eval()
    priors = {"ssd300": priors_of(vgg, 300), "ssdlite320": priors_of(lite, 320)}
    np.savez_compressed(REFERENCES / "priors.npz", **priors)
    make_encoding()
    make_loss(lite, priors["ssdlite320"], 320)
    make_decoding("ssd300", vgg, priors["ssd300"], 300)
    make_decoding("ssdlite320", lite, priors["ssdlite320"], 320)


if __name__ == "__main__":
    main()
