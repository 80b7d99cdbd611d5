"""What Hydra's node of the configuration tells about a sweep and its jobs.

Imported at every start: nothing heavy.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from hydra.conf import HydraConf

from ssd.config.overrides import key_of
from ssd.runs.folder import as_typed

CONTINUED = "SSD_SWEEP_CONTINUED"  # in hydra.job.env_set: it reaches every job and is none of its settings


def is_continued(hydra: HydraConf) -> bool:
    """Whether a sweep, or a job of one, goes on from before."""
    return CONTINUED in hydra.job.env_set


def own_overrides(hydra: HydraConf) -> dict[str, str]:
    """What a job of a sweep has for itself, key → value as it was typed: the part of its folder's name."""
    shared = hydra.job.config.override_dirname.exclude_keys
    pairs = [(key_of(line), line.partition("=")[2]) for line in as_typed(hydra.overrides.task)]
    return {key: value for key, value in pairs if key not in shared}


def job_name(own: Mapping[str, str]) -> str:
    """For people: `backbone=vgg16, alpha=0.5`: keys without their section where that is clear, four digits.

    >>> job_name({"backbone.alpha": "0.5", "optimizer.learning_rate": "0.0031622776"})
    'alpha=0.5, learning_rate=0.003162'
    >>> job_name({"dataset.seed": "1", "seed": "2"})
    'dataset.seed=1, seed=2'
    """
    leaves = Counter(key.rpartition(".")[2] for key in own)

    def short(key: str) -> str:
        leaf = key.rpartition(".")[2]
        return leaf if leaves[leaf] == 1 else key

    return ", ".join(f"{short(key)}={_short(value)}" for key, value in own.items())


def short_sweep_name(hydra: HydraConf) -> str:
    """The file in sweeps/, or else the folder."""
    return str(hydra.runtime.choices.get("sweeps") or Path(hydra.sweep.dir).name)


def sweep_name(hydra: HydraConf) -> str:
    """For people: the file in sweeps/ and the folder."""
    return f"{hydra.runtime.choices.get('sweeps') or 'multirun'} {Path(hydra.sweep.dir).name}"


def _short(value: str) -> str:
    try:
        return f"{float(value):.4g}" if len(value) > 8 else value
    except ValueError:
        return value
