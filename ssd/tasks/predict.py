"""Detecting objects in a user's images, videos and streams."""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from omegaconf import DictConfig

from ssd import interrupts
from ssd.console import rating, waiting
from ssd.data.damage import say_damaged
from ssd.data.images import MAX_PIXELS
from ssd.data.suffixes import say_unread
from ssd.device import set_memory_growth
from ssd.errors import FaultyDataError, UserError
from ssd.experiment import build
from ssd.inference.keras_network import KerasNetwork
from ssd.prediction.detector import Detector
from ssd.prediction.passes import Found, pass_over_images, pass_over_video
from ssd.prediction.reading import Failure, until_interrupted
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
from ssd.prediction.video import opened
from ssd.prediction.writers import TABLES, check_free, detections_json

log = logging.getLogger(__name__)

BATCH_SIZE = 8


def run(cfg: DictConfig, folder: Path) -> float:
    """Detects in all that `source` names, writes what `task.save` names into `folder`, and counts the objects.

    Raises:
        FaultyDataError: some could not be read; the results of all others are written.
    """
    set_memory_growth(cfg.gpu_memory_growth)
    save = list(dict.fromkeys(cfg.task.save))
    listed = cfg.source == STANDARD_INPUT
    sources = None if listed else read_sources(cfg.source)
    check_not_source(folder, cfg.source)
    check_free(folder, save)
    with waiting("loading the detector"):
        model = build.load_trained(cfg)
    network = KerasNetwork(model, min(BATCH_SIZE, len(sources)) if sources and _all_images(sources) else BATCH_SIZE)
    failures, damaged, start = list[Failure](), list[str](), time.monotonic()
    images = objects = 0
    with interrupts.deferred(), ExitStack() as stack:
        tables = [stack.enter_context(detections_json(folder, failures))]
        tables += [stack.enter_context(TABLES[name](folder, model.class_names)) for name in save if name in TABLES]
        total = len(sources) if sources is not None and _all_images(sources) else None
        advance = stack.enter_context(rating("predicting", total))
        every = listed_sources(standard_input()) if sources is None else sources
        for shown, found in _found(cfg, network, every, folder, save, failures):
            for table in tables:
                table(shown, found)
            images, objects = images + 1, objects + len(found)
            damaged += [shown.name] if shown.is_damaged else []
            if shown.frame is None:
                log.info("%s: %s", shown.name, found.in_words())
            advance(len(failures) + images)
        say_damaged(damaged)
        say_unread([] if listed else unread_files(cfg.source))
        log.info("%d images in %.1f s; the results are in %s", images, time.monotonic() - start, folder)
    if failures:
        raise FaultyDataError(_in_a_sentence(failures, images, folder))
    return float(objects)


def _found(
    cfg: DictConfig,
    network: KerasNetwork,
    sources: Iterator[Source] | list[Source],
    folder: Path,
    save: list[str],
    failures: list[Failure],
) -> Iterator[Found]:
    """What is found in all of them, in order; images in common passes, a video in one of its own."""
    detector = _detector(cfg, network, BATCH_SIZE)
    limit = cfg.dataset.get("max_pixels", MAX_PIXELS)
    for are_images, group in groupby(until_interrupted(sources), key=lambda source: source.kind == Kind.image):
        if are_images:
            yield from pass_over_images(group, detector, folder, save, limit, failures)
            continue
        for source in group:
            is_live = source.kind == Kind.stream
            frames, objects = 0, 0
            try:
                with opened(source) as video:
                    detecting = _detector(cfg, network, 1) if is_live else detector
                    for one in pass_over_video(video, source, detecting, folder, save, is_live):
                        frames, objects = frames + 1, objects + len(one[1])
                        yield one
                    if not frames and not interrupts.received:
                        raise UserError(f"the video {source.name} has no frame that can be read")
            except UserError as error:
                failures.append(Failure(source.name, str(error)))
            else:
                log.info("%s: %d frames at %.4g a second, %d objects", source.name, frames, video.rate, objects)


def _detector(cfg: DictConfig, network: KerasNetwork, batch_size: int) -> Detector:
    return Detector(
        network,
        score_threshold=cfg.score_threshold,
        class_thresholds=cfg.task.class_thresholds,
        flip=cfg.task.flip,
        tile=cfg.task.tiles,
        tile_overlap=cfg.task.tile_overlap,
        batch_size=batch_size,
    )


def _all_images(sources: list[Source]) -> bool:
    return all(source.kind == Kind.image for source in sources)


def _in_a_sentence(failures: list[Failure], images: int, folder: Path) -> str:
    """E.g. "2 of 14 images could not be used: …"."""
    count, first = len(failures), failures[0]
    others = "" if count == 1 else f' ({count - 1} more: "failed" in detections.json)'
    whole = f"{count} of {images + count} could not be used; the results of the others are in {folder}"
    return f"{whole}: {first.reason}{others}"
