"""Detecting objects in a user's images, videos and streams."""

import logging
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

from omegaconf import DictConfig

from ssd import interrupts
from ssd.console import rating, waiting
from ssd.data.damage import say_damaged
from ssd.data.images import MAX_PIXELS
from ssd.data.suffixes import say_unread
from ssd.errors import FaultyDataError
from ssd.inference.network import Network
from ssd.inference.runtimes import choose_runtime, may_have_gpu
from ssd.prediction.detector import Detector
from ssd.prediction.loading import load_network
from ssd.prediction.passes import Pass
from ssd.prediction.reading import Failure
from ssd.prediction.sources import (
    STANDARD_INPUT,
    Kind,
    Source,
    check_not_source,
    listed_sources,
    read_sources,
    standard_input,
    unread_files,
)
from ssd.prediction.writers import TABLES, check_free, detections_json

log = logging.getLogger(__name__)

BATCH_SIZE = 8


def run(cfg: DictConfig, folder: Path) -> float:
    """Detects in all that `source` names, writes what `task.save` names into `folder`, and counts the objects.

    Raises:
        FaultyDataError: something could not be read; the results of all else are written.
    """
    save = list(dict.fromkeys(cfg.task.save))
    check_free(folder, save)
    sources, total = _sources(cfg.source, folder)
    with waiting("loading the detector"):
        detector = _detector(cfg, total)
    failures, damaged = list[Failure](), list[str]()
    images, objects, start = 0, 0, monotonic()
    limit = cfg.dataset.get("max_pixels", MAX_PIXELS)
    with interrupts.deferred():
        with ExitStack() as stack:
            tables = [stack.enter_context(detections_json(folder, failures))]
            tables += [
                stack.enter_context(TABLES[name](folder, detector.class_names)) for name in save if name in TABLES
            ]
            advance = stack.enter_context(rating("predicting", total))
            for shown, found in Pass(detector, folder, save, limit, failures).over(sources):
                for add in tables:
                    add(shown, found)
                images, objects = images + 1, objects + len(found)
                damaged += [shown.name] if shown.is_damaged else []
                if shown.frame is None:
                    log.info("%s: %s", shown.name, found.in_words())
                advance(images + len(failures))
        say_damaged(damaged)
        say_unread(unread_files(cfg.source))
        log.info("%d images in %.1f s; the results are in %s", images, monotonic() - start, folder)
    if failures:
        raise FaultyDataError(_in_a_sentence(failures, images, folder))
    return float(objects)


def _sources(given: str, folder: Path) -> tuple[Iterable[Source], int | None]:
    """What to detect in, and how many images that is, where it is known."""
    if given == STANDARD_INPUT:
        return listed_sources(standard_input()), None
    sources = read_sources(given)
    check_not_source(folder, sources)
    are_images = all(source.kind == Kind.image for source in sources)
    return sources, len(sources) if are_images else None


def _detector(cfg: DictConfig, images: int | None) -> Detector:
    """As the configuration has it; its batches are no larger than a few images need."""
    has_views = cfg.task.flip or cfg.task.tiles is not None
    batch_size = BATCH_SIZE if images is None or has_views else min(BATCH_SIZE, images)
    return Detector(
        load(cfg, batch_size),
        score_threshold=cfg.score_threshold,
        class_thresholds=cfg.task.class_thresholds,
        flip=cfg.task.flip,
        tile=cfg.task.tiles,
        tile_overlap=cfg.task.tile_overlap,
        batch_size=batch_size,
    )


def load(cfg: DictConfig, batch_size: int) -> Network:
    """The network that a configuration names: for task=serve, too.

    Args:
        cfg: whose `checkpoint` or `weights` it is, in its `runtime` and `precision`.
        batch_size: the number of images that will be passed in one call, mostly.
    """
    runtime, precision = cfg.runtime.name, cfg.precision.name
    if may_have_gpu():
        from ssd.device import set_memory_growth  # TensorFlow, which is imported only where it is needed

        set_memory_growth(cfg.gpu_memory_growth)
    if cfg.checkpoint is not None:
        return load_network(cfg.checkpoint, batch_size, runtime, precision)
    # whose settings may be the user's; it takes seconds to import all that a training needs
    from ssd.experiment.build import load_trained
    from ssd.export.running import running

    choice = choose_runtime(runtime, precision)
    return running(choice, precision, batch_size, lambda: load_trained(cfg), None)


def _in_a_sentence(failures: list[Failure], images: int, folder: Path) -> str:
    """E.g. "2 of 14 could not be used; the results of the others are in …: photo.jpg cannot be read …"."""
    count, first = len(failures), failures[0]
    others = "" if count == 1 else f' ({count - 1} more: "failed" in detections.json)'
    summary = f"{count} of {images + count} could not be used; the results of the others are in {folder}"
    return f"{summary}: {first.reason}{others}"
