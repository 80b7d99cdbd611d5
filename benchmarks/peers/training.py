"""How many images per second torchvision's detectors train on.

    python training.py ssd300_vgg16 BATCH

Random weights and images, three boxes an image, SGD; float32 and bfloat16 (autocast), the median of ten steps after
two. Prints both as JSON.
"""

import json
import sys
import time
from contextlib import nullcontext
from statistics import median

import torch
from torchvision.models import detection

SIZES = {"ssd300_vgg16": 300, "ssdlite320_mobilenet_v3_large": 320}


def rate(name: str, count: int, bfloat16: bool) -> float:
    """Images per second."""
    torch.manual_seed(0)
    model = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=21).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4)
    side = SIZES[name]
    images = [torch.rand(3, side, side) for _ in range(count)]
    corners = torch.rand(count, 3, 2, 2) * side
    boxes = torch.cat([corners.amin(2), corners.amax(2) + 1], dim=-1)
    targets = [{"boxes": boxes[k], "labels": torch.ones(3, dtype=torch.int64)} for k in range(count)]
    times = []
    for _ in range(12):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16) if bfloat16 else nullcontext():
            loss = sum(model(images, targets).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return count / median(times[2:])


if __name__ == "__main__":
    network, batch = sys.argv[1], int(sys.argv[2])
    print(json.dumps({"float32": rate(network, batch, False), "bfloat16": rate(network, batch, True)}))
