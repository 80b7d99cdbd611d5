"""Fine-tunes a detector of torchvision on a folder in COCO's layout, and detects on its validation images.

    python finetune.py FOLDER OUT.npz --network ssdlite --backbone WEIGHTS.npz --minutes 15 --rate 0.01

SSDLite320 on MobileNetV2 (the MobileNetV3 of ssdlite320_mobilenet_v3_large exchanged for the backbone whose weights
there are), or ssd300_vgg16. SGD with momentum 0.9 and the references' weight decay, a linear warm-up and a cosine over
the time, the references' augmentation presets. WEIGHTS: `kernel_0`, `gamma_0`, ... in the order of execution, as Keras
keeps them. Prints the last loss and the images trained on as JSON; OUT has the detections of all validation images.
"""

import argparse
import json
import math
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.io import ImageReadMode, decode_image
from torchvision.models import mobilenet_v2
from torchvision.models.detection import ssd300_vgg16
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.ssdlite import SSDLiteHead, _extra_block, _normal_init
from torchvision.transforms import v2

WARM_UP = 100  # steps
DECAY = {"ssdlite": 4e-5, "ssd300": 5e-4}  # references/detection/README.md
FILL = {tv_tensors.Image: [123, 117, 104], "others": 0}
PRESETS = {  # references/detection/presets.py
    "hflip": [v2.RandomHorizontalFlip()],
    "ssdlite": [v2.RandomIoUCrop(), v2.RandomHorizontalFlip()],
    "ssd": [
        v2.RandomPhotometricDistort(),
        v2.RandomZoomOut(fill=FILL),
        v2.RandomIoUCrop(),
        v2.RandomHorizontalFlip(),
    ],
}


class Coco(Dataset):
    """Images of one split with their boxes."""

    def __init__(self, folder: Path, split: str, transforms: list[nn.Module]) -> None:
        found = json.loads((folder / "annotations" / f"instances_{split}.json").read_text())
        self.images = [(folder / split / image["file_name"], image) for image in found["images"]]
        self.classes = len(found["categories"])
        self.objects: dict[int, list[tuple[list[float], int]]] = {}
        for item in found["annotations"]:
            if not item["iscrowd"]:
                left, top, width, height = item["bbox"]
                box = [left, top, left + width, top + height]
                self.objects.setdefault(item["image_id"], []).append((box, item["category_id"]))
        self.transforms = v2.Compose([*transforms, v2.SanitizeBoundingBoxes(), v2.ToDtype(torch.float32, scale=True)])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        file, image = self.images[index]
        pixels = decode_image(str(file), mode=ImageReadMode.RGB, apply_exif_orientation=False)
        objects = self.objects.get(image["id"], [])
        boxes = torch.tensor([box for box, _ in objects], dtype=torch.float32).reshape(-1, 4)
        target = {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=pixels.shape[-2:]),
            "labels": torch.tensor([label for _, label in objects], dtype=torch.int64),
        }
        return self.transforms(tv_tensors.Image(pixels), target)


class MobileNetV2Maps(nn.Module):
    """The maps of SSDLite: of the last expansion at stride 16, of the last layer, and of four extra blocks."""

    def __init__(self, backbone: nn.Sequential, norm: partial) -> None:
        super().__init__()
        split = backbone[14].conv
        self.features = nn.Sequential(nn.Sequential(*backbone[:14], split[0]), nn.Sequential(split[1:], *backbone[15:]))
        self.extra = nn.ModuleList(
            _extra_block(before, after, norm) for before, after in ((1280, 512), (512, 256), (256, 256), (256, 128))
        )
        _normal_init(self.extra)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        maps = [self.features[0](images)]
        maps.append(self.features[1](maps[0]))
        for block in self.extra:
            maps.append(block(maps[-1]))
        return {str(number): features for number, features in enumerate(maps)}


