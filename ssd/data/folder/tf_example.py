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

from ssd.errors import UserError

_HEADER = struct.Struct("<QI")
_CHECKSUM = 4
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


def records(path: Path) -> Iterator[tuple[int, int, Mapping[str, Sequence[Any]]]]:
    """Offset and length of each record, and its features.

    Raises:
        UserError: the file cannot be read, is cut short or holds something else.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            offset = 0
            while offset < size:
                header = file.read(_HEADER.size)
                length = _HEADER.unpack(header)[0] if len(header) == _HEADER.size else size
                start = offset + _HEADER.size
                if start + length + _CHECKSUM > size:
                    raise UserError(f"{path} ends inside the record at byte {offset}: copy the file again.")
                found = features(file.read(length))
                file.seek(_CHECKSUM, 1)
                yield start, length, found
                offset = start + length + _CHECKSUM
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check its rights.") from None
    except message.DecodeError:
        raise UserError(f"{path} holds no tf.train.Example at byte {offset}: it is damaged, or no TFRecord.") from None


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
