"""What a run notes of itself when it begins: code, packages, machine, settings of the environment, data."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import keras

from ssd import __version__
from ssd.data.digest import annotation_digest
from ssd.data.recorded import write_annotations
from ssd.data.sample import Dataset
from ssd.environment import ROOT
from ssd.experiment import describe
from ssd.inference.folding import policy_of
from ssd.runs.code import diff_from_commit, digest_of_program, revision_of
from ssd.runs.files import write_json, write_text
from ssd.runs.folder import ANNOTATIONS, CODE_DIFF, RECORD

# Variables that change what TensorFlow and the libraries below it compute; no others are noted.
_COMPUTING = ("TF_", "XLA_", "OMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "OPENBLAS_", "CUDA_VISIBLE", "NVIDIA_TF32")
_QUIET = ("TF_CPP_MIN_LOG_LEVEL",)  # which our own `ssd.environment` sets


def write_record(folder: Path, model: keras.Model, datasets: Mapping[str, Dataset]) -> None:
    """Writes record.json, annotations.npz and, where the code differs from its commit, code.diff.

    Args:
        folder: of the run.
        model: that is trained or evaluated, in the precision of the run.
        datasets: split ("train", "val") → data set.
    """
    file = folder / RECORD
    if file.exists():  # of a run that goes on, perhaps with other code or elsewhere
        number = 1 + sum(1 for _ in folder.glob(f"{file.stem}.*.json"))
        file.replace(file.with_name(f"{file.stem}.{number}.json"))
    write_json(
        file,
        {
            "command": describe.command_line(),
            "code": {"digest": _digest(), **asdict(revision_of(ROOT))},
            "versions": {"ssd-experiments": __version__, "python": platform.python_version(), **_packages()},
            "machine": _machine(),
            "environment": _environment(),
            "precision": policy_of(model),
            "data": {split: _data(dataset) for split, dataset in datasets.items()},
        },
    )
    if diff := diff_from_commit(ROOT):
        write_text(folder / CODE_DIFF, diff)
    write_annotations(folder / ANNOTATIONS, datasets)


@cache
def _digest() -> str:
    """Of the code, looked at once: what was imported stays."""
    return digest_of_program(ROOT)


@cache
def _packages() -> dict[str, str]:
    """Every package that is installed."""
    found = {str(one.metadata["Name"]).lower(): one.version for one in distributions() if one.metadata["Name"]}
    return dict(sorted(found.items()))


def _machine() -> dict[str, str]:
    return {"hardware": describe.hardware(), "processor": _processor(), "system": platform.platform()}


def _processor() -> str:
    """The processor's model, as Linux names it; elsewhere what Python knows."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _environment() -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if name.startswith(_COMPUTING) and name not in _QUIET}
    return dict(sorted(found.items()))


def _data(dataset: Dataset) -> dict[str, Any]:
    columns = dataset.columns
    return {
        "name": dataset.name,
        "images": len(dataset),
        "objects": len(columns.labels),
        "digest": annotation_digest(dataset),
    }
