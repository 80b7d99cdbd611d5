"""A pass over images or a video: decoding, network and writing go on side by side, in bounded queues."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import tee
from pathlib import Path

from ssd.figures.drawing import draw_detections
from ssd.native_output import overheard
from ssd.prediction.detector import Detector
from ssd.prediction.flow import ahead
from ssd.prediction.image_detections import ImageDetections
from ssd.prediction.pictures import Picture
from ssd.prediction.reading import Failure, Shown, load_image, told
from ssd.prediction.sources import Source
from ssd.prediction.video import Video, written
from ssd.prediction.writers import FILES

Found = tuple[Shown, ImageDetections]

_DEPTH = 8  # images decoded ahead
_WRITING = 2  # threads that draw and write


def pass_over_images(
    sources: Iterable[Source],
    detector: Detector,
    folder: Path,
    save: Sequence[str],
    max_pixels: int,
    failures: list[Failure],
) -> Iterator[Found]:
    """Detects in images and writes the files that are made of each; in order.

    Args:
        sources: of images only; taken as they are needed.
        detector: that detects.
        folder: of the results.
        save: names in `FILES`; others are left to the caller.
        max_pixels: of an image.
        failures: get what could not be read, which is passed over.
    """
    writers = [FILES[name] for name in save if name in FILES]

    def write(one: Found) -> Found:
        for writer in writers:
            writer(folder, *one)
        return one

    with overheard() as output:  # hence one thread decodes: `load_image`
        loaded = ahead(partial(load_image, max_pixels=max_pixels, output=output), sources, threads=1, depth=_DEPTH)
        yield from ahead(write, _detected(told(loaded, failures), detector), threads=_WRITING, depth=2 * _WRITING)


def pass_over_video(
    video: Video, source: Source, detector: Detector, folder: Path, save: Sequence[str], is_live: bool
) -> Iterator[Found]:
    """Detects in each frame; `pictures` become a video of its size and rate, the other files are of each frame."""
    writers = [FILES[name] for name in save if name in FILES and name != "pictures"]
    place = folder / "pictures" / source.place.with_suffix(".mp4")

    with written(place, video.rate) as write_frame:

        def write(one: Found) -> Found:
            shown, found = one
            if "pictures" in save:
                write_frame(draw_detections(shown.image, found, found.class_names))
            for writer in writers:
                writer(folder, *one)
            return one

        frames = _detected(video.shown(depth=1 if is_live else _DEPTH), detector)
        yield from ahead(write, frames, threads=1, depth=2)  # one, as frames follow each other


def _detected(shown: Iterator[Shown], detector: Detector) -> Iterator[Found]:
    """Each with what was found in it, which has its pixels."""
    those, same = tee(shown)
    return zip(those, detector.detect_in(Picture(one.image) for one in same), strict=False)
