"""What the folder of a run, of a sweep and of a sweep's job holds: the names of its files, and how to find them."""

import logging
import os
import sys
from pathlib import Path
from typing import Any

from ssd.cluster import this_member

log = logging.getLogger(__name__)

# Of a run; a folder that has one of the first two is a run's.
OVERRIDES = Path(".hydra", "overrides.yaml")  # its command
HYDRA = Path(".hydra", "hydra.yaml")  # Hydra's own node, the command among it
CONFIG = Path("config.yaml")  # the whole configuration, resolved
BEST = Path("checkpoints", "best.keras")  # the best detector, by training.best_by
LAST = Path("checkpoints", "last.keras")  # the detector and optimizer to go on with
HISTORY = Path("checkpoints", "history.csv")  # as results.csv, should that be lost, with all that MLflow is told
LOG = Path("run.log")  # set in conf/config.yaml
RESULTS = Path("results.csv")
DIAGNOSTICS = Path("diagnostics.csv")  # of each layer, by training.diagnostics=true
METRICS = Path("metrics.json")  # of the best checkpoint
RECORD = Path("record.json")  # with which code, packages and data, on which machine
CODE_DIFF = Path("code.diff")  # how that code differs from its commit, where it does
ANNOTATIONS = Path("annotations.npz")  # of the images that it trains and validates on
VALIDATION = Path("validation.npz")  # what the best checkpoint detects in the validation images
SPLIT = Path("split.json")  # which images it trains and validates on, where the data set is a folder of any format
PLOTS = Path("plots")
REPORT = Path("report.md")
REPORT_PAGE = Path("report.html")  # the same in one file, to be mailed
FINDINGS = Path("findings.json")  # of an inspection
SKIPPED = Path("skipped.csv")  # of the data set, by dataset.on_error=skip
RUN_ID_FILE = Path("mlflow_run.txt")  # its run in MLflow; of a sweep too

IMAGE_MEMORY = Path("outputs", "images.sqlite")  # beside the runs: what is known of images that have not changed

# Of a sweep, and of its jobs.
SWEEP_FILE = Path("sweep.json")  # how it was started
STUDY_FILE = Path("study.db")  # Optuna's, of a search
SWEEP_REPORT = Path("sweep.md")
SWEEP_PAGE = Path("sweep.html")  # the same in one file
DONE_FILE = Path("done.txt")  # what the job returned; written last
FAILURE_FILE = Path("failure.txt")  # why it failed, one line
PRUNED_FILE = Path("pruned.txt")  # after which epoch it was given up, one line


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, or of a sweep's job."""
    return (folder / OVERRIDES).is_file() or (folder / HYDRA).is_file()


def run_of(checkpoint: Path) -> Path | None:
    """The run folder that a checkpoint (a run folder, or its checkpoints/x.keras) belongs to, if any."""
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent.parent
    return folder if is_run(folder) else None


def as_typed(overrides: list[str]) -> list[str]:
    """A job's overrides, a list of OmegaConf's, with their interpolations as they are: to iterate resolves them."""
    from omegaconf import OmegaConf  # which a server of an exported file does without

    lines: Any = OmegaConf.to_container(overrides, resolve=False)  # type: ignore[arg-type]
    return [str(line) for line in lines]


def reserve(folder: Path) -> Path:
    """Makes `folder`, or `folder_2`, `folder_3`, ...: the first that no other run has, however close they start.

    Raises:
        OSError: it cannot be made.
    """
    number = 1
    while True:
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}_{number}")
        try:
            candidate.mkdir(parents=True)
            return candidate
        except FileExistsError:
            if not os.path.lexists(candidate):  # it is a folder above that is none: a link that leads nowhere
                raise
            number += 1


def point_latest(link: Path, folder: Path) -> None:
    """Makes `link` lead to a folder, replacing the one before in one step; only the chief of several processes does."""
    if not this_member().is_chief:
        return
    try:
        link.parent.mkdir(exist_ok=True)
        _link(link, folder)
    except OSError as error:  # a file system without links, or a folder of that name
        log.warning("%s was not updated: %s", link, error)


def _link(link: Path, folder: Path) -> None:
    if sys.platform == "win32":  # where a link needs rights that a junction does not
        import _winapi

        if link.exists():
            link.rmdir()  # the junction, not the folder that it leads to
        _winapi.CreateJunction(str(folder.resolve()), str(link))
        return
    fresh = link.with_name(f".{link.name}-{os.getpid()}")
    try:
        fresh.symlink_to(os.path.relpath(folder, link.parent), target_is_directory=True)
        fresh.replace(link)
    finally:
        fresh.unlink(missing_ok=True)
