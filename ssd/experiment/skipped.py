"""What was left out of a data set: counted in the log, listed in the run folder."""

import csv
import io
import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ssd.data.problems import Problem
from ssd.runs.files import write_text
from ssd.runs.folder import SKIPPED

log = logging.getLogger(__name__)


def write_skipped(folder: Path, problems: Sequence[Problem]) -> None:
    """Writes skipped.csv, a line for each object or file that is not in the data set, and says how many of what."""
    skipped = [problem for problem in problems if problem.left_out]
    if not skipped:
        return
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("kind", "file", "object", "reason"))
    lines.writerows((problem.kind, problem.file, problem.object, problem.text) for problem in skipped)
    write_text(folder / SKIPPED, text.getvalue())
    counts = ", ".join(f"{count} {kind}" for kind, count in Counter(problem.kind for problem in skipped).most_common())
    log.warning("left out of the data set: %s; listed in %s", counts, os.path.relpath(folder / SKIPPED))
