"""Measuring one detector in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ssd.benchmark.candidates import KERAS, Candidate
from ssd.benchmark.worker import Job, Measured
from ssd.cores import thread_settings
from ssd.environment import ROOT
from ssd.errors import UserError
from ssd.export.network_only import write_network_only

_OWN_NETWORK = ("saved_model", KERAS)  # in Keras


def job_of(
    candidate: Candidate,
    images: Sequence[Path],
    batch_size: int,
    score_threshold: float,
    seconds: float,
    folder: Path,
) -> Job:
    """How a candidate is measured.

    Args:
        candidate: what is measured.
        images: files.
        batch_size: images that pass together.
        score_threshold: of detections.
        seconds: for each of latency and throughput.
        folder: for what has to be written.
    """
    if candidate.format in _OWN_NETWORK:
        network = candidate.checkpoint
    elif candidate.precision == "full_int8":  # decodes outside of the file
        network = candidate.file
    else:
        network = write_network_only(candidate.format, candidate.file, folder)
    return Job(
        detector=str(candidate.file.resolve()),
        network=str(network.resolve()),
        policy=candidate.policy,
        batch_size=batch_size,
        images=tuple(map(str, images)),
        score_threshold=score_threshold,
        seconds=seconds,
    )


def measured(job: Job, threads: int, folder: Path) -> Measured:
    """Runs a job in a process of so many threads.

    Args:
        job: what to measure.
        threads: that the process may use.
        folder: for files to speak with it.

    Raises:
        UserError: it cannot be measured, in a sentence.
    """
    asked, told = folder / "job.json", folder / "result.json"
    asked.write_text(json.dumps(asdict(job)), encoding="utf-8")
    told.unlink(missing_ok=True)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "ssd.benchmark.worker", str(asked), str(told)],
        env={**os.environ, **thread_settings(threads), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if not told.exists():
        lines = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
        raise UserError(f"{job.detector} could not be measured: {lines[-1]}")
    values = json.loads(told.read_text(encoding="utf-8"))
    if "error" in values:
        raise UserError(values["error"])
    return Measured(**values)
