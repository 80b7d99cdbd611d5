"""What a LiteRT file says of itself: MediaPipe's metadata for object detectors, and this project's.

Metadata are a flatbuffer inside the model's (MediaPipe's `metadata_schema.fbs`, whose tables and fields are numbered
here as there), and files, as labels, in a zip archive behind it: a reader of zip files finds them from the end.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.python.schema_py_generated import MetadataT, Model, ModelT

from ssd.inference.exported import Metadata
from ssd.inference.litert_network import DETECTIONS, METADATA, PRIORS
from ssd.models.box_coder import BoxCoder

LABELS = "labels.txt"
ENTRY = "TFLITE_METADATA"  # of the model's list of metadata

_ALIGNED = 16  # bytes, of weights, as the schema asks for and kernels rely on
_PARSER = "1.2.0"  # of MediaPipe's metadata, that knows groups of tensors


def finished(content: bytes, metadata: Metadata, coder: BoxCoder) -> bytes:
    """A converted model with its metadata, its outputs in the order that MediaPipe takes them in.

    Args:
        content: from the converter.
        metadata: of the detector.
        coder: whose priors and variances go into the file, where it gives offsets and logits.
    """
    model = parsed(content)
    files = {METADATA: metadata.to_json().encode(), LABELS: "\n".join(metadata.class_names).encode()}
    outputs = {output.name.decode(): output.tensorIndex for output in model.signatureDefs[0].outputs}
    if set(outputs) == set(DETECTIONS):
        model.subgraphs[0].outputs = np.array([outputs[name] for name in DETECTIONS], np.int32)
        _add(model, _object_detector(metadata))
    else:
        files[PRIORS] = _npy(np.hstack([coder.priors, np.broadcast_to(coder.variances, coder.priors.shape)]))
    return packed(model) + _zipped(files)


def parsed(content: bytes) -> ModelT:
    """A model as objects."""
    return ModelT.InitFromObj(Model.GetRootAs(content))


def _add(model: ModelT, content: bytes) -> None:
    buffer = type(model.buffers[0])()
    buffer.data = np.frombuffer(content, np.uint8)
    entry = MetadataT()
    entry.name, entry.buffer = ENTRY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]


class _Builder(flatbuffers.Builder):
    """Aligns weights, which Python's generated code forgets."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
        return super().StartVector(elemSize, numElems, _ALIGNED if elemSize == 1 else alignment)


def packed(model: ModelT) -> bytes:
    """As the content of a file, without what lies behind it."""
    builder = _Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _zipped(files: Mapping[str, bytes]) -> bytes:
    """Stored, as MediaPipe reads them in place."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for name, content in files.items():
            packed.writestr(zipfile.ZipInfo(name), content)  # without the time: the same file every time
    return archive.getvalue()


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array, np.float32))
    return stream.getvalue()


@dataclass(frozen=True)
class _Byte:
    value: int


@dataclass(frozen=True)
class _Int:
    value: int


Fields = Mapping[int, Any]  # of a table, number → value: a string, _Byte, _Int, fields of another table, or a list


def _object_detector(metadata: Metadata) -> bytes:
    """`ModelMetadata` of an object detector, as MediaPipe's own writer of them has it."""
    side = metadata.image_size
    each = {0: _Int(2), 1: _Int(2)}  # ValueRange: what there is one of for each detection
    feature = {0: _Byte(1), 1: {}, 2: each}  # Content: FeatureProperties
    image = {0: _Byte(2), 1: {0: _Byte(1), 1: {0: _Int(side), 1: _Int(side)}}}  # ImageProperties: RGB, size
    box = {0: _Byte(3), 1: {0: [1, 0, 3, 2], 1: _Byte(1), 2: _Byte(0)}, 2: each}  # boundaries, top first; fractions
    labels = {0: LABELS, 1: "Names of the categories.", 2: _Byte(3)}  # AssociatedFile: TENSOR_VALUE_LABELS
    inputs = [{0: "image", 1: f"RGB, {side} x {side} pixels, 0 to 255.", 3: image}]
    outputs = [
        {0: "location", 1: "Boxes as fractions of the image: top, left, bottom, right.", 3: box},
        {0: "category", 1: "Of each box, from 0.", 3: feature, 6: [labels]},
        {0: "score", 1: "Of each box, the surest first.", 3: feature},
        {0: "number of detections", 1: "How many boxes there are.", 3: {0: _Byte(1), 1: {}}},
    ]
    group = {0: "detection_result", 1: ["location", "category", "score"]}
    graph = {2: inputs, 3: outputs, 8: [group]}
    root: Fields = {0: "ObjectDetector", 1: f"SSD, from {metadata.source}.", 3: [graph], 7: _PARSER}
    builder = flatbuffers.Builder(1024)
    builder.Finish(_table(builder, root), b"M001")
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, fields: Fields) -> int:
    """Writes a table, what it refers to before it, and gives its place."""
    places = {
        number: _reference(builder, value) for number, value in fields.items() if not isinstance(value, _Byte | _Int)
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for number, value in fields.items():
        if isinstance(value, _Byte):
            builder.PrependInt8Slot(number, value.value, 0)
        elif isinstance(value, _Int):
            builder.PrependInt32Slot(number, value.value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(number, places[number], 0)
    place: int = builder.EndObject()
    return place


def _reference(builder: flatbuffers.Builder, value: str | Fields | Sequence[Any]) -> int:
    """Writes a string, a table or a list, and gives its place."""
    if isinstance(value, str):
        place: int = builder.CreateString(value)
        return place
    if isinstance(value, Mapping):
        return _table(builder, value)
    if isinstance(value[0], int):
        place = builder.CreateNumpyVector(np.asarray(value, np.uint32))
        return place
    places = [_reference(builder, item) for item in value]
    builder.StartVector(4, len(places), 4)
    for item in reversed(places):
        builder.PrependUOffsetTRelative(item)
    place = builder.EndVector()
    return place
