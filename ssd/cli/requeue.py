"""Going on after the time limit of a batch system."""

import os
import subprocess
import sys


def requeue() -> None:
    """Has Slurm run the script of this job once more, where it is a job of Slurm's; what goes wrong is said.

    The script then finds the run, and goes on with it by `resume=` (docs/resuming.md).
    """
    job, of_array = (os.environ.get(name) for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID"))
    if job is None or os.environ.get("SLURM_PROCID", "0") != "0":  # of several processes one does it for all
        return
    if of_array is not None:
        job = f"{of_array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        print(f"job {job} could not be requeued ({' '.join(said.split())}); submit it again", file=sys.stderr)
    else:
        print(f"job {job} is requeued", file=sys.stderr)
