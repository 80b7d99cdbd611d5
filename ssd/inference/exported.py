"""Exported detectors: what their metadata says, and the network in each. Imports no framework.

A file of this kind is all that is needed to detect with it: images of the network's size in, detections out.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ssd.config.runtime import Runtime
from ssd.errors import UserError, first_line
from ssd.inference.detections import Detections
from ssd.inference.network import Network
from ssd.runs.checkpoint import exported_format

KEY = "ssd"  # of the metadata, in files that have several
LAYOUT = 1  # of the metadata
RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino", "litert": "litert"}  # of formats; of others:
TENSORFLOW = "tensorflow"
_READERS = {
    "onnx": "ssd.inference.onnx_network:OnnxNetwork",
    "openvino": "ssd.inference.openvino_network:OpenVinoNetwork",
    "litert": "ssd.inference.litert_network:LiteRTNetwork",
    "saved_model": "ssd.inference.saved_model_network:SavedModelNetwork",
}
# package → the extra that installs it, where that is not the project itself
_EXTRAS = {"onnx": "onnx", "onnxruntime": "onnx", "tf2onnx": "onnx", "ai_edge_litert": "litert", "nncf": "int8"}


@dataclass(frozen=True)
class Metadata:
    """What an exported file says of its detector.

    Attributes:
        format: saved_model, onnx, openvino or litert.
        precision: that its network computes in.
        class_names: in label order, without background.
        image_size: side in pixels of the square images that it takes.
        score_threshold: below which it gives nothing.
        nms_iou: IoU above which the less sure of two detections of a class is dropped.
        max_per_class: best scores of a class that enter NMS.
        max_detections: of an image.
        source: the checkpoint that it was made of, as it was named.
    """

    format: str
    precision: str
    class_names: tuple[str, ...]
    image_size: int
    score_threshold: float
    nms_iou: float
    max_per_class: int
    max_detections: int
    source: str

    def to_json(self) -> str:
        """As text, which `of_json` reads."""
        return json.dumps({"layout": LAYOUT, **asdict(self)}, ensure_ascii=False)

    @classmethod
    def of_json(cls, text: str, file: Path) -> Self:
        """From the text in a file.

        Raises:
            UserError: it is not what this program writes, naming the file.
        """
        try:
            values = json.loads(text)
            if not isinstance(values, dict) or values.pop("layout", None) != LAYOUT:
                raise ValueError(f"metadata of layout {LAYOUT} are missing")
            _check(values)
        except (ValueError, RecursionError) as error:
            raise UserError(not_exported(file, first_line(error))) from error
        return cls(**{**values, "class_names": tuple(values["class_names"])})


def _check(values: Mapping[str, Any]) -> None:
    """Refuses what no detector has."""
    if set(values) != {field.name for field in fields(Metadata)}:
        raise ValueError("its metadata have other keys")
    names = values["class_names"]
    if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        raise ValueError("its metadata name no classes")
    for key in ("score_threshold", "nms_iou"):
        if type(values[key]) not in (int, float) or not 0 <= values[key] <= 1:
            raise ValueError(f"its metadata have {key} out of range")
    for key, most in (("image_size", 4096), ("max_per_class", 100_000), ("max_detections", 100_000)):
        if type(values[key]) is not int or not 1 <= values[key] <= most:
            raise ValueError(f"its metadata have {key} out of range")
    if not all(isinstance(values[key], str) for key in ("format", "precision", "source")):
        raise ValueError("its metadata have no format")


class ExportedNetwork(ABC):
    """A network in an exported file (see `ssd.inference.network.Network`).

    Args:
        metadata: of the file.
    """

    def __init__(self, metadata: Metadata) -> None:
        self.metadata = metadata
        self.runtime = RUNTIMES.get(metadata.format, TENSORFLOW)
        self.precision = metadata.precision
        self.class_names = metadata.class_names
        self.image_size = metadata.image_size
        self.score_threshold = metadata.score_threshold
        self.nms_iou = metadata.nms_iou
        self.max_detections = metadata.max_detections
        self.original: Callable[[], Network] | None = None  # where its detector is at hand, for scores that it lacks
        self._instead: Network | None = None  # from when these are asked for

    def __call__(self, images: NDArray[np.uint8], score_threshold: float) -> list[Detections]:
        """Detections of each of (B, S, S, 3) uint8 RGB images, of at least this score; any B from 1 on.

        Raises:
            UserError: the score is below the threshold that the file was written with.
        """
        is_lower = np.float32(score_threshold) < np.float32(self.score_threshold)  # as scores and thresholds are kept
        if is_lower and self._instead is None:
            if self.original is None:
                raise UserError(
                    f"a score_threshold of {score_threshold:g} is below {self.score_threshold:g}, under which an "
                    "exported file gives nothing; raise it, or take the checkpoint with runtime=keras"
                )
            self._instead = self.original()
        if self._instead is not None:
            return self._instead(images, score_threshold)
        return [found.above(score_threshold) for found in self._detect(images)]

    def begin(self, images: Any) -> Any:
        """What `end` takes, for (B, S, S, 3) uint8 images of NumPy or TensorFlow; the network may run meanwhile."""
        return np.asarray(images)

    def end(self, begun: Any) -> tuple[dict[str, NDArray[Any]], list[Detections]]:
        """Other outputs of the network, where the file tells any, and all that it finds in each image."""
        return {}, self._detect(begun)

    @abstractmethod
    def _detect(self, images: NDArray[np.uint8]) -> list[Detections]:
        """All that the file finds in each image."""


def to_list(
    boxes: NDArray[np.float32], labels: NDArray[Any], scores: NDArray[np.float32], counts: NDArray[Any]
) -> list[Detections]:
    """The padded outputs of a batch, (B, K, 4), (B, K), (B, K) and (B,), as one `Detections` per image."""
    return [
        Detections(boxes[i, :n].copy(), labels[i, :n].astype(np.int32), scores[i, :n].copy())
        for i, n in enumerate(counts.astype(int))
    ]


def load_exported(path: Path, batch_size: int) -> ExportedNetwork:
    """The network in an exported file.

    Args:
        path: of which `exported_format` knows the format.
        batch_size: the number of images that will be passed in one call, mostly.

    Raises:
        UserError: it is damaged, was not written by this program, or its runtime is not installed.
    """
    module, _, name = _READERS[str(exported_format(path))].partition(":")
    try:
        reader = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise UserError(not_installed(error, str(path))) from error
    network: ExportedNetwork = reader.read(path, batch_size)
    return network


def check_runtime(path: Path, runtime: str) -> None:
    """Refuses a runtime that is not that of an exported file.

    Args:
        path: of which `exported_format` knows the format.
        runtime: a name in `Runtime`.

    Raises:
        UserError: naming both.
    """
    own = RUNTIMES.get(str(exported_format(path)), TENSORFLOW)
    if runtime not in (Runtime.auto.value, own):
        raise UserError(f"{path} runs in {own}, not in {runtime}; leave runtime={runtime} out, or give the checkpoint")


def not_installed(error: ModuleNotFoundError, what: str) -> str:
    """The sentence for a package that is missing, with the command that installs it.

    Args:
        error: of the import.
        what: needs the package.
    """
    package = (error.name or "").partition(".")[0]
    extra = f"[{_EXTRAS[package]}]" if package in _EXTRAS else ""
    return f"{what} needs {package}, which is not installed: pip install -c constraints.txt -e '.{extra}'"


def not_exported(file: Path, reason: str) -> str:
    """The sentence for a file that is no detector, or a damaged one."""
    return f"{file} cannot be read as an exported detector ({reason}); give one that task=export wrote"
