"""KServe's protocol v2, the Open Inference Protocol, as Triton, OpenVINO Model Server and MLServer speak it.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol, with its binary tensor data
extension for inputs: pixels or files behind the JSON, which base64 and lists of numbers would make larger. Outputs are
JSON always.
"""

import struct
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from math import prod
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.requests import Request

from ssd import __version__
from ssd.prediction.image_detections import ImageDetections
from ssd.serving.json_body import check_rgb, model_of, of_base64, parsed, pixels
from ssd.serving.request import Asked, Refused, Upload, check_count, query_threshold, shown_name, whole_number

INPUT = "images"
_HEADER = "inference-header-content-length"  # of JSON, where tensors follow it
_OUTPUTS = {  # name → its type, and its shape of N images with at most K objects
    "boxes": ("FP32", ("N", "K", 4)),  # ymin, xmin, ymax, xmax as fractions, as exported files have them
    "boxes_pixels": ("FP32", ("N", "K", 4)),  # xmin, ymin, xmax, ymax
    "labels": ("INT32", ("N", "K")),
    "names": ("BYTES", ("N", "K")),
    "scores": ("FP32", ("N", "K")),
    "count": ("INT32", ("N",)),
}


class TensorParameters(BaseModel):
    """Of an input; others are nothing to this server."""

    binary_data_size: int | None = None


class InputTensor(BaseModel):
    """An input: BYTES of files in base64, or UINT8 of pixels."""

    name: str
    shape: list[Annotated[int, Field(ge=0, le=10**9)]] = Field(max_length=4)
    datatype: str
    data: list[Any] | None = None
    parameters: TensorParameters = TensorParameters()


class WantedOutput(BaseModel):
    """An output that is asked for."""

    name: str


class RequestParameters(BaseModel):
    """Of the request; others are nothing to this server."""

    score_threshold: float | None = None


class InferRequest(BaseModel):
    """The request."""

    id: str | None = None
    parameters: RequestParameters = RequestParameters()
    inputs: list[InputTensor]
    outputs: list[WantedOutput] = []


async def read(request: Request, model: str, max_images: int) -> Asked:
    """The images of a request.

    Raises:
        Refused: it is not of this protocol, or has none or too many images in it.
    """
    body = await request.body()
    end = len(body)
    if (given := request.headers.get(_HEADER)) is not None:
        length = whole_number(given)
        if length is None or length > len(body):
            raise Refused(400, f"the header {_HEADER} must be the length of the JSON in bytes, at most {len(body)}")
        end = length
    asked = await parsed(partial(_read, memoryview(body)[end:], model, max_images), body[:end])
    if asked.score_threshold is None:
        return Asked(asked.images, query_threshold(request), asked.answer)
    return asked


def _read(binary: memoryview, model: str, max_images: int, header: bytes) -> Asked:
    wanted = model_of(InferRequest, header)
    unknown = [output.name for output in wanted.outputs if output.name not in _OUTPUTS]
    if unknown:
        raise Refused(400, f"there is no output {shown_name(unknown[0], 1)!r}; the outputs are {', '.join(_OUTPUTS)}")
    if len(wanted.inputs) != 1:
        raise Refused(400, f"the request has {len(wanted.inputs)} inputs; it must have one, {INPUT!r}")
    images = _images(wanted.inputs[0], binary, max_images)
    names = [output.name for output in wanted.outputs] or list(_OUTPUTS)
    return Asked(images, wanted.parameters.score_threshold, partial(answer, model, wanted.id, names))


def _images(tensor: InputTensor, binary: memoryview, max_images: int) -> list[Upload]:
    contents: Sequence[bytes | NDArray[np.uint8]]
    if tensor.datatype == "UINT8":
        check_count(tensor.shape[0] if len(tensor.shape) == 4 else 1, max_images)
        array = _pixels(tensor, binary)
        check_rgb(array, (3, 4), "the input")
        contents = list(array) if array.ndim == 4 else [array]
    elif tensor.datatype == "BYTES":
        count = prod(tensor.shape)
        check_count(count, max_images)
        contents = list(islice(_files(tensor, binary), count + 1))
        if len(contents) != count:
            raise Refused(400, f"the input has other elements than the {count} of its shape {tensor.shape}")
    else:
        kind = shown_name(tensor.datatype, 1)
        raise Refused(400, f"the input is {kind}; give BYTES, files in base64, or UINT8, pixels [N, H, W, 3] in RGB")
    return [Upload(str(number), content) for number, content in enumerate(contents, start=1)]


