"""TFRecord files and the `tf.train.Example`s in them, without TensorFlow, whose import takes seconds.

A record is its length (8 bytes, little-endian), 4 bytes of a checksum of that, the data, 4 bytes of a checksum
(https://www.tensorflow.org/tutorials/load_data/tfrecord). The message is declared here as in TensorFlow's
`example.proto` and `feature.proto`, and read by protobuf.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from ssd.data.folder.crc32c import masked
from ssd.data.problems import Problems
from ssd.errors import UserError

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_KINDS = {"bytes": "TYPE_BYTES", "float": "TYPE_FLOAT", "int64": "TYPE_INT64"}


@dataclass(frozen=True)
class StoredImages:
    """Reads the encoded image of a record: the `read` of a data set kept in TFRecord files.

    Attributes:
        files: that have them.
        records: of each image the number of its file, and the place and length of its record there.
    """

    files: Sequence[Path]
    records: Sequence[tuple[int, int, int]]

    def __call__(self, index: int) -> bytes:
        """Raises UserError when the file is gone or has changed."""
        file, offset, length = self.records[index]
        try:
            with self.files[file].open("rb") as opened:
                opened.seek(offset)
                found = features(opened.read(length)).get("image/encoded", [])
            return bytes(found[0])
        except (OSError, message.DecodeError, IndexError) as error:
            raise UserError(
                f"Record {index} in {self.files[file]} cannot be read ({error}): put the file back as it was."
            ) from None


def records(path: Path, problems: Problems) -> Iterator[tuple[int, int, int, Mapping[str, Sequence[Any]]]]:
    """Number, offset and length of each sound record, and its features; what is wrong with others goes to `problems`.

    Raises:
        UserError: the file cannot be read, or not to its end, as it is cut short or the length of a record is damaged.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            offset = number = 0
            while offset < size:
                header = file.read(_HEADER.size)
                length, checksum = _HEADER.unpack(header) if len(header) == _HEADER.size else (size, 0)
                start = offset + _HEADER.size
                if start + length + _CHECKSUM.size > size:
                    raise UserError(f"{path} ends inside the record at byte {offset}: copy the file again.")
                if masked(header[:8]) != checksum:
                    raise UserError(f"{path} has a damaged record at byte {offset}, or is no TFRecord: copy it again.")
                data, found = file.read(length), None
                with problems.trying("object-malformed", path, f"record {number}"):
                    found = _checked(data, file.read(_CHECKSUM.size), f"Record {number} in {path}")
                if found is not None:
                    yield number, start, length, found
                offset, number = start + length + _CHECKSUM.size, number + 1
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check its rights.") from None


def _checked(data: bytes, checksum: bytes, where: str) -> dict[str, Sequence[Any]]:
    if masked(data) != _CHECKSUM.unpack(checksum)[0]:
        raise UserError(f"{where} is damaged: its checksum is another; copy the file again.")
    try:
        return features(data)
    except message.DecodeError:
        raise UserError(f"{where} holds no tf.train.Example: it is not of the Object Detection API.") from None


def features(data: bytes) -> dict[str, Sequence[Any]]:
    """Name → values of a serialised `tf.train.Example`.

    Raises:
        message.DecodeError: it is none.
    """
    example = _EXAMPLE.FromString(data)
    found = {}
    for entry in example.features.feature:
        kind = next((kind for kind in _KINDS if entry.value.HasField(f"{kind}_list")), None)
        found[entry.key] = getattr(entry.value, f"{kind}_list").value if kind is not None else []
    return found


def _declare() -> Any:
    """The class of the message, in a pool of its own: TensorFlow declares its own in the common one."""
    file = descriptor_pb2.FileDescriptorProto(name="ssd/example.proto", package="ssd", syntax="proto3")

    def declare(name: str, *fields: tuple[str, str, str]) -> None:
        declared = file.message_type.add(name=name)
        for number, (field, label, kind) in enumerate(fields, start=1):
            added = declared.field.add(name=field, number=number, label=f"LABEL_{label}")
            if kind.startswith("TYPE_"):
                added.type = kind  # type: ignore[assignment]
            else:
                added.type, added.type_name = "TYPE_MESSAGE", f".ssd.{kind}"  # type: ignore[assignment]

    for kind, declared_type in _KINDS.items():
        declare(f"{kind}_list", ("value", "REPEATED", declared_type))
    declare("Feature", *((f"{kind}_list", "OPTIONAL", f"{kind}_list") for kind in _KINDS))
    declare("Entry", ("key", "OPTIONAL", "TYPE_STRING"), ("value", "OPTIONAL", "Feature"))
    declare("Features", ("feature", "REPEATED", "Entry"))
    declare("Example", ("features", "OPTIONAL", "Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)  # type: ignore[attr-defined]
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ssd.Example"))


_EXAMPLE = _declare()
