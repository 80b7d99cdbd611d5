"""JPEG files to detections: images per second of each runtime and precision, in turns with others' detectors.

    python benchmarks/inference.py FOLDER_OF_JPEGS WORK ssdlite320_mobilenet_v3_large ssd300_vgg16 mobilenet_v2

20 classes, and weights of which about 500 scores of an image pass the threshold, as with trained detectors: how long
NMS takes depends on it. Two of the networks are torchvision's with its weights, and beside the smaller one runs YOLO11n
at 320 pixels; the peers have an environment of their own (`peer`), into which ultralytics and openvino have to be
installed by hand; `--no-peer` leaves them out. What is made once (weights, exports) stays in WORK. Contenders take
turns, of `SECONDS` each about; shown are medians of `TURNS`. Nothing else may run.

Then, for OpenVINO: its throughput for the network alone (no decoding and NMS, no files), which "end to end" is a share
of; decoding and NMS for one image; and the latency of one image at a time beside the network's own.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import ssd  # noqa: F401  (before TensorFlow: its settings)

# isort: split
import cv2
import keras
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset15 as ops
from peer import PeerInTurns
from rich.console import Console
from rich.table import Table

from ssd import Detector
from ssd.cli.compose import compose_jobs, without_hydra
from ssd.experiment.build import build_detector
from ssd.experiment.published import load_published
from ssd.export.calibration import calibrate
from ssd.export.matrix import Variant
from ssd.export.openvino_file import with_decoding
from ssd.export.serving import OUTPUTS
from ssd.export.write import file_of, write_export
from ssd.inference.exported import load_exported
from ssd.inference.keras_network import KerasNetwork
from ssd.inference.network import Network
from ssd.inference.openvino_network import core, settings
from ssd.models.detector import SSD
from ssd.prediction.pictures import read_picture

CLASSES = tuple(f"class {number}" for number in range(20))  # as many as VOC
SCORES_ABOVE = 500  # of an image
TURNS = 3
SECONDS = 1.0
LATENCIES = 200  # images
BATCH = 8
MOST_CALIBRATED = 30  # images that int8 takes its ranges from
PEERS = {
    "ssdlite320_mobilenet_v3_large": ["float32_1", "float32_8", "bfloat16_8"],
    "ssd300_vgg16": ["float32_1", "bfloat16_1"],
}
YOLO_BESIDE = "ssdlite320_mobilenet_v3_large"
VARIANTS = [
    Variant("openvino", "float32"),
    Variant("openvino", "bfloat16"),
    Variant("openvino", "int8"),
    Variant("onnx", "float32"),
    Variant("litert", "float32"),
]
Rate = Callable[[int], float]  # of a number of images to images per second


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="folder of JPEG files")
    parser.add_argument("work", type=Path, help="folder for what is made once")
    parser.add_argument("networks", nargs="+", choices=[*PEERS, "mobilenet_v2"])
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--prepare", action="store_true", help="only make what is made once")
    given = parser.parse_args()
    files = [str(file) for file in sorted(given.images.rglob("*.jpg"))]
    for network in given.networks:
        peers = {} if given.no_peer else start_peers(network, given.images, given.work)
        model = load(network, given.work, files)
        exports = {variant: export(model, variant, given.work / network, files) for variant in VARIANTS}
        console = Console(width=150)
        if not given.prepare:
            theirs = {name: in_peer(*peer) for name, peer in peers.items()}
            console.print(rates_table(network, in_turns(ours(model, exports, files) | theirs)))
        for peer, _ in peers.values():
            peer.close()  # and what ours held is free, too: all at once are many gigabytes
        if not given.prepare:
            console.print(parts_table(model, exports, files))


def load(network: str, work: Path, files: Sequence[str]) -> SSD:
    """torchvision's detector with the weights that its script has left, or this project's own."""
    keras.config.set_dtype_policy("float32")
    if network in PEERS:
        return load_published(f"torchvision:{work / network}.pth")
    (job,) = compose_jobs([f"backbone={network}", "detector=ssd300", "backbone.weights=null"], multirun=False)
    model = build_detector(without_hydra(job), CLASSES)
    as_if_trained(model, shown(files[:4], model.image_size))
    return model


def as_if_trained(model: SSD, images: NDArray[np.uint8]) -> None:
    """Sets the class heads' spread and background as `peers/evaluation.py` does."""
    heads = [layer for layer in model.layers if layer.name.startswith("class_head") and hasattr(layer, "kernel")]
    logits = model(images)["logits"].numpy()
    for layer in heads:
        layer.kernel.assign(layer.kernel * 2.5 / logits.std())
    logits = model(images)["logits"].numpy()
    low, high = 0.0, 50.0
    for _ in range(30):
        background = (low + high) / 2
        powers = np.exp(logits + np.eye(len(CLASSES) + 1)[0] * background)
        above = np.count_nonzero((powers / powers.sum(-1, keepdims=True))[..., 1:] > model.nms.score_threshold)
        low, high = (background, high) if above > SCORES_ABOVE * len(images) else (low, background)
    for layer in heads:
        bias = layer.bias.numpy()
        bias[:: len(CLASSES) + 1] += background
        layer.bias.assign(bias)