def _pixels(tensor: InputTensor, binary: memoryview) -> NDArray[np.uint8]:
    if tensor.data is not None:
        return pixels(tensor.data, tensor.shape, "the input's data")
    content = _binary(tensor, binary)
    if len(content) != prod(tensor.shape):
        raise Refused(400, f"the input has {len(content)} bytes, not those of its shape {tensor.shape}")
    return np.frombuffer(content, np.uint8).reshape(tensor.shape)


def _files(tensor: InputTensor, binary: memoryview) -> Iterator[bytes]:
    if tensor.data is not None:
        for number, text in enumerate(tensor.data, start=1):
            yield of_base64(text, f"image {number}")
        return
    content = _binary(tensor, binary)
    while content:  # each: its length in four bytes, then itself
        length = struct.unpack("<I", content[:4])[0] if len(content) >= 4 else len(content)
        if 4 + length > len(content):
            raise Refused(400, "the input's binary data end in the middle of an image")
        yield bytes(content[4 : 4 + length])
        content = content[4 + length :]


def _binary(tensor: InputTensor, binary: memoryview) -> memoryview:
    """The one input's data behind the JSON."""
    if tensor.parameters.binary_data_size != len(binary):
        raise Refused(
            400, "the input has neither data nor parameters.binary_data_size, which must be the bytes after the JSON"
        )
    return binary


def answer(
    model: str, request_id: str | None, names: Sequence[str], found: Sequence[ImageDetections]
) -> dict[str, Any]:
    """The detections as tensors; of images with fewer objects than the most the rest is zero, or empty."""
    count, most = len(found), max(map(len, found), default=0)
    columns: dict[str, Any] = {
        "boxes": _padded([one.boxes for one in found], (count, most, 4)),
        "boxes_pixels": _padded([one.xyxy for one in found], (count, most, 4)),
        "labels": _padded([one.labels for one in found], (count, most), np.int32),
        "scores": _padded([one.scores for one in found], (count, most)),
        "names": [name for one in found for name in (*one.names, *[""] * (most - len(one)))],
        "count": [len(one) for one in found],
    }
    sizes = {"N": count, "K": most}
    outputs = [
        {
            "name": name,
            "datatype": _OUTPUTS[name][0],
            "shape": [sizes.get(str(side), side) for side in _OUTPUTS[name][1]],
            "data": columns[name],
        }
        for name in names
    ]
    identity = {} if request_id is None else {"id": request_id}
    return {"model_name": model, "model_version": "1", **identity, "outputs": outputs}


def _padded(parts: Sequence[NDArray[Any]], shape: tuple[int, ...], kind: type = np.float32) -> list[Any]:
    """In a row, as clients of every language read them."""
    values: NDArray[Any] = np.zeros(shape, kind)
    for row, part in zip(values, parts, strict=True):
        row[: len(part)] = part
    return list(values.ravel().tolist())


def server_metadata() -> dict[str, Any]:
    """`GET /v2`."""
    return {"name": "ssd-experiments", "version": __version__, "extensions": ["binary_tensor_data"]}


def model_metadata(model: str) -> dict[str, Any]:
    """`GET /v2/models/NAME`; the input may also be UINT8, [N, H, W, 3] or [H, W, 3]."""
    return {
        "name": model,
        "versions": ["1"],
        "platform": "ssd",
        "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
        "outputs": [
            {"name": name, "datatype": kind, "shape": [side if isinstance(side, int) else -1 for side in shape]}
            for name, (kind, shape) in _OUTPUTS.items()
        ],
    }
