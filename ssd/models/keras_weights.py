"""The HDF5 file of a checkpoint's weights, which may come from a stranger: what it holds is known before it is read.

Keras writes plain arrays. HDF5 can also say that a part lies in another file, is put together of others or is unpacked
by a plug-in, or that an array has terabytes of which nothing is stored: a ValueError says so.
"""

from pathlib import Path

import h5py
import numpy as np

from ssd.runs.keras_config import shown

_MOST_OBJECTS = 50_000
_DEEPEST = 32
Shapes = dict[str, tuple[int, ...]]  # by an array's path in the file


def stored_shapes(file: Path) -> Shapes:
    """The shapes of all arrays of a weights file, of which every byte lies in the file itself, in Keras' order.

    Raises:
        ValueError: where one does not, or is no array of numbers.
    """
    shapes: Shapes = {}
    with h5py.File(file, "r") as content:
        left: list[tuple[h5py.Group, str, int]] = [(content, "", 0)]
        seen, free = 0, file.stat().st_size
        while left:
            group, path, depth = left.pop()
            for name in group:
                seen += 1
                if seen > _MOST_OBJECTS or depth > _DEEPEST:
                    raise ValueError("its weights are more or deeper than those of any network")
                item = _own(group, name, f"{path}{name}")
                if isinstance(item, h5py.Group):
                    left.append((item, f"{path}{name}/", depth + 1))
                else:
                    _check_array(item, f"{path}{name}")
                    free -= item.nbytes
                    if free < 0:
                        raise ValueError("its weights are said to be more than the file has")
                    shapes[f"{path}{name}"] = item.shape
    return shapes


def optimizer_shapes(shapes: Shapes) -> list[tuple[int, ...]]:
    """Those of the optimizer's variables, in their order; none where it was saved without."""
    found = {path: shape for path, shape in shapes.items() if path.rpartition("/")[0] == "optimizer/vars"}
    return [found[path] for path in sorted(found, key=lambda path: int(path.rpartition("/")[2]))]


def network_shapes(shapes: Shapes) -> list[tuple[int, ...]]:
    """Those of the network, in no order."""
    return [shape for path, shape in shapes.items() if not path.startswith("optimizer/")]


def _own(group: h5py.Group, name: str, path: str) -> h5py.Group | h5py.Dataset:
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"its weights have a link at {shown(path)}, which could lead to another file")
    item = group[name]
    if not isinstance(item, h5py.Group | h5py.Dataset):
        raise ValueError(f"its weights have something else than numbers at {shown(path)}")
    return item


def _check_array(item: h5py.Dataset, path: str) -> None:
    place = shown(path)
    plan = item.id.get_create_plist()
    if item.is_virtual or plan.get_external_count():
        raise ValueError(f"its weights at {place} lie in another file")
    if plan.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT) or plan.get_nfilters():
        raise ValueError(f"its weights at {place} are packed, which Keras never does")
    kind = item.dtype
    is_bfloat16 = kind == np.dtype("V2") and kind.subdtype is None  # as HDF5 has it
    if kind.kind not in "fiub" and not is_bfloat16:
        raise ValueError(f"its weights at {place} are {kind}, no numbers")
    if item.shape is None or item.nbytes > item.id.get_storage_size():
        raise ValueError(f"its weights at {place} are said to be more than the file has")
