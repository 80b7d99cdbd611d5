"""Reads the tensors of a file that PyTorch's `torch.save` wrote, without PyTorch and without running what it says.

Both formats are read: the zip archive (PyTorch 1.6 and later) and the stream of pickles before it, in which many
published detectors still come (see torch/serialization.py). A pickle can name any function to be called; here only
those that rebuild tensors and plain containers are known, and none of them is the file's own.
"""

import collections
import io
import math
import os
import pickle
import pickletools
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


class _Numbers(np.ndarray):
    """A storage or a tensor; unlike numpy's own, an array that a pickle cannot give another memory to."""

    def __setstate__(self, _: Any) -> None:
        raise ValueError("a pickle must not set the state of a tensor")


class _Named(collections.OrderedDict):
    """OrderedDict and Counter; of attributes (the versions of modules that PyTorch notes) none is set."""

    def __setstate__(self, _: Any) -> None:
        pass


class _Settings:
    """argparse's Namespace, which torchvision's training script saves; what it holds is not kept."""

    __slots__ = ()

    def __setstate__(self, _: Any) -> None:
        pass


class _Function:
    """What a pickle may call. It refuses attributes, which a pickle may otherwise set on anything that it names."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, _: Any) -> None:
        raise ValueError("a pickle must not change a function")


class _Unpickler(pickle.Unpickler):
    """Knows tensors and plain containers; `storage(key, dtype, size)` gives the numbers a tensor is a view of."""

    def __init__(self, stream: BinaryIO, storage: Callable[[str, DTypeLike, int], NDArray[Any]]) -> None:
        super().__init__(stream, encoding="utf-8")
        self._storage = storage

    def persistent_load(self, pid: tuple[Any, ...]) -> NDArray[Any]:
        _, kind, key, _, size = pid[:5]
        if not isinstance(kind, str) or kind not in DTYPES or not isinstance(size, int) or size < 0:
            raise ValueError("a storage is described wrongly")
        return self._storage(str(key), DTYPES[kind], size).view(_Numbers)

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.cuda") and name in DTYPES:
            return name  # a plain word: nothing can be set on it
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise _UnknownNameError(f"{module}.{name}") from None


def _tensor(
    storage: NDArray[Any], offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> NDArray[Any]:
    """A view of numbers that all lie inside the storage, no more of them than it has."""
    if not isinstance(storage, _Numbers):
        raise ValueError("a tensor has no storage")
    if not all(isinstance(value, int) and value >= 0 for value in (offset, *shape, *stride)):
        raise ValueError("a tensor has a negative offset, size or stride")
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if 0 not in shape and not (last < len(storage) and math.prod(shape) <= len(storage)):
        raise ValueError("a tensor reaches past its storage")
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, strides, subok=True, writeable=False)


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _Named,
    ("collections", "Counter"): _Named,
    ("argparse", "Namespace"): _Settings,
    ("torch._utils", "_rebuild_tensor"): _Function(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Function(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Function(lambda tensor, *_: tensor),
}


def _check_pickle(content: bytes) -> None:
    """Refuses a pickle that numbers its memory beyond what it has: a place for each number would be made.

    Raises:
        ValueError: it does so, or is none.
    """
    for count, (operation, argument, _) in enumerate(pickletools.genops(content), start=1):
        if "PUT" in operation.name and isinstance(argument, int) and argument > count:
            raise ValueError("its pickle asks for more memory than it needs")


def _read_zip(stream: BinaryIO) -> Any:
    with zipfile.ZipFile(stream) as archive:
        _check_sizes(archive, stream.seek(0, os.SEEK_END))
        (index,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        root = index.removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("it was written on a big-endian machine")
        loaded: dict[str, NDArray[Any]] = {}

        def storage(key: str, dtype: DTypeLike, size: int) -> NDArray[Any]:
            if key not in loaded:
                loaded[key] = np.frombuffer(archive.read(f"{root}data/{key}"), dtype, size)
            return loaded[key]

        content = archive.read(index)
        _check_pickle(content)
        return _Unpickler(io.BytesIO(content), storage).load()


def _check_sizes(archive: zipfile.ZipFile, file_size: int) -> None:
    """torch.save compresses nothing, so what an archive holds is never larger than the file.

    Raises:
        ValueError: it would be.
    """
    entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("its parts are compressed, which torch.save never does")
    if sum(entry.file_size for entry in entries) > file_size:
        raise ValueError("it says that it holds more than the file has")


def _read_stream(stream: BinaryIO) -> Any:
    """Magic number, version, machine, content, storage keys, then each storage as its length and its numbers."""
    free = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    empty: dict[str, NDArray[Any]] = {}

    def storage(key: str, dtype: DTypeLike, size: int) -> NDArray[Any]:
        nonlocal free
        if key not in empty:
            free -= size * np.dtype(dtype).itemsize
            if free < 0:
                raise ValueError("it says that it holds more than the file has")
            empty[key] = np.empty(size, dtype)
        return empty[key]

    def load() -> Any:
        start = stream.tell()
        for _operation, _argument, _position in pickletools.genops(stream):
            pass  # to its end, where the next one begins
        content = _between(stream, start, stream.tell())
        _check_pickle(content)
        return _Unpickler(io.BytesIO(content), storage).load()

    if load() != MAGIC_NUMBER:
        raise ValueError("it does not start as one")
    for _ in ("version", "machine"):
        load()
    content = load()
    for key in load():
        size = int(np.frombuffer(stream.read(8), "<i8")[0])
        array = empty[str(key)]
        if size != len(array):
            raise ValueError("a storage has another size than its tensors say")
        array[:] = np.frombuffer(stream.read(size * array.itemsize), array.dtype, size)
    return content


def _between(stream: BinaryIO, start: int, end: int) -> bytes:
    stream.seek(start)
    return stream.read(end - start)
