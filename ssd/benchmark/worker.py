"""One measurement, in a process of its own: `python -m ssd.benchmark.worker JOB RESULT`, two JSON files.

So memory, imports and threads are those of one detector alone. Nothing heavy is imported that it does not need.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain, cycle, islice
from pathlib import Path
from statistics import median
from time import perf_counter, time

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray

from ssd.benchmark.bare import load_bare
from ssd.errors import UserError
from ssd.inference.load import clock, others
from ssd.inference.network import Network
from ssd.prediction.detector import Detector
from ssd.prediction.pictures import read_picture

DISTURBED = 0.05  # share of the cores that other processes have in a turn that does not count
_TURN = 0.25  # seconds, in which the system's clock of the cores goes on far enough
_PATIENCE = 3  # times the seconds that were asked for, while others disturb
_LEAST_PASSES, _LEAST_TURNS = 2, 5  # however long one takes
_WARM_UP = 3  # batches

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Job:
    """What to measure.

    Attributes:
        detector: a checkpoint, or an exported file.
        network: the same without decoding and NMS (see `load_bare`).
        policy: the Keras dtype policy that a checkpoint computes in, as either of the two.
        batch_size: images that pass together.
        images: files.
        score_threshold: of detections.
        seconds: for each of latency and throughput.
    """

    detector: str
    network: str
    policy: str
    batch_size: int
    images: tuple[str, ...]
    score_threshold: float
    seconds: float


@dataclass(frozen=True)
class Measured:
    """What came out.

    Attributes:
        start: seconds from the start of the process to the first detections.
        images_per_second: from files to detections, the next ones decoded meanwhile; median of passes over all images.
        latency, p95: milliseconds from the files of a batch to their detections, one step after the other; the median
            of batches, and what 95 % of them stay below.
        read, resize, network, nms: milliseconds of these steps, medians: reading and decoding files, resizing, the
            network up to offsets and logits, and what detecting takes beyond it: decoding boxes and NMS.
        memory: largest resident memory until then, in MB (10^6 bytes), imports included.
        others: share of the cores that other processes had.
        detections: in all images.
    """

    start: float
    images_per_second: float
    latency: float
    p95: float
    read: float
    resize: float
    network: float
    nms: float
    memory: float
    others: float
    detections: int


@dataclass(frozen=True)
class Turn:
    """Some work, what other processes did meanwhile, and its values: a row each time."""

    others: float
    rows: list[tuple[float, ...]]


def measure(job: Job) -> Measured:
    """Loads a detector and measures it."""
    network = _load(job)
    batches = _batches(job)
    _in_steps(network, next(batches), job)
    start = time() - psutil.Process().create_time()
    for files in islice(batches, _WARM_UP):
        _in_steps(network, files, job)
    detector = Detector(network, score_threshold=job.score_threshold, batch_size=job.batch_size)
    found = sum(len(one) for one in detector.stream(job.images))
    passes = undisturbed(lambda: [_pass(detector, job)], job.seconds, _LEAST_PASSES)
    memory = _peak_memory()
    bare = load_bare(Path(job.network), job.batch_size, job.policy)

    def step() -> tuple[float, ...]:
        images, *times = _in_steps(network, next(batches), job)
        begin = perf_counter()
        bare(images)
        return *times, perf_counter() - begin

    step()  # which may compile
    turns = undisturbed(lambda: _for_a_turn(step), job.seconds, _LEAST_TURNS)
    times = 1000 * np.array([row for turn in turns for row in turn.rows])
    read, resize, detect, inner = np.median(times, axis=0)
    whole = times[:, :3].sum(axis=1)
    return Measured(
        start=start,
        images_per_second=median(row[0] for turn in passes for row in turn.rows),
        latency=float(np.median(whole)),
        p95=float(np.percentile(whole, 95)),
        read=float(read),
        resize=float(resize),
        network=float(min(inner, detect)),
        nms=float(max(0.0, detect - inner)),
        memory=memory,
        others=float(np.mean([turn.others for turn in passes + turns])),
        detections=found,
    )


def _load(job: Job) -> Network:
    """As task=predict has it; a checkpoint computes in the policy of the job."""
    if job.detector.endswith(".keras"):
        from ssd.inference.keras_network import KerasNetwork
        from ssd.models.checkpoint import load_detector

        return KerasNetwork(load_detector(Path(job.detector)), job.batch_size, job.policy)
    from ssd.inference.exported import load_exported

    return load_exported(Path(job.detector), job.batch_size)


def _batches(job: Job) -> Iterator[list[str]]:
    """Files, over and over."""
    files = chain.from_iterable(cycle([job.images]))
    while True:
        yield list(islice(files, job.batch_size))


def _in_steps(network: Network, files: list[str], job: Job) -> tuple[Images, float, float, float]:
    """The images of a batch, and the seconds of reading, resizing and detecting in them."""
    begin = perf_counter()
    pictures = [read_picture(file).image for file in files]
    decoded = perf_counter()
    size = (network.image_size, network.image_size)
    images = np.stack([cv2.resize(picture, size) for picture in pictures]).astype(np.uint8, copy=False)
    resized = perf_counter()
    network(images, job.score_threshold)
    return images, decoded - begin, resized - decoded, perf_counter() - resized


def _pass(detector: Detector, job: Job) -> tuple[float]:
    """Images a second over all of them, as many as fill whole batches."""
    files = list(islice(cycle(job.images), -(-len(job.images) // job.batch_size) * job.batch_size))
    begin = perf_counter()
    for _ in detector.stream(files):
        pass
    return (len(files) / (perf_counter() - begin),)


def _for_a_turn(step: Callable[[], tuple[float, ...]]) -> list[tuple[float, ...]]:
    end = perf_counter() + _TURN
    rows = [step()]
    while perf_counter() < end:
        rows.append(step())
    return rows


def undisturbed(work: Callable[[], list[tuple[float, ...]]], seconds: float, least: int) -> list[Turn]:
    """Turns of work, so many seconds of them in which no other process disturbs; or all, where there are too few.

    Args:
        work: one turn, which gives rows of values.
        seconds: that turns take together; three times that, at most, while others disturb.
        least: turns, however long one takes.
    """
    turns: list[Turn] = []
    quiet: list[Turn] = []
    spent, begin = 0.0, clock().wall
    while len(quiet) < least or spent < seconds:
        before = clock()
        rows = work()
        after = clock()
        turns.append(Turn(others(before, after), rows))
        if turns[-1].others <= DISTURBED:
            quiet.append(turns[-1])
            spent += after.wall - before.wall
        if len(turns) >= least and after.wall - begin >= _PATIENCE * seconds:
            break
    return quiet if len(quiet) >= least else turns


def _peak_memory() -> float:
    """MB. What `getrusage` tells on Linux begins with the memory of the process that started this one."""
    status = Path("/proc/self/status")
    if status.exists():
        return (
            float(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")))
            * 1024
            / 1e6
        )
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main(job: Path, result: Path) -> None:
    """Reads a job, and writes what came out, or {"error": a sentence}."""
    try:
        values: dict[str, object] = asdict(measure(Job(**json.loads(job.read_text(encoding="utf-8")))))
    except UserError as error:
        values = {"error": str(error)}
    result.write_text(json.dumps(values), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
