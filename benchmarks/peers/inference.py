"""JPEG files to detections by torchvision's detectors and by ultralytics' YOLO11n, a turn for each line of input.

    python inference.py NETWORK FOLDER_OF_JPEGS WORK

NETWORK is one of torchvision's detectors, with the weights of `evaluation.py`, left in WORK as NETWORK.pth; or yolo11n,
with random weights and the threshold that lets as many scores pass, through ultralytics' own export for OpenVINO in
half precision (ultralytics and openvino are installed beside torchvision). Of a line "VARIANT IMAGES" the answer is a
line with images per second.
"""

import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from evaluation import CLASSES, SCORES_ABOVE, make  # type: ignore[attr-defined]  # of this folder
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.models import detection

YOLO_SIZE = 320

Measure = Callable[[str, list[str]], int]  # variant and files to the number of images detected in


def torchvision_measure(network: str, files: list[str], work: Path) -> Measure:
    """Variants are PRECISION_BATCH."""
    weights = work / f"{network}.pth"
    if weights.exists():
        model = getattr(detection, network)(weights=None, weights_backbone=None, num_classes=CLASSES + 1).eval()
        model.load_state_dict(torch.load(weights))
    else:
        model = make(network, [_image(file) for file in files[:4]])
        torch.save(model.state_dict(), weights)

    def measure(variant: str, chosen: list[str]) -> int:
        precision, batch = variant.split("_")
        found = 0
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else nullcontext(),
        ):
            for start in range(0, len(chosen), int(batch)):
                found += len(model([_image(file) for file in chosen[start : start + int(batch)]]))
        return found

    return measure


def _image(file: str) -> torch.Tensor:
    return decode_jpeg(read_file(file), mode=ImageReadMode.RGB).float() / 255


def yolo_measure(files: list[str], work: Path) -> Measure:
    """One variant, which makes and reads WORK/yolo11n_openvino_model."""
    from ultralytics import YOLO
    from ultralytics.nn.tasks import yaml_model_load

    made = work / "yolo11n_openvino_model"
    if not made.exists():
        torch.manual_seed(0)
        described = work / "yolo11n.yaml"  # whose name tells its size
        described.write_text(json.dumps({**yaml_model_load("yolo11n.yaml"), "nc": CLASSES}, default=str))
        YOLO(described).save(work / "yolo11n.pt")
        YOLO(work / "yolo11n.pt").export(format="openvino", imgsz=YOLO_SIZE, half=True)
    network = YOLO(made, task="detect")
    least = _threshold(network, files[0])

    def measure(variant: str, chosen: list[str]) -> int:
        settings = {"imgsz": YOLO_SIZE, "conf": least, "max_det": 200, "verbose": False, "stream": True}
        return sum(1 for _ in network.predict(chosen, **settings))

    return measure


def _threshold(network: Any, file: str) -> float:
    """The score that `SCORES_ABOVE` priors of an image exceed."""
    list(network.predict([file], imgsz=YOLO_SIZE, verbose=False, stream=True))  # makes its predictor
    predictor = network.predictor
    batch = predictor.preprocess(predictor.pre_transform([_pixels(file)]))
    output = predictor.model(batch)
    scores = torch.as_tensor(output[0] if isinstance(output, list | tuple) else output)[0, 4:].flatten()
    return float(scores.float().sort(descending=True).values[SCORES_ABOVE])


def _pixels(file: str) -> object:
    import cv2

    return cv2.imread(file)


if __name__ == "__main__":
    name, folder, place = sys.argv[1:]
    paths = [str(file) for file in sorted(Path(folder).rglob("*.jpg"))]
    answer = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer
    Path(place).mkdir(parents=True, exist_ok=True)
    is_yolo = name == "yolo11n"
    run = yolo_measure(paths, Path(place)) if is_yolo else torchvision_measure(name, paths, Path(place))
    for line in sys.stdin:
        what, images = line.split()
        chosen = list(islice(cycle(paths), int(images)))
        begun = time.perf_counter()
        count = run(what, chosen)
        print(count / (time.perf_counter() - begun), file=answer, flush=True)
