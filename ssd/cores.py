"""How many cores this process may use, and how several processes share them."""

import os

CORES_VARIABLE = "SSD_CORES"  # what a launcher grants a job; without it a process may use all it can

# Each library counts for itself, and reads its variable when it is first used.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


def available_cores() -> int:
    """Cores this process may use; where the system does not tell (macOS, Windows), those of the machine."""
    if granted := os.environ.get(CORES_VARIABLE):
        return int(granted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_settings(cores: int) -> dict[str, str]:
    """The environment of a process that shall use `cores` cores; what the user has set stays as it is."""
    return {CORES_VARIABLE: str(cores), **{name: os.environ.get(name, str(cores)) for name in _THREADS}}
