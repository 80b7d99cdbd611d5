"""torchvision's own way from JPEG files to SSD300's batches: its reference preset `ssd` and the model's resizing.

    python input_pipeline.py FOLDER_OF_JPEGS WORKERS...

references/detection/presets.py of torchvision, `DetectionPresetTrain(data_augmentation="ssd")`, on tensors, with the
v2 transforms, which are its fastest; resized to 300 x 300 as ssd300_vgg16's GeneralizedRCNNTransform does. Boxes are
random: three an image. Prints images per second for each number of workers as JSON.
"""

import json
import sys
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms import v2

SIZE, BATCH, SECONDS = 300, 8, 20.0


class Files(Dataset):
    """JPEG files with boxes, augmented."""

    def __init__(self, folder: str) -> None:
        self.files = sorted(Path(folder).rglob("*.jpg"))
        self.transforms = v2.Compose(
            [
                v2.RandomPhotometricDistort(),
                v2.RandomZoomOut(fill={tv_tensors.Image: [123, 117, 104], "others": 0}),
                v2.RandomIoUCrop(),
                v2.RandomHorizontalFlip(p=0.5),
                v2.SanitizeBoundingBoxes(),
                v2.Resize((SIZE, SIZE), antialias=False),
                v2.ToDtype(torch.float32, scale=True),
            ]
        )

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        image = decode_jpeg(read_file(str(self.files[index % len(self.files)])), mode=ImageReadMode.RGB)
        height, width = image.shape[-2:]
        random = torch.Generator().manual_seed(index)
        corners = torch.rand((3, 2, 2), generator=random) * torch.tensor([width, height])
        boxes = torch.cat([corners.amin(1), corners.amax(1) + 1], dim=1)
        target = {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(height, width)),
            "labels": torch.ones(3, dtype=torch.int64),
        }
        return self.transforms(tv_tensors.Image(image), target)


def rate(folder: str, workers: int) -> float:
    """Images per second of a loader with so many worker processes."""
    torch.set_num_threads(1)
    loader = DataLoader(Files(folder), BATCH, num_workers=workers, collate_fn=list)
    batches = iter(loader)
    for _ in range(4):
        next(batches)
    start, images = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        images += len(next(batches))
    return images / (time.perf_counter() - start)


if __name__ == "__main__":
    print(json.dumps({workers: rate(sys.argv[1], int(workers)) for workers in sys.argv[2:]}))
