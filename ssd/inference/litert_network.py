"""A detector in a LiteRT file (.tflite), run by LiteRT."""

import zipfile
from pathlib import Path
from threading import Lock
from typing import Any, Self

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from ssd.cores import available_cores
from ssd.errors import UserError, first_line
from ssd.inference.detections import Detections
from ssd.inference.exported import KEY, ExportedNetwork, Metadata, not_exported, to_list
from ssd.inference.numpy_decoder import NumpyDecoder

METADATA = f"{KEY}.json"  # among the files that are packed into it
PRIORS = "priors.npy"  # the same, where decoding is the host's: (P, 8) float32, priors and variances
DETECTIONS = ("boxes", "labels", "scores", "count")  # outputs, in MediaPipe's order


class LiteRTNetwork(ExportedNetwork):
    """See `ExportedNetwork`. Images pass one by one.

    Args:
        interpreter: of a file for one image.
        metadata: of the file.
        decoder: of offsets and logits, where these are what the file gives; None: it gives detections.
    """

    def __init__(self, interpreter: Interpreter, metadata: Metadata, decoder: NumpyDecoder | None) -> None:
        super().__init__(metadata)
        self._interpreter = interpreter
        self._decoder = decoder
        self._alone = Lock()  # an interpreter works for one thread at a time
        self._runner = interpreter.get_signature_runner()
        details = self._runner.get_output_details()
        self._scales = {name: detail["quantization"] for name, detail in details.items()}

    @classmethod
    def read(cls, file: Path, batch_size: int) -> Self:
        """The network in a file."""
        content = file.read_bytes()
        try:
            with zipfile.ZipFile(file) as packed:
                metadata = Metadata.of_json(packed.read(METADATA).decode(), file)
                priors = np.lib.format.read_array(packed.open(PRIORS)) if PRIORS in packed.namelist() else None
        except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
            raise UserError(not_exported(file, f"it has no {METADATA} of this program in it")) from error
        decoder = None if priors is None else NumpyDecoder(priors[:, :4], priors[0, 4:], metadata)
        return cls(open_interpreter(content, file), metadata, decoder)

    def _detect(self, images: NDArray[np.uint8]) -> list[Detections]:
        return [self._of_one(images[index : index + 1]) for index in range(len(images))]

    def _of_one(self, image: NDArray[np.uint8]) -> Detections:
        with self._alone:
            found = self._runner(images=image)
        if self._decoder is None:
            return to_list(*(found[name] for name in DETECTIONS))[0]
        return self._decoder(*(_real(found[name][0], self._scales[name]) for name in ("offsets", "logits")))


def open_interpreter(content: bytes, file: Path, keep_all: bool = False) -> Interpreter:
    """An interpreter on the cores that this process may use.

    Args:
        content: of the file.
        file: to name in an error.
        keep_all: also the tensors within, to be looked at.

    Raises:
        UserError: it cannot be read.
    """
    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if keep_all else OpResolverType.AUTO
    try:
        interpreter = Interpreter(
            model_content=content,
            num_threads=available_cores(),
            experimental_op_resolver_type=kind,
            experimental_preserve_all_tensors=keep_all,
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise UserError(not_exported(file, first_line(error))) from error
    return interpreter


def real_values(interpreter: Interpreter, tensor: dict[str, Any]) -> NDArray[np.float32]:
    """What a tensor holds, integers as the numbers that they stand for."""
    return _real(interpreter.get_tensor(tensor["index"]), tensor["quantization"])


def _real(values: NDArray[Any], quantization: tuple[float, int]) -> NDArray[np.float32]:
    scale, zero = quantization
    return values.astype(np.float32) if not scale else (values.astype(np.float32) - zero) * np.float32(scale)