def fill(modules: list[nn.Module], weights: dict[str, np.ndarray]) -> None:
    """Gives convolutions and batch norms their weights, by the order of execution."""
    convolutions = [module for module in modules if isinstance(module, nn.Conv2d)]
    norms = [module for module in modules if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        for number, conv in enumerate(convolutions):
            kernel = weights[f"kernel_{number}"]
            order = (2, 3, 0, 1) if conv.groups > 1 else (3, 2, 0, 1)
            conv.weight.copy_(torch.tensor(kernel.transpose(order)))
            if conv.bias is not None:
                conv.bias.copy_(torch.tensor(weights[f"bias_{number}"]))
        for number, bn in enumerate(norms):
            for key, tensor in (("gamma", bn.weight), ("beta", bn.bias), ("mean", bn.running_mean)):
                tensor.copy_(torch.tensor(weights[f"{key}_{number}"]))
            bn.running_var.copy_(torch.tensor(weights[f"variance_{number}"]))


def ssdlite(classes: int, weights: dict[str, np.ndarray]) -> SSD:
    """SSDLite320 with the priors and thresholds of ssdlite320_mobilenet_v3_large."""
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
    backbone = mobilenet_v2(weights=None, norm_layer=norm).features
    fill(list(backbone.modules()), weights)
    anchors = DefaultBoxGenerator([[2, 3] for _ in range(6)], min_ratio=0.2, max_ratio=0.95)
    channels = [576, 1280, 512, 256, 256, 128]
    return SSD(
        MobileNetV2Maps(backbone, norm),
        anchors,
        (320, 320),
        classes + 1,
        head=SSDLiteHead(channels, anchors.num_anchors_per_location(), classes + 1, norm),
        score_thresh=0.001,
        nms_thresh=0.55,
        detections_per_img=300,
        topk_candidates=300,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )


def ssd300(classes: int, weights: dict[str, np.ndarray]) -> SSD:
    """ssd300_vgg16; Keras' VGG16 takes BGR."""
    model = ssd300_vgg16(weights=None, weights_backbone=None, num_classes=classes + 1)
    weights = weights | {"kernel_0": weights["kernel_0"][:, :, ::-1]}
    vgg = [module for module in model.backbone.modules() if isinstance(module, nn.Conv2d)]
    fill(vgg[:13], weights)
    return model


def train(model: SSD, loader: DataLoader, options: argparse.Namespace, device: str) -> dict[str, float]:
    """Trains for so many minutes."""
    optimizer = torch.optim.SGD(model.parameters(), lr=options.rate, momentum=0.9, weight_decay=DECAY[options.network])
    model.train()
    begin, steps, gone = time.perf_counter(), 0, 0.0
    while gone < 1:
        for images, targets in loader:
            for group in optimizer.param_groups:
                group["lr"] = options.rate * min((steps + 1) / WARM_UP, 0.5 + 0.5 * math.cos(math.pi * gone))
            images = [image.to(device) for image in images]
            targets = [{key: value.to(device) for key, value in target.items()} for target in targets]
            with torch.autocast(device, torch.bfloat16, enabled=options.bfloat16):
                loss = sum(model(images, targets).values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps += 1
            gone = (time.perf_counter() - begin) / 60 / options.minutes
            if gone >= 1:
                break
    return {"loss": float(loss.detach()), "images": steps * options.batch}


@torch.no_grad()
def detect(model: SSD, loader: DataLoader, device: str, file: str) -> None:
    """Writes detections: counts per image; boxes as fractions ymin, xmin, ymax, xmax, labels from 0, and scores."""
    model.eval()
    counts, boxes, labels, scores = [], [], [], []
    for images, _ in loader:
        for image, found in zip(images, model([image.to(device) for image in images]), strict=True):
            height, width = image.shape[-2:]
            corners = found["boxes"].float().cpu() / torch.tensor([width, height, width, height])
            counts.append(len(corners))
            boxes.append(corners[:, [1, 0, 3, 2]].numpy())
            labels.append(found["labels"].cpu().numpy() - 1)
            scores.append(found["scores"].float().cpu().numpy())
    np.savez(
        file, counts=counts, boxes=np.concatenate(boxes), labels=np.concatenate(labels), scores=np.concatenate(scores)
    )


def collate(samples: list) -> tuple:
    """Images of several sizes stay a list."""
    return tuple(zip(*samples, strict=True))


def main() -> None:
    """One training and its detections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out")
    parser.add_argument("--network", choices=["ssdlite", "ssd300"], default="ssdlite")
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--augmentation", choices=PRESETS, default="ssdlite")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--bfloat16", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = Coco(options.folder, "train", PRESETS[options.augmentation])
    with np.load(options.backbone) as weights:
        make = {"ssdlite": ssdlite, "ssd300": ssd300}[options.network]
        model = make(data.classes, dict(weights)).to(device)
    settings = {"num_workers": options.workers, "collate_fn": collate, "persistent_workers": options.workers > 0}
    loader = DataLoader(data, options.batch, shuffle=True, drop_last=True, **settings)
    result = train(model, loader, options, device)
    detect(model, DataLoader(Coco(options.folder, "val", []), options.batch, **settings), device, options.out)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
