"""One run in MLflow that stops no training: what cannot be recorded is said once, in one sentence, and all goes on."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from ssd.environment import ROOT
from ssd.tracking import run_colours, values
from ssd.tracking.store import entities, mlflow, open_experiment
from ssd.tracking.workload import Workload, next_step

log = logging.getLogger(__name__)

Action = Callable[[mlflow.MlflowClient, str], object]  # with a client and the run's id

_HELD = 500  # values of the workload that wait for the first results: about ten minutes of them


class MlflowRun:
    """A run from start to status. After a failure nothing is sent any more but, at the end, the metrics.

    Args:
        uri: of the store.
        experiment: its name; made if missing.
        name: of the run.
        run_id: of the run to continue; a new one starts, with a warning, if the store does not have it.
        parent_run_id: of the sweep this run is a job of.
        visit: writes into the run `run_id`, whatever its state, without starting or ending it.
        system_metrics: processor, memory and GPU use, every 10 seconds.
        tags: on the run.
        colours: that a new run gets one of, as #rrggbb; none leaves it to MLflow's page.
        dataset: the name of the data that a training is on, for which the experiment gets a view.

    Attributes:
        id: of the run while it is open, else None.
        experiment_id: once it was started.
        resumed: whether it goes on in a run that was there.
    """

    def __init__(
        self,
        uri: str,
        experiment: str,
        name: str,
        *,
        run_id: str | None,
        parent_run_id: str | None,
        visit: bool,
        system_metrics: bool,
        tags: Mapping[str, str],
        colours: Sequence[str],
        dataset: str | None,
    ) -> None:
        self.uri = uri
        self.id: str | None = None
        self.experiment_id: str | None = None
        self.resumed = False
        self._experiment, self._name, self._tags = experiment, name, dict(tags)
        self._asked, self._parent, self._visit = run_id, parent_run_id, visit
        self._colours, self._dataset = colours, dataset
        self._system_metrics = system_metrics
        self._workload: Workload | None = None
        self._failed = False
        self._pending: list[entities.Metric] = []
        self._held: list[entities.Metric] | None = []  # None: nothing needs to wait any more
        self._lock = Lock()
        self._worker = ThreadPoolExecutor(1, "tracking")

    def start(self) -> None:
        """Opens the run."""
        self._try("start a run", self._start)
        if self._system_metrics and self.id is not None:
            self._try("watch the machine", self._watch)

    def close(self, status: str) -> None:
        """Sends what is left and ends the run as FINISHED, FAILED or KILLED; a second call does nothing."""
        if self._workload is not None:
            self._workload.finish()
            self._workload = None
        self._worker.shutdown(wait=True)
        if self.id is not None:
            self._try("write the last metrics", self._send_metrics)
            if not self._visit:
                self._try("end the run", lambda: mlflow.end_run(status))
            self.id = None

    def record(self, what: str, action: Action, background: bool = False) -> None:
        """Runs an action on an open run that has not failed yet; in the background all actions keep their order."""
        run = self.id
        if run is None or self._failed:
            return
        if background:
            self._worker.submit(lambda: None if self._failed else self._try(what, lambda: action(self._client, run)))
        else:
            self._try(what, lambda: action(self._client, run))

    def add(self, metrics: Sequence[entities.Metric]) -> None:
        """Sends metrics in the background, with those that could not be sent before."""
        if self.id is not None:
            with self._lock:
                self._pending += [*metrics, *(self._held or ())]
                self._held = None
            self.record("write metrics", lambda client, run: self._send_metrics(), background=True)

    def add_workload(self, metrics: Sequence[entities.Metric]) -> None:
        """The same after the first of other metrics: MLflow's page lists metrics as they first came, results first."""
        with self._lock:
            if self._held is not None and len(self._held) < _HELD:
                self._held += metrics
                return
        self.add(metrics)

    @property
    def _client(self) -> mlflow.MlflowClient:
        return mlflow.MlflowClient(self.uri)

    def _start(self) -> None:
        mlflow.set_tracking_uri(self.uri)
        if self._visit and self._asked is not None:
            self.id = self._client.get_run(self._asked).info.run_id
            return
        self.experiment_id = open_experiment(self.uri, self._experiment, self._dataset)
        if self._asked is not None and self._continue(self._asked):
            return
        colour = {run_colours.TAG: self._colour(self.experiment_id)} if self._colours else {}
        run = mlflow.start_run(
            experiment_id=self.experiment_id,
            run_name=self._name,
            nested=True,  # a sweep's own run may be open in this process
            parent_run_id=self._parent,
            tags={**values.git_tags(ROOT), **self._tags, **colour},
            log_system_metrics=False,  # see `Workload`
        )
        self.id = run.info.run_id

    def _colour(self, experiment_id: str) -> str:
        job = int(self._tags.get("job", 0))
        return run_colours.next_colour(self._client, experiment_id, self._colours, self._parent, job)

    def _watch(self) -> None:
        first = next_step(self._client.get_run(self.id or "")) if self.resumed else 0
        self._workload = Workload(self.id or "", self.uri, first, self.add_workload)
        self._workload.start()

    def _continue(self, run_id: str) -> bool:
        """Opens a run again, if the store has it."""
        try:
            mlflow.start_run(run_id, log_system_metrics=False, nested=True, tags=self._tags)
        except mlflow.MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            log.warning("MLflow at %s has no run %s to continue; a new run starts", self.uri, run_id)
            return False
        self.id, self.resumed = run_id, True
        if "error" in self._client.get_run(run_id).data.tags:
            self._client.delete_tag(run_id, "error")  # of before
        return True

    def _send_metrics(self) -> None:
        with self._lock:
            batch, self._pending, self._held = [*self._pending, *(self._held or ())], [], None
        try:
            for first in range(0, len(batch), values.MAX_METRICS_PER_REQUEST):
                self._client.log_batch(self.id or "", metrics=batch[first : first + values.MAX_METRICS_PER_REQUEST])
        except Exception:
            with self._lock:
                self._pending = batch + self._pending
            raise

    def _try(self, what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:  # whatever mlflow, a database driver, a server or a disk raises
            with self._lock:  # the background thread may fail at the same time
                first, self._failed = not self._failed, True
            if first:
                say_lost(f"{what} in MLflow at {self.uri}", error)


def say_lost(what: str, error: Exception) -> None:
    """One sentence on what could not be done, and why."""
    log.warning("Could not %s (%s); the run goes on without it", what, values.reason(error))
