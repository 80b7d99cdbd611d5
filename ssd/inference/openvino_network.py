"""A detector in OpenVINO's format, run by OpenVINO on the processor."""

from pathlib import Path
from typing import Self

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from ssd.cores import available_cores
from ssd.errors import UserError, first_line
from ssd.inference.detections import Detections
from ssd.inference.exported import KEY, ExportedNetwork, Metadata, not_exported, to_list

_OUTPUTS = ("boxes", "labels", "scores", "count")


class OpenVinoNetwork(ExportedNetwork):
    """See `ExportedNetwork`. Images pass one by one, several of them side by side, which is faster than in batches.

    Args:
        model: with the outputs boxes, labels, scores and count.
        metadata: of the detector.
        batch_size: the number of images that will be passed in one call, mostly: one is to be answered soon, of
            several as many as can be in a second.
    """

    def __init__(self, model: ov.Model, metadata: Metadata, batch_size: int) -> None:
        super().__init__(metadata)
        model.reshape([1, metadata.image_size, metadata.image_size, 3])
        self._compiled = ov.Core().compile_model(model, "CPU", settings(metadata.precision, batch_size))
        self._queue = ov.AsyncInferQueue(self._compiled)

    @classmethod
    def read(cls, file: Path, batch_size: int) -> Self:
        """The network in a file (.xml, its weights beside it in a .bin)."""
        model = read_model(file)
        return cls(model, read_metadata(model, file), batch_size)

    def _detect(self, images: NDArray[np.uint8]) -> list[Detections]:
        found: list[list[Detections]] = [[] for _ in images]

        def keep(request: ov.InferRequest, index: int) -> None:
            found[index] = to_list(*(request.get_tensor(name).data for name in _OUTPUTS))

        self._queue.set_callback(keep)
        for index in range(len(images)):
            self._queue.start_async({0: images[index : index + 1]}, index)
        self._queue.wait_all()
        return [one for (one,) in found]


def read_model(file: Path) -> ov.Model:
    """The model in a file.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return ov.Core().read_model(file)
    except Exception as error:  # OpenVINO's are all of one class
        raise UserError(not_exported(file, first_line(error))) from error


def read_metadata(model: ov.Model, file: Path) -> Metadata:
    """What a model of that file says of its detector.

    Raises:
        UserError: nothing that this program has written.
    """
    text = model.get_rt_info([KEY]).astype(str) if model.has_rt_info([KEY]) else ""
    return Metadata.of_json(text, file)


def settings(precision: str, batch_size: int) -> dict[str, object]:
    """Of OpenVINO's compiler. Without a hint some processors compute bfloat16 whatever the file's precision."""
    return {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "PERFORMANCE_HINT": "LATENCY" if batch_size == 1 else "THROUGHPUT",
        "INFERENCE_NUM_THREADS": available_cores(),
    }
