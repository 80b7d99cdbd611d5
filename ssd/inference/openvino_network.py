"""A detector in OpenVINO's format, run by OpenVINO on the processor."""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any, Self

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from ssd.cores import available_cores
from ssd.errors import UserError, first_line
from ssd.inference.detections import Detections
from ssd.inference.exported import KEY, ExportedNetwork, Metadata, not_exported, to_list

_OUTPUTS = ("boxes", "labels", "scores", "count")

Values = dict[str, NDArray[Any]]  # the outputs for one image, by name


class OpenVinoNetwork(ExportedNetwork):
    """See `ExportedNetwork`. Images pass one by one, several of them side by side, which is faster than in batches.

    An image that comes alone has all cores to itself, which several cores answer sooner than one. For that the network
    is compiled once more, when images come alone for the second time in a row.

    Args:
        model: with the outputs boxes, labels, scores and count; others are told with them.
        metadata: of the detector.
        batch_size: the number of images that will be passed in one call, mostly.
    """

    def __init__(self, model: ov.Model, metadata: Metadata, batch_size: int) -> None:
        super().__init__(metadata)
        model.reshape([1, metadata.image_size, metadata.image_size, 3])
        self._model = model
        self._lock = Lock()
        self._compiled: dict[bool, _Compiled] = {}  # by whether it is for images that come alone
        self._came_alone = batch_size == 1
        self._for(batch_size)

    @classmethod
    def read(cls, file: Path, batch_size: int) -> Self:
        """The network in a file (.xml, its weights beside it in a .bin)."""
        model = read_model(file)
        return cls(model, read_metadata(model, file), batch_size)

    def begin(self, images: Any) -> list[Future[Values]]:
        """See `ExportedNetwork.begin`."""
        every = np.asarray(images)
        compiled = self._for(len(every))
        return [compiled.threads.submit(compiled.run, every[row : row + 1]) for row in range(len(every))]

    def end(self, begun: list[Future[Values]]) -> tuple[Values, list[Detections]]:
        """See `ExportedNetwork.end`; the values are those of the outputs, (B, …)."""
        return _together([future.result() for future in begun])

    def _detect(self, images: NDArray[np.uint8]) -> list[Detections]:
        if len(images) == 1:
            return _together([self._for(1).run(images)])[1]
        return self.end(self.begin(images))[1]

    def _for(self, images: int) -> "_Compiled":
        """What runs so many images that come together."""
        with self._lock:
            alone = images == 1 and self._came_alone
            self._came_alone = images == 1
            if alone not in self._compiled:
                self._compiled[alone] = _Compiled(
                    self._model, settings(self.metadata.precision, 1 if alone else images)
                )
            return self._compiled[alone]


class _Compiled:
    """A network for one image, and the threads that run it.

    Attributes:
        threads: one more than images run side by side, so that one is ready when another is done.
    """

    def __init__(self, model: ov.Model, options: dict[str, object]) -> None:
        compiled = core().compile_model(model, "CPU", options)
        self._names = [output.get_any_name() for output in compiled.outputs]
        count = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") + 1
        self._idle = SimpleQueue[ov.InferRequest]()
        for _ in range(count):
            self._idle.put(compiled.create_infer_request())
        self.threads = ThreadPoolExecutor(count, thread_name_prefix="openvino")
        self.run(np.zeros(compiled.input(0).shape, np.uint8))  # two threads in what its binding does once wait for ever

    def run(self, image: NDArray[np.uint8]) -> Values:
        """The outputs for (1, S, S, 3)."""
        request = self._idle.get()
        try:
            request.start_async([image], share_inputs=True)
            request.wait()
            return {name: request.get_output_tensor(row).data.copy() for row, name in enumerate(self._names)}
        finally:
            self._idle.put(request)


def _together(every: list[Values]) -> tuple[Values, list[Detections]]:
    """Of images that passed one by one."""
    values = {name: np.concatenate([one[name] for one in every]) for name in every[0]}
    return values, to_list(*(values[name] for name in _OUTPUTS))


@lru_cache(maxsize=1)
def core() -> ov.Core:
    """OpenVINO's core, one for the process, which stays.

    On processors with AMX each that is made gives the thread a stack for signals of its own, and when it goes puts back
    the one that it found, which another that went before may have freed: the next Ctrl-C then ends the process with a
    segmentation fault (OpenVINO 2026, `SigAltStackSetup` in its CPU plugin).
    """
    return ov.Core()


def multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def read_model(file: Path) -> ov.Model:
    """The model in a file.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return core().read_model(file)
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
