"""The epochs that a continued training has behind it, from whatever still knows them."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ssd.runs.folder import HISTORY, RESULTS
from ssd.runs.results import COLUMNS, as_written, readable_history, readable_results

if TYPE_CHECKING:  # which load TensorFlow and mlflow
    from ssd.tracking.tracker import Tracker
    from ssd.training.checkpoints import Place

log = logging.getLogger(__name__)


def past_epochs(folder: Path, begin: "Place", tracker: "Tracker") -> tuple[list[dict[str, float]], list[int]]:
    """The rows of the epochs that are through, and the numbers of those that are lost, or only known rounded.

    They are those of results.csv; what that lacks is taken from its copy beside the checkpoints, or else from MLflow,
    whose numbers are rounded. What was taken from where, and what is lost, is said. The copy is written first, and also
    has what is not in results.csv.

    Args:
        folder: of the run.
        begin: where it goes on. Rows of later epochs are of a run that was stopped before it could save them.
        tracker: of the run.
    """
    wanted = range(1, begin.epoch + 1)
    file = Path(os.path.relpath(folder)) / RESULTS
    found, problem = readable_results(folder / RESULTS)
    rows = {int(row["epoch"]): row for row in found if row["epoch"] in wanted}
    if (missing := _missing(wanted, rows)) and problem is None:
        problem = f"{file} lacks {_listed(missing)}" if (folder / RESULTS).exists() else f"{file} is missing"
    copied = {int(row["epoch"]): row for row in readable_history(folder / HISTORY)}
    rows = {epoch: _with_copy(row, copied.get(epoch, {})) for epoch, row in rows.items()}
    unsure = [epoch for epoch in missing if epoch not in copied]
    tracked = _tracked(tracker, begin) if unsure else {}
    for source, known in ((f"its copy {HISTORY}", copied), ("MLflow, whose numbers are rounded", tracked)):
        if taken := {epoch: row for epoch, row in known.items() if epoch in wanted and epoch not in rows}:
            log.warning("%s; it is made again from %s", problem, source)
            rows |= taken
    if lost := _missing(wanted, rows):
        log.warning("%s; nothing else has %s, and the training goes on without", problem, _listed(lost))
    return [rows[epoch] for epoch in sorted(rows)], unsure


def _with_copy(row: dict[str, float], copy: dict[str, float]) -> dict[str, float]:
    """A row of results.csv with what its copy has beyond it, if that is of the same epoch of the same training."""
    same = all(copy.get(name) == value for name, value in row.items() if name != "minutes")
    return {**row, **copy} if same else row


def _tracked(tracker: "Tracker", begin: "Place") -> dict[int, dict[str, float]]:
    """Epoch → its row, as MLflow knows it."""
    return {
        epoch: as_written({"epoch": epoch, "step": epoch * begin.steps_per_epoch, **values})
        for epoch, values in tracker.curves([name for name in COLUMNS if name not in ("epoch", "step")]).items()
        if "train/loss" in values
    }


def _missing(wanted: Sequence[int], rows: dict[int, dict[str, float]]) -> list[int]:
    return [epoch for epoch in wanted if epoch not in rows]


def _listed(epochs: Sequence[int]) -> str:
    """E.g. "epoch 3", "epochs 1 to 3", "epochs 1, 3"."""
    if len(epochs) == 1:
        return f"epoch {epochs[0]}"
    if epochs[-1] - epochs[0] + 1 == len(epochs):
        return f"epochs {epochs[0]} to {epochs[-1]}"
    return f"epochs {', '.join(map(str, epochs[:10]))}{', …' if len(epochs) > 10 else ''}"
