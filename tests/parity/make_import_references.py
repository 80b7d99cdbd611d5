"""Computes what the trained-weights tests compare with, by torchvision's own detectors.

Run by hand, in an environment with torch 2.14.1, torchvision 0.29.1, scikit-learn and opencv-python-headless:
    python tests/parity/make_import_references.py
It writes two small files of torch.save, in today's format and the one before, and for each detector
references/NAME_shapes.json (names and shapes of all weights) and references/NAME.npz (outputs at every
`STRIDE`-th prior, and all detections, of two photographs). The weights come from `seeded_weights.py`.
"""

import json

import numpy as np
import torch
from seeded_weights import REFERENCES, SEED, STRIDE, photographs, seeded_state
from torchvision.models.detection import ssd300_vgg16, ssdlite320_mobilenet_v3_large


def make(name, build, side):
    model = build(weights=None, weights_backbone=None, num_classes=91).eval()
    shapes = {k: list(v.shape) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    (REFERENCES / f"{name}_shapes.json").write_text(json.dumps(shapes) + "\n")
    state = {key: torch.from_numpy(value) for key, value in seeded_state(shapes, SEED).items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(key.endswith("num_batches_tracked") for key in missing)

    heads = {}
    model.head.register_forward_hook(lambda module, inputs, outputs: heads.update(outputs))
    priors = []
    model.anchor_generator.register_forward_hook(lambda module, inputs, outputs: priors.extend(outputs))
    images = [torch.from_numpy(photo).permute(2, 0, 1).float() / 255 for photo in photographs(side)]
    with torch.no_grad():
        detections = model(images)
    arrays = {
        "logits": heads["cls_logits"][:, ::STRIDE].numpy(),
        "offsets": heads["bbox_regression"][:, ::STRIDE].numpy(),  # dx, dy, dw, dh
        "priors": priors[0][::STRIDE].numpy() / side,  # xmin, ymin, xmax, ymax
        "parameters": np.array(sum(parameter.numel() for parameter in model.parameters())),
    }
    for index, found in enumerate(detections):
        arrays |= {f"{key}_{index}": found[key].numpy() for key in ("boxes", "labels", "scores")}
        print(name, len(found["scores"]), found["scores"][:4].tolist(), found["labels"][:10].tolist())
    print(heads["cls_logits"].std(), heads["bbox_regression"].std())
    np.savez_compressed(REFERENCES / f"{name}.npz", **arrays)


def make_small_files():
    parameter = torch.nn.Parameter(torch.arange(6, dtype=torch.float32).reshape(2, 3))
    content = {"parameter": parameter, "transposed": parameter.detach().t(), "part": torch.arange(10)[4:8:2]}
    content |= {"scalar": torch.tensor(3), "half": torch.ones(2, dtype=torch.float16)}
    content |= {"bfloat16": torch.full((2,), 1.5, dtype=torch.bfloat16)}
    torch.save(content, REFERENCES / "zip.pth")
    torch.save(content, REFERENCES / "stream.pth", _use_new_zipfile_serialization=False)


make_small_files()
make("torchvision_ssd300_vgg16", ssd300_vgg16, 300)
make("torchvision_ssdlite320", ssdlite320_mobilenet_v3_large, 320)
