"""What a run tells MLflow and TensorBoard.

Nothing here stops a training: what cannot be recorded is said once, in one sentence, and the run goes on.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from ssd.runs.flat import flatten
from ssd.tracking import values
from ssd.tracking import view as mlflow_view
from ssd.tracking.model import log_pyfunc
from ssd.tracking.run import MlflowRun, say_lost
from ssd.tracking.store import entities, in_common, mlflow


class Tracker:
    """One MLflow run, from start to status, and its TensorBoard scalars when asked for.

    Metrics and pictures are sent by one background thread, in order; the rest is sent before the call returns. After a
    failure every call returns at once; the metrics are kept and tried once more when the run ends.

    >>> with Tracker("sqlite:///outputs/mlflow.db", "ssd", "first", Path("outputs/first")) as tracker:
    ...     tracker.log_metrics({"train/loss": 3.2}, step=1)
    """

    def __init__(
        self,
        uri: str,
        experiment: str,
        run_name: str,
        folder: Path,
        *,
        run_id: str | None = None,
        parent_run_id: str | None = None,
        visit: bool = False,
        enabled: bool = True,
        system_metrics: bool = False,
        tensorboard: bool = False,
        tags: Mapping[str, str] | None = None,
        colours: Sequence[str] = (),
    ) -> None:
        """Only remembers; the run starts when the context is entered.

        Args:
            uri: of the store: sqlite:///file (relative to the current folder), http://host:port, ...
            experiment: its name; made if missing. Artifacts of a sqlite store lie beside the database in `mlartifacts`.
            run_name: shown in the table of runs.
            folder: the run folder; TensorBoard's files go to `folder/tensorboard`.
            run_id: of the run to continue; a new one starts, with a warning, if the store does not have it.
            parent_run_id: of the sweep this run is a job of.
            visit: writes into the run `run_id`, whatever its state, without starting or ending it.
            enabled: False leaves MLflow out.
            system_metrics: processor, memory and GPU use, every 10 seconds.
            tensorboard: writes the metrics for TensorBoard too.
            tags: on the run; a training's `dataset` has a view of its own in the experiment.
            colours: that a new run gets one of, as #rrggbb: one that its neighbours do not have.
        """
        self.uri = values.absolute_uri(uri)
        tags = tags or {}
        self._experiment = experiment
        self._dataset = tags.get("dataset") if tags.get("task") == "train" else None
        self._run = MlflowRun(
            self.uri,
            experiment,
            run_name,
            run_id=run_id,
            parent_run_id=parent_run_id,
            visit=visit,
            system_metrics=system_metrics,
            tags=tags,
            colours=colours,
            dataset=self._dataset,
        )
        self._folder = folder
        self._enabled = enabled
        self._tensorboard = tensorboard
        self._scalars: Any = None

    @property
    def run_id(self) -> str | None:
        """Of the MLflow run while it is open; None otherwise, or where it could not be started."""
        return self._run.id

    @property
    def ui_command(self) -> str:
        """The command that shows the runs; or that nothing is recorded."""
        if not self._enabled:
            return "not recorded (tracking.enabled=false)"
        return values.ui_command(self.uri, self._experiment)

    @property
    def page(self) -> str | None:
        """The address of the experiment's trainings, of one data set if it is known; None if not recorded.

        A local store's is there while `ui_command` runs.
        """
        if self._run.experiment_id is None:
            return None
        view = mlflow_view.TRAININGS if self._dataset is None else mlflow_view.key_of(self._dataset)
        return values.page(self.uri, self._run.experiment_id, view)

    def __enter__(self) -> Self:
        if self._tensorboard:
            self._try_scalars(self._open_scalars)
        if self._enabled:
            self._run.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.close("FINISHED")
        elif isinstance(error, KeyboardInterrupt):
            self.close("KILLED")
        else:
            self.set_tags({"error": f"{type(error).__name__}: {error}"})
            self.close("FAILED")

    def close(self, status: str) -> None:
        """Sends what is left and ends the run as FINISHED, FAILED or KILLED; a second call does nothing."""
        if self._scalars is not None:
            self._try_scalars(self._scalars.close)
            self._scalars = None
        self._run.close(status)

    def log_config(self, config: Mapping[str, Any]) -> None:
        """Records a nested configuration as params, `optimizer.learning_rate: 0.001`.

        MLflow's params are written once: a continued run keeps those it has, and gets those it was killed before.
        Values over MLflow's limit are cut.
        """
        params = [
            entities.Param(values.clean(key), values.shorten(value, values.MAX_PARAM))
            for key, value in flatten(config).items()
        ]

        def send(client: mlflow.MlflowClient, run: str) -> None:
            known = client.get_run(run).data.params if self._run.resumed else {}
            new = [param for param in params if param.key not in known]
            for first in range(0, len(new), values.MAX_PARAMS_PER_REQUEST):
                client.log_batch(run, params=new[first : first + values.MAX_PARAMS_PER_REQUEST])

        self._run.record("write the configuration", send)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Records scalars in the background, rounded, in the section of the page where they belong (`chart_of`).

        A continued run repeats the steps that it wrote after its checkpoint.
        """
        if self._scalars is not None:
            self._try_scalars(lambda: self._scalars.write(metrics, step))
        now = int(time.time() * 1000)
        placed = {key: (value, at) for name, value in metrics.items() for key, at in [values.chart_of(name, step)]}
        sent = [
            entities.Metric(values.clean(key), values.rounded(key, float(placed[key][0])), now, placed[key][1])
            for key in sorted(placed, key=values.results_first)
        ]
        self._run.add(sent)

    def curves(self, names: Sequence[str]) -> dict[int, dict[str, float]]:
        """Step → the values that a continued run has of some metrics already, rounded as they were sent."""
        found: dict[int, dict[str, float]] = {}

        def read(client: mlflow.MlflowClient, run: str) -> None:
            for name in names:
                key, _ = values.chart_of(name, 0)
                history = client.get_metric_history(run, values.clean(key))
                for metric in sorted(history, key=lambda metric: metric.timestamp):
                    found.setdefault(metric.step, {})[name] = metric.value

        self._run.record("read a metric", read)
        return found

    def log_dataset(
        self, name: str, context: str, digest: str, images: int, class_counts: Mapping[str, int], source: str
    ) -> None:
        """Records a data set as an input of the run.

        Args:
            name: e.g. "voc_folder:test".
            context: what it is used for, "training" or "validation".
            digest: of its annotations; MLflow keeps 36 characters.
            images: how many.
            class_counts: objects of every class.
            source: where it came from: a path or a name.
        """
        objects = sum(class_counts.values())
        profile = {"num_rows": images, "num_elements": objects, "objects_per_class": dict(class_counts)}
        where = json.dumps({"uri": source})
        dataset = entities.Dataset(name, digest[:36], "local", where, profile=json.dumps(profile))
        entry = entities.DatasetInput(dataset, [entities.InputTag("mlflow.data.context", context)])
        self._run.record("write the data set", lambda client, run: client.log_inputs(run, [entry]))

    def take_over(self, runs: Sequence[str]) -> None:
        """Gives a sweep's run the data sets of its jobs' runs, and what these have in common of their main tags."""

        def send(client: mlflow.MlflowClient, run: str) -> None:
            inputs, shared = in_common(client, runs, (*values.CHOICES, "device", "task"))
            self._dataset = shared.get("dataset") if shared.pop("task", None) == "train" else None
            client.log_inputs(run, inputs)
            client.log_batch(run, tags=[entities.RunTag(key, value) for key, value in shared.items()])

        self._run.record("write what its jobs share", send)

    def log_image(self, image: Path | NDArray[np.uint8], key: str, step: int) -> None:
        """Adds a picture, a file or (H, W, 3) uint8 RGB, to the section "pictures" of the page's charts.

        There it has a slider over the steps, and stands beside that of other runs.
        """

        where = values.clean(f"pictures/{key}")

        def read(client: mlflow.MlflowClient, run: str) -> None:  # now, as the file may be drawn over
            pixels = np.asarray(Image.open(image).convert("RGB")) if isinstance(image, Path) else image
            self._run.record(
                "write a picture",
                lambda client, run: client.log_image(run, pixels, key=where, step=step, synchronous=True),
                background=True,
            )

        self._run.record("read a picture", read)

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Copies a file into the run's artifacts."""
        self._run.record("write an artifact", lambda client, run: client.log_artifact(run, str(path), folder))

    def log_table(self, rows: Sequence[Mapping[str, Any]], name: str) -> None:
        """Writes rows, rounded, as an artifact that the page shows as a table, in the place of an older one.

        Args:
            rows: all with the same keys.
            name: NAME.csv; or NAME.json, which the page's evaluation view compares between runs.
        """
        table = pd.DataFrame([{key: _told(key, value) for key, value in row.items()} for row in rows])
        as_json = name.endswith(".json")
        text = table.to_json(orient="split", index=False) if as_json else table.to_csv(index=False)

        def send(client: mlflow.MlflowClient, run: str) -> None:  # MLflow's own log_table appends to an older one
            client.log_text(run, text, name)
            if as_json:
                listed = json.loads(client.get_run(run).data.tags.get("mlflow.loggedArtifacts", "[]"))
                entry = {"path": name, "type": "table"}
                client.set_tag(run, "mlflow.loggedArtifacts", json.dumps([*(e for e in listed if e != entry), entry]))

        self._run.record("write a table", send)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Sets tags, `mlflow.note.content` (the description, in Markdown) among them."""
        entries = [
            entities.RunTag(values.clean(key), values.shorten(value, values.MAX_TAG)) for key, value in tags.items()
        ]
        self._run.record("write tags", lambda client, run: client.log_batch(run, tags=entries))

    def log_model(self, checkpoint: Path) -> None:
        """Logs the checkpoint as a pyfunc, with signature and example."""
        self._run.record("write the model", lambda client, run: log_pyfunc(checkpoint))

    def _open_scalars(self) -> None:
        from ssd.tracking.tensorboard import ScalarWriter  # here, so that a sweep's parent does not load TensorFlow

        self._scalars = ScalarWriter(self._folder / "tensorboard")

    def _try_scalars(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:  # a full disk, mostly
            self._scalars = None
            say_lost(f"write TensorBoard's files in {self._folder}", error)


def _told(name: str, value: Any) -> Any:
    return values.rounded(name, value) if isinstance(value, float) else value
