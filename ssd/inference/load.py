"""Whether other processes use the machine while something is measured. Imports no framework."""

from time import perf_counter, process_time
from typing import NamedTuple

import psutil

from ssd.cores import available_cores


class Clock(NamedTuple):
    """Seconds that have gone by.

    Attributes:
        wall: on the clock.
        busy: of all cores' time, in which any process ran.
        own: of that, this process' own.
    """

    wall: float
    busy: float
    own: float


def clock() -> Clock:
    """Now."""
    cores = psutil.cpu_times()
    return Clock(perf_counter(), sum(cores) - cores.idle - getattr(cores, "iowait", 0.0), process_time())


def others(before: Clock, after: Clock) -> float:
    """The share of this process' cores that other processes used in between."""
    wall, busy, own = (now - then for now, then in zip(after, before, strict=True))
    return max(0.0, busy - own) / (wall * available_cores())
