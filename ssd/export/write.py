"""One file of a detector, in any format; and what its layers give, where it has to be explained."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssd.errors import UserError
from ssd.export.blame import Outputs
from ssd.export.calibration import Calibration
from ssd.export.matrix import CALIBRATED, Variant
from ssd.export.rounding import weighted
from ssd.inference.exported import Metadata, not_installed
from ssd.inference.folding import FoldedNetwork
from ssd.models.detector import SSD

Images = Sequence[NDArray[np.uint8]]  # (1, S, S, 3) each

_FILES = {
    "saved_model": "saved_model",
    "onnx": "detector.onnx",
    "openvino": "detector.xml",
    "litert": "detector.tflite",
}


def file_of(variant: Variant, folder: Path) -> Path:
    """Where in the folder of an export its file is; of a SavedModel it is a folder."""
    return folder / _FILES[variant.format]


def check_installed(variant: Variant) -> None:
    """Refuses a format whose packages are missing, before anything takes time.

    Raises:
        UserError: naming what to install.
    """
    try:
        _writer(variant)
        if variant.precision in CALIBRATED and variant.format == "openvino":
            import nncf  # noqa: F401
    except ModuleNotFoundError as error:
        raise UserError(not_installed(error, f"task.format={variant.format}")) from error


def write_export(
    model: SSD, variant: Variant, source: str, folder: Path, calibration: Calibration | None = None
) -> Path:
    """Writes a detector as a file of another runtime, and gives its place.

    Args:
        model: the detector.
        variant: format and precision.
        source: what the detector is called, for the metadata.
        folder: of the export.
        calibration: of the detector, which int8 needs.
    """
    metadata = metadata_of(model, variant.format, variant.precision, source)
    file = file_of(variant, folder)
    write = _writer(variant)
    network = FoldedNetwork(model, "float32")
    if calibration is None or variant.precision not in CALIBRATED:
        write(model, network, metadata, file, [])
    else:
        with weighted(network, calibration.weights):
            write(model, network, metadata, file, calibration.images)
    return file


def metadata_of(model: SSD, kind: str, precision: str, source: str) -> Metadata:
    """What a file of a detector says of it.

    Args:
        model: the detector.
        kind: the file's format.
        precision: that its network computes in.
        source: what the detector is called.
    """
    return Metadata(
        kind,
        precision,
        model.class_names,
        model.image_size,
        model.nms.score_threshold,
        model.nms.iou,
        model.nms.max_per_class,
        model.nms.max_detections,
        source,
    )


def _writer(variant: Variant) -> Callable[[SSD, FoldedNetwork, Metadata, Path, Images], None]:
    """The function that writes a format; what it needs is imported only for it."""
    if variant.format == "onnx":
        from ssd.export.onnx_file import write_onnx

        return write_onnx
    if variant.format == "openvino":
        from ssd.export.openvino_file import write_openvino

        return write_openvino
    if variant.format == "litert":
        from ssd.export.litert_file import write_litert

        return write_litert
    from ssd.export.saved_model import write_saved_model

    return lambda model, _network, metadata, file, _images: write_saved_model(model, metadata, file)


def layer_outputs(model: SSD, variant: Variant, file: Path, images: NDArray[np.uint8]) -> Outputs:
    """What the layers of an exported network give for images (1, S, S, 3)."""
    if variant.format == "onnx":
        from ssd.export import onnx_file

        return onnx_file.layer_outputs(file, images)
    if variant.format == "openvino":
        from ssd.export import openvino_file

        return openvino_file.layer_outputs(file, images)
    if variant.format == "litert":
        from ssd.export import litert_file

        return litert_file.layer_outputs(file, images)
    from ssd.export import saved_model

    return saved_model.layer_outputs(model, variant.precision, images)
