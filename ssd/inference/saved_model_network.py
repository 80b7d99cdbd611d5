"""A detector in a SavedModel, run by TensorFlow."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.errors import UserError, first_line
from ssd.inference.detections import Detections
from ssd.inference.exported import KEY, ExportedNetwork, Metadata, not_exported, to_list

METADATA = Path("assets.extra", f"{KEY}.json")  # TensorFlow's own place for what is not part of the graph


class SavedModelNetwork(ExportedNetwork):
    """See `ExportedNetwork`; a batch passes as a whole.

    Args:
        serve: images to a dictionary of boxes, labels, scores and count.
        metadata: of the folder.
    """

    def __init__(self, serve: Any, metadata: Metadata) -> None:
        super().__init__(metadata)
        self._serve = serve

    @classmethod
    def read(cls, folder: Path, batch_size: int) -> Self:
        """The network in a folder."""
        try:
            text = (folder / METADATA).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise UserError(not_exported(folder, f"it has no {METADATA}")) from error
        metadata = Metadata.of_json(text, folder)
        try:
            serve = tf.saved_model.load(folder).signatures["serving_default"]
        except Exception as error:  # TensorFlow raises many kinds
            raise UserError(not_exported(folder, first_line(error))) from error
        return cls(serve, metadata)

    def _detect(self, images: NDArray[np.uint8]) -> list[Detections]:
        found = self._serve(images=tf.constant(images))
        return to_list(*(found[name].numpy() for name in ("boxes", "labels", "scores", "count")))
