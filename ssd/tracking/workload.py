"""What the machine is busy with: processor, memory, disk, network and GPU, every ten seconds of a run."""

import time
from collections.abc import Callable, Mapping, Sequence

from mlflow import entities
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from ssd.tracking.values import rounded

SECTION = "workload/"


class Workload(SystemMetricsMonitor):
    """MLflow's monitor, under other names: what is called `system/` stands before a run's results in MLflow's page.

    Args:
        run_id, uri: of the run, which it asks whether it still goes on.
        first: step of the first sample.
        send: takes the metrics of a sample.
    """

    def __init__(self, run_id: str, uri: str, first: int, send: Callable[[Sequence[entities.Metric]], object]) -> None:
        super().__init__(run_id, tracking_uri=uri)
        self._step, self._send = first, send

    def publish_metrics(self, metrics: Mapping[str, float]) -> None:
        """Sends a sample; called by MLflow's thread."""
        now = int(time.time() * 1000)
        found = {SECTION + key: value for key, value in metrics.items()}
        self._send([entities.Metric(key, rounded(key, value), now, self._step) for key, value in found.items()])
        self._step += 1
        for monitor in self.monitors:
            monitor.clear_metrics()


def next_step(run: entities.Run) -> int:
    """Where the samples of a continued run go on."""
    return 1 + max((metric.step for metric in run.data._metric_objs if metric.key.startswith(SECTION)), default=-1)