def shown(files: Sequence[str], size: int) -> NDArray[np.uint8]:
    """(N, S, S, 3)."""
    return np.stack([cv2.resize(read_picture(file).image, (size, size)) for file in files])


def export(model: SSD, variant: Variant, work: Path, files: Sequence[str]) -> Path:
    """The file of a variant, made once."""
    folder = work / variant.name
    file = file_of(variant, folder)
    if not file.exists():
        images = shown(files[:MOST_CALIBRATED], model.image_size)
        write_export(model, variant, "benchmark", folder, calibrate(model, [image[None] for image in images]))
    return file


def start_peers(network: str, images: Path, work: Path) -> dict[str, tuple[PeerInTurns, str]]:
    """By what a variant is called: its process, which is ready, and its name there."""
    found: dict[str, tuple[PeerInTurns, str]] = {}
    if network in PEERS:
        peer = PeerInTurns("inference.py", network, str(images), str(work))
        found |= {f"torchvision {variant}": (peer, variant) for variant in PEERS[network]}
    if network == YOLO_BESIDE:
        found["YOLO11n-320, OpenVINO"] = PeerInTurns("inference.py", "yolo11n", str(images), str(work)), "half"
    for peer, variant in found.values():
        peer.ask(f"{variant} 2")
    return found


def in_peer(peer: PeerInTurns, variant: str) -> Rate:
    """A peer's variant."""
    return lambda images: float(peer.ask(f"{variant} {images}"))


def ours(model: SSD, exports: dict[Variant, Path], files: Sequence[str]) -> dict[str, Rate]:
    """Keras in float32, and all exports."""
    networks: dict[str, Network] = {"Keras float32": KerasNetwork(model, BATCH)}
    networks |= {
        f"{variant.format} {variant.precision}": load_exported(file, BATCH) for variant, file in exports.items()
    }
    return {name: end_to_end(Detector(network), files) for name, network in networks.items()}


def end_to_end(detector: Detector, files: Sequence[str]) -> Rate:
    """From files to detections."""

    def rate(images: int) -> float:
        start = time.perf_counter()
        count = sum(1 for _ in detector.stream(islice(cycle(files), images)))
        return count / (time.perf_counter() - start)

    return rate


def in_turns(contenders: dict[str, Rate]) -> dict[str, list[float]]:
    """Images per second of each turn; the first one, not counted, says how many images are `SECONDS`."""
    images = {}
    for name, rate in contenders.items():
        rate(BATCH)
        images[name] = max(BATCH, round(SECONDS * rate(2 * BATCH)))
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(TURNS):
        for name, rate in contenders.items():
            found[name].append(rate(images[name]))
    return found


def rates_table(network: str, found: dict[str, list[float]]) -> Table:
    """The median of each, its range, and how many times others that is."""
    medians = {name: median(rates) for name, rates in found.items()}
    table = Table(title=f"{network}: JPEG files to detections, images/s")
    others = {"Keras": "Keras", "torchvision": "torchvision's best", "YOLO": "YOLO11n"}
    others = {key: title for key, title in others.items() if any(name.startswith(key) for name in found)}
    for title in ("", "median", "range", *(f"times {title}" for title in others.values())):
        table.add_column(title, justify="right" if title else "left")
    for name, rates in found.items():
        best = [max(rate for other, rate in medians.items() if other.startswith(key)) for key in others]
        ratios = [f"{medians[name] / rate:.2f}" for rate in best]
        table.add_row(name, f"{medians[name]:.1f}", f"{min(rates):.1f}-{max(rates):.1f}", *ratios)
    return table


