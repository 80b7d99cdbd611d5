"""Reads the tensors of a file that PyTorch's `torch.save` wrote, without PyTorch and without running what it says.

Both formats are read: the zip archive (PyTorch 1.6 and later) and the stream of pickles before it, in which many
published detectors still come (see torch/serialization.py). A pickle can name any function to be called; here only
those that rebuild tensors and plain containers are known, and none of them is the file's own.
"""

import collections
import io
import pickle
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike, NDArray

from ssd.errors import UserError, first_line

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # of the old format, torch/serialization.py

DTYPES: dict[str, DTypeLike] = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


def read_pth(file: Path) -> Any:
    """What was saved, usually a dict, with numpy arrays in the place of tensors.

    Raises:
        UserError: where the file is no such file, is damaged, or holds more than tensors and plain containers.
    """
    try:
        with file.open("rb") as stream:
            if zipfile.is_zipfile(stream):
                return _read_zip(stream)
            stream.seek(0)
            return _read_stream(stream)
    except _UnknownNameError as error:
        raise UserError(
            f"{file} holds more than weights ({error}), which is not read for safety; save the model's state_dict() "
            "alone, or use safetensors"
        ) from error
    except Exception as error:  # a damaged pickle or archive may raise anything
        raise UserError(
            f"{file} is not a file of torch.save, or is damaged ({first_line(error)}); download it again"
        ) from error


class _UnknownNameError(Exception):
    """A name in a pickle that is not needed for weights."""


class _Unpickler(pickle.Unpickler):
    """Knows tensors and plain containers; `storage(key, dtype, size)` gives the numbers a tensor is a view of."""

    def __init__(self, stream: BinaryIO, storage: Callable[[str, DTypeLike, int], NDArray[Any]]) -> None:
        super().__init__(stream, encoding="utf-8")
        self._storage = storage

    def persistent_load(self, pid: tuple[Any, ...]) -> NDArray[Any]:
        _, dtype, key, _, size = pid[:5]
        return self._storage(str(key), dtype, size)

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.cuda") and name in DTYPES:
            return DTYPES[name]
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise _UnknownNameError(f"{module}.{name}") from None


def _tensor(
    storage: NDArray[Any], offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> NDArray[Any]:
    """A view; what does not lie inside the storage is refused by numpy before anything is read."""
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if 0 not in shape and not 0 <= offset <= last < len(storage):
        raise ValueError("a tensor reaches past its storage")
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, strides, writeable=False)


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "Counter"): collections.Counter,
    ("argparse", "Namespace"): types.SimpleNamespace,  # the settings that torchvision's training script saves
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
}


def _read_zip(stream: BinaryIO) -> Any:
    with zipfile.ZipFile(stream) as archive:
        (index,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        root = index.removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("it was written on a big-endian machine")
        loaded: dict[str, NDArray[Any]] = {}

        def storage(key: str, dtype: DTypeLike, size: int) -> NDArray[Any]:
            if key not in loaded:
                loaded[key] = np.frombuffer(archive.read(f"{root}data/{key}"), dtype, size)
            return loaded[key]

        return _Unpickler(io.BytesIO(archive.read(index)), storage).load()


def _read_stream(stream: BinaryIO) -> Any:
    """Magic number, version, machine, content, storage keys, then each storage as its length and its numbers."""
    empty: dict[str, NDArray[Any]] = {}

    def storage(key: str, dtype: DTypeLike, size: int) -> NDArray[Any]:
        return empty.setdefault(key, np.empty(size, dtype))

    if _Unpickler(stream, storage).load() != MAGIC_NUMBER:
        raise ValueError("it does not start as one")
    for _ in ("version", "machine"):
        _Unpickler(stream, storage).load()
    content = _Unpickler(stream, storage).load()
    for key in _Unpickler(stream, storage).load():
        size = int(np.frombuffer(stream.read(8), "<i8")[0])
        array = empty[str(key)]
        array[:] = np.frombuffer(stream.read(size * array.itemsize), array.dtype, size)
    return content
