"""torchvision's own way from JPEG files to detections: a loader of two processes, and its detectors in evaluation mode.

    python evaluation.py NETWORK FOLDER_OF_JPEGS BATCH IMAGES WEIGHTS

As references/detection/engine.py of torchvision does, without the metrics. Random weights, written to WEIGHTS, whose
background is so likely that about 500 scores of an image are above the threshold, as with trained detectors: how long
NMS takes depends on it. Prints images per second in float32 and bfloat16 (autocast) as JSON, after one batch more.
"""

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.models import detection

CLASSES = 20
SCORES_ABOVE = 500  # of an image


class Files(Dataset):
    """JPEG files as float tensors."""

    def __init__(self, folder: str, count: int) -> None:
        files = sorted(Path(folder).rglob("*.jpg"))
        self.files = [files[index % len(files)] for index in range(count)]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        return decode_jpeg(read_file(str(self.files[index])), mode=ImageReadMode.RGB).float() / 255


def logits_of(model: torch.nn.Module, images: list[torch.Tensor]) -> torch.Tensor:
    """What the class heads say of these images, (N, classes + 1)."""
    found = []
    hook = model.head.classification_head.register_forward_hook(lambda *called: found.append(called[2]))
    model(images)
    hook.remove()
    return found[0].flatten(0, 1)


def make(name: str, images: list[torch.Tensor]) -> torch.nn.Module:
    """A detector with random weights and the background that `SCORES_ABOVE` asks for."""
    torch.manual_seed(0)
    model = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=CLASSES + 1).eval()
    heads = [layer for layer in model.head.classification_head.modules() if isinstance(layer, torch.nn.Conv2d)]
    heads = [layer for layer in heads if layer.bias is not None]
    with torch.inference_mode():
        spread = 2.5 / logits_of(model, images).std()
        for layer in heads:
            layer.weight *= spread
        logits = logits_of(model, images)
        low, high = 0.0, 50.0
        for _ in range(30):
            background = (low + high) / 2
            logits[:, 0] += background
            above = int((logits.softmax(1)[:, 1:] > model.score_thresh).sum()) / len(images)
            logits[:, 0] -= background
            low, high = (background, high) if above > SCORES_ABOVE else (low, background)
        for layer in heads:
            layer.bias[:: CLASSES + 1] += background
    return model


def rate(model: torch.nn.Module, files: Files, batch: int, bfloat16: bool) -> float:
    """Images per second from files to detections."""
    loader = DataLoader(files, batch, num_workers=2, collate_fn=list)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16) if bfloat16 else nullcontext():
        model([files[index] for index in range(batch)])
        start, found = time.perf_counter(), 0
        for images in loader:
            found += len(model(images))
    return found / (time.perf_counter() - start)


if __name__ == "__main__":
    network, folder, batch, count, weights = sys.argv[1:]
    files = Files(folder, int(count))
    model = make(network, [files[index] for index in range(4)])
    torch.save(model.state_dict(), weights)
    rates = {name: rate(model, files, int(batch), name == "bfloat16") for name in ("float32", "bfloat16")}
    print(json.dumps(rates))
