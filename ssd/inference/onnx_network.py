"""A detector in an ONNX file, run by onnxruntime."""

from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ssd.cores import available_cores
from ssd.errors import UserError, first_line
from ssd.inference.detections import Detections
from ssd.inference.exported import KEY, ExportedNetwork, Metadata, not_exported, to_list

_SEVERE = 3  # of onnxruntime's levels of logging: what it merely advises is none of the user's


class OnnxNetwork(ExportedNetwork):
    """See `ExportedNetwork`; a batch passes as a whole.

    Args:
        session: of a file with the outputs boxes, labels, scores and count.
        metadata: of the file.
    """

    def __init__(self, session: ort.InferenceSession, metadata: Metadata) -> None:
        super().__init__(metadata)
        self._session = session

    @classmethod
    def read(cls, file: Path, batch_size: int) -> Self:
        """The network in a file."""
        session = open_session(str(file), file)
        text = session.get_modelmeta().custom_metadata_map.get(KEY, "")
        return cls(session, Metadata.of_json(text, file))

    def _detect(self, images: NDArray[np.uint8]) -> list[Detections]:
        return to_list(*self._session.run(["boxes", "labels", "scores", "count"], {"images": images}))


def open_session(model: str | bytes, file: Path) -> ort.InferenceSession:
    """A session on the processor's cores that this process may use.

    Args:
        model: a path, or the content of a file.
        file: to name in an error.

    Raises:
        UserError: it cannot be read.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = available_cores()
    options.log_severity_level = _SEVERE
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for each of a dozen kinds
        raise UserError(not_exported(file, first_line(error))) from error
