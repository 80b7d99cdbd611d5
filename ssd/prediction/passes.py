"""Passes over images and videos: decoding, network and writing go on side by side, in bounded queues."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, tee
from pathlib import Path

from ssd import interrupts
from ssd.errors import UserError
from ssd.figures.drawing import draw_detections
from ssd.native_output import overheard
from ssd.prediction.detector import Detector
from ssd.prediction.flow import ahead
from ssd.prediction.image_detections import ImageDetections
from ssd.prediction.pictures import Picture
from ssd.prediction.reading import Failure, Shown, load_image, told, until_interrupted
from ssd.prediction.sources import Kind, Source
from ssd.prediction.video import Video, opened, written
from ssd.prediction.writers import FILES

log = logging.getLogger(__name__)

Found = tuple[Shown, ImageDetections]

# Images are bounded in number, so that ten of the largest that are allowed are some gigabytes.
_DEPTH = 4  # decoded ahead
_WRITING = 2  # threads that draw and write


@dataclass(frozen=True)
class Pass:
    """Detects in sources and writes the files that are made of each.

    Attributes:
        detector: that detects.
        folder: of the results.
        save: names in `FILES`; others are left to the caller.
        max_pixels: of an image.
        failures: gets what could not be read, which is passed over.
    """

    detector: Detector
    folder: Path
    save: Sequence[str]
    max_pixels: int
    failures: list[Failure]

    def over(self, sources: Iterable[Source]) -> Iterator[Found]:
        """Each image and frame with what was found in it, in order, until a signal asks to stop.

        Args:
            sources: taken as they are needed; images that follow each other pass in common batches.
        """
        for are_images, group in groupby(until_interrupted(sources), key=lambda source: source.kind == Kind.image):
            if are_images:
                yield from self._over_images(group)
            else:
                for source in group:
                    yield from self._over_video(source)

    def _over_images(self, sources: Iterable[Source]) -> Iterator[Found]:
        def write(one: Found) -> Found:
            self._write(one, self.save)
            return one

        with overheard() as output:  # hence one thread decodes: `load_image`
            load = partial(load_image, max_pixels=self.max_pixels, output=output)
            shown = told(ahead(load, sources, threads=1, depth=_DEPTH), self.failures)
            yield from ahead(write, self._detected(shown), threads=_WRITING, depth=_WRITING + 1)

    def _over_video(self, source: Source) -> Iterator[Found]:
        """Of a camera or stream frame by frame, as what is found is wanted at once."""
        frames = objects = 0
        try:
            with opened(source) as video:
                for one in self._over_frames(video, source, None if source.kind == Kind.video else 1):
                    frames, objects = frames + 1, objects + len(one[1])
                    yield one
            if not frames and not interrupts.received:
                raise UserError(f"the video {source.name} has no frame that can be read")
        except UserError as error:
            self.failures.append(Failure(source.name, str(error)))
        else:
            log.info("%s: %d frames at %.4g a second, %d objects", source.name, frames, video.rate, objects)

    def _over_frames(self, video: Video, source: Source, batch_size: int | None) -> Iterator[Found]:
        """`pictures` become a video of its size and rate; the other files are of each frame."""
        others = [name for name in self.save if name != "pictures"]

        with written(self.folder / "pictures" / source.place.with_suffix(".mp4"), video.rate) as write_frame:

            def write(one: Found) -> Found:
                shown, found = one
                if "pictures" in self.save:
                    write_frame(draw_detections(shown.image, found, found.class_names))
                self._write(one, others)
                return one

            shown = video.shown(depth=batch_size or _DEPTH)
            yield from ahead(write, self._detected(shown, batch_size), threads=1, depth=2)  # frames follow each other

    def _detected(self, shown: Iterator[Shown], batch_size: int | None = None) -> Iterator[Found]:
        """Each with what was found in it, which has its pixels."""
        those, same = tee(shown)
        pictures = (Picture(one.image) for one in same)
        return zip(those, self.detector.detect_in(pictures, batch_size=batch_size), strict=False)

    def _write(self, one: Found, names: Sequence[str]) -> None:
        for name in names:
            if name in FILES:
                FILES[name](self.folder, *one)
