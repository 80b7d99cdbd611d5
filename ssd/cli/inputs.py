"""A look at the files that a command names, before TensorFlow is imported: data sets, images, checkpoints."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from ssd.cli.checks import READING
from ssd.console import waiting
from ssd.errors import UserError
from ssd.prediction.sources import STANDARD_INPUT, Kind, read_sources
from ssd.runs.checkpoint import check_checkpoint, exported_format

# Keys of a data set that lies in files of the user's own; what is downloaded or drawn is made by the run itself.
_OWN_FILES = ("path", "train_annotations", "parts")


def look_at_inputs(jobs: Sequence[DictConfig]) -> None:
    """Reads annotations and headers, lists images, opens checkpoints: what the jobs of a command need, each once.

    Args:
        jobs: composed and checked, without Hydra's node.

    Raises:
        UserError: one sentence on what cannot be used.
    """
    named = [job for job in jobs if job.checkpoint is not None and job.task.name != "report"]
    for checkpoint, task in {(job.checkpoint, job.task.name) for job in named}:
        _look_at_detector(checkpoint, task)
    for job in jobs:
        if job.task.name == "predict":
            _look_at_images(job)
    for job in jobs:
        if job.task.name == "inspect" and (kind := job.dataset.get("convert")) is not None:
            from ssd.data.folder.convert import beside, check_target  # numpy and OpenCV

            check_target(beside(job.dataset.path, kind), kind)
    reading = [job for job in jobs if job.task.name in READING]
    with waiting("reading the annotations"):
        from ssd.experiment.splits import read_ahead  # numpy and OpenCV, which a mistake in a key need not wait for

        read_ahead([job for job in reading if any(job.dataset.get(key) is not None for key in _OWN_FILES)])


def _look_at_detector(checkpoint: str, task: str) -> None:
    """An exported file is for predicting and serving alone, and says what is wrong with it when it is loaded."""
    if (kind := exported_format(Path(checkpoint))) is None:
        check_checkpoint(checkpoint)
    elif task not in ("predict", "serve"):
        raise UserError(
            f"checkpoint={checkpoint} is an exported detector ({kind}), which task={task} cannot use; give the run "
            "folder or the .keras file that it was made of"
        )


def _look_at_images(job: DictConfig) -> None:
    """Lists the images; a single one is decoded, so that what is wrong with it is said in a moment."""
    if job.source == STANDARD_INPUT:  # whose lines come as they come
        return
    sources = read_sources(job.source)
    if len(sources) == 1 and sources[0].kind == Kind.image and "://" not in sources[0].name:
        from ssd.data.damage import decode_files  # OpenCV, which a mistake in a key need not wait for
        from ssd.data.images import MAX_PIXELS

        decode_files([Path(sources[0].name)], job.dataset.get("max_pixels", MAX_PIXELS))