def parts_table(model: SSD, exports: dict[Variant, Path], files: Sequence[str]) -> Table:
    """What OpenVINO's time goes into, by precision."""
    table = Table(title="OpenVINO")
    for title in ("", "network alone, images/s", "end to end", "share", "decoding + NMS, ms"):
        table.add_column(title, justify="right" if title else "left")
    for title in ("network, ms (median, p95)", "from pixels", "times", "from a file", "times"):
        table.add_column(title, justify="right")
    images = shown(files[:32], model.image_size)
    decoding = decoding_milliseconds(model, images)
    for variant, file in exports.items():
        if variant.format != "openvino":
            continue
        network = core().read_model(file)
        alone = in_turns(
            {
                "network": network_alone(cut(network), variant, images),
                "whole": end_to_end(Detector(load_exported(file, BATCH)), files),
            }
        )
        rate, whole = (median(alone[name]) for name in ("network", "whole"))
        table.add_row(
            variant.precision,
            f"{rate:.1f}",
            f"{whole:.1f}",
            f"{whole / rate:.1%}",
            f"{decoding:.2f}",
            *latency_cells(cut(core().read_model(file)), variant, file, files, images),
        )
    return table


def cut(model: ov.Model) -> ov.Model:
    """An exported network for one image without decoding: its outputs are what decoding begins with."""
    size = model.input().get_partial_shape()[1].get_length()
    model.reshape([1, size, size, 3])
    named = {operation.get_friendly_name(): operation for operation in model.get_ordered_ops()}
    ends = [next(named[name] for name in named if name.endswith(f"layers/{end}/outputs")) for end in OUTPUTS]
    return ov.Model([ops.result(end) for end in ends], model.get_parameters(), "network")


def network_alone(model: ov.Model, variant: Variant, images: NDArray[np.uint8]) -> Rate:
    """As OpenVINO's own benchmark_app runs it."""
    queue = ov.AsyncInferQueue(core().compile_model(model, "CPU", settings(variant.precision, BATCH)))

    def rate(count: int) -> float:
        start = time.perf_counter()
        for index in range(count):
            row = index % len(images)
            queue.start_async([images[row : row + 1]], share_inputs=True)
        queue.wait_all()
        return count / (time.perf_counter() - start)

    return rate


def decoding_milliseconds(model: SSD, images: NDArray[np.uint8]) -> float:
    """Decoding and NMS of one image on one core, of what the network gives for the images."""
    outputs = model(images)
    values = [outputs[name].numpy() for name in OUTPUTS]
    inputs = [
        ops.parameter([1, *value.shape[1:]], np.float32, name=name) for name, value in zip(OUTPUTS, values, strict=True)
    ]
    results = [ops.result(value, name=name) for name, value in zip(OUTPUTS, inputs, strict=True)]
    for name, result in zip(OUTPUTS, results, strict=True):
        result.output(0).set_names({name})
    decoding = with_decoding(ov.Model(results, inputs, "outputs"), model.box_coder, model.nms)
    options = settings("float32", 1) | {"INFERENCE_NUM_THREADS": 1}
    request = core().compile_model(decoding, "CPU", options).create_infer_request()
    times = []
    for row in range(len(images)):
        given = [value[row : row + 1] for value in values]
        request.infer(given)
        start = time.perf_counter()
        request.infer(given)
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


def latency_cells(
    model: ov.Model, variant: Variant, file: Path, files: Sequence[str], images: NDArray[np.uint8]
) -> list[str]:
    """Of one image at a time, in turns: the network, from pixels and from a file to detections."""
    request = core().compile_model(model, "CPU", settings(variant.precision, 1)).create_infer_request()
    detector = Detector(load_exported(file, 1), batch_size=1)
    pictures = [read_picture(name).image for name in files[:32]]
    times: dict[str, list[float]] = {"network": [], "pixels": [], "file": []}
    actions: dict[str, Callable[[int], object]] = {
        "network": lambda row: request.infer([images[row : row + 1]], share_inputs=True),
        "pixels": lambda row: detector(pictures[row]),
        "file": lambda row: detector(files[row]),
    }
    for index in range(LATENCIES):
        for name, action in actions.items():
            start = time.perf_counter()
            action(index % len(images))
            times[name].append(1000 * (time.perf_counter() - start))
    found = {name: (np.median(values), np.percentile(values, 95)) for name, values in times.items()}
    cells = [f"{found['network'][0]:.2f}, {found['network'][1]:.2f}"]
    for name in ("pixels", "file"):
        cells.append(f"{found[name][0]:.2f}, {found[name][1]:.2f}")
        cells.append(", ".join(f"{mine / own:.2f}" for mine, own in zip(found[name], found["network"], strict=True)))
    return cells


if __name__ == "__main__":
    main()
