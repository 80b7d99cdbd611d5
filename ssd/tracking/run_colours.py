"""A run's colour in MLflow's page, where its own, from the run's id, may be that of a neighbour."""

from collections.abc import Sequence

import mlflow

TAG = "mlflow.runColor"


def next_colour(
    client: mlflow.MlflowClient, experiment_id: str, palette: Sequence[str], parent: str | None, job: int
) -> str:
    """The colour that the experiment's runs have not had for longest.

    Jobs of a sweep may start at once: each counts on from what was there before the sweep.

    Args:
        client: of the store.
        experiment_id: of the experiment.
        palette: the colours, as #rrggbb.
        parent: the run of the sweep that the new run is a job of, or None.
        job: its number in the sweep, or 0.
    """
    before = f"attributes.start_time < {client.get_run(parent).info.start_time}" if parent is not None else ""
    newest = ["attributes.start_time DESC"]
    runs = client.search_runs([experiment_id], before, order_by=newest, max_results=3 * len(palette))
    used = [run.data.tags[TAG] for run in runs if run.data.tags.get(TAG) in palette]
    waiting = [colour for colour in palette if colour not in used] + list(dict.fromkeys(used))[::-1]
    return waiting[job % len(waiting)]
