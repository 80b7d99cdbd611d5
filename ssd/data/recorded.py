"""The annotations that a run has trained and validated on, kept in its folder: what two runs are told apart by."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ssd.data.annotations import Annotations
from ssd.data.arrays import annotations_in, as_arrays, texts_as_array, texts_in
from ssd.data.sample import Dataset
from ssd.runs.arrays_file import arrays_in, write_arrays


class Labelled(NamedTuple):
    """The annotations of a split, and its class names in label order."""

    class_names: tuple[str, ...]
    annotations: Annotations


def write_annotations(path: Path, datasets: Mapping[str, Dataset]) -> None:
    """Writes the annotations of data sets, by the names of their splits.

    Args:
        path: of the file, .npz.
        datasets: split ("train", "val") → data set.
    """
    arrays = {}
    for split, dataset in datasets.items():
        arrays[f"{split}/classes"] = texts_as_array(dataset.class_names)
        arrays |= as_arrays(dataset.columns, f"{split}/")
    write_arrays(path, {"splits": list(datasets)}, arrays)


def read_annotations(path: Path) -> dict[str, Labelled]:
    """Split → what is annotated.

    Raises:
        UserError: the file is damaged.
    """
    with arrays_in(path) as (head, arrays):
        classes = {str(split): tuple(texts_in(arrays[f"{split}/classes"])) for split in head["splits"]}
        return {
            split: Labelled(names, annotations_in(arrays, f"{split}/", len(names))) for split, names in classes.items()
        }
