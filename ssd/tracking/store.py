"""MLflow's store: opened, read back, and its registry of models. The only module that imports mlflow.

What a run writes is in `ssd.tracking.tracker`, which takes mlflow from here.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from filelock import FileLock
from mlflow import entities
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from ssd.errors import UserError
from ssd.runs.files import whole
from ssd.tracking import view as mlflow_view
from ssd.tracking.values import SQLITE, absolute_uri, database_file, reason

for _noisy in ("mlflow", "alembic", "urllib3.connectionpool"):  # what goes wrong is said in a sentence
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)

__all__ = [
    "RecordedRun",
    "checkpoint_of",
    "entities",
    "find_experiment",
    "in_common",
    "mlflow",
    "open_experiment",
    "parent_of",
    "read_runs",
    "register_model",
]

_PARENT = "mlflow.parentRunId"
_HEAD = b"SQLite format 3\0"  # of every database; a new one is an empty file


@dataclass(frozen=True)
class RecordedRun:
    """A run as MLflow has it.

    Attributes:
        id, name: of the run.
        status: FINISHED | FAILED | KILLED | RUNNING | SCHEDULED.
        parent: the id of the sweep's run that it is a job of, or None.
        params, metrics, tags: the metrics' last values.
        curves: of each metric asked for, (step, value) in order.
    """

    id: str
    name: str
    status: str
    parent: str | None
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    curves: Mapping[str, Sequence[tuple[int, float]]]


def read_runs(uri: str, ids: Sequence[str], curves: Sequence[str]) -> list[RecordedRun]:
    """The runs with these ids, in their order; in the place of a sweep's run the jobs it has, as they were started.

    Raises:
        UserError: the store cannot be read, or has no such run.
    """
    found: dict[str, Run] = {}
    with _reading(uri):
        client = _client(uri)
        for run_id in ids:
            run = _get(client, uri, run_id)
            found |= {job.info.run_id: job for job in _children(client, run) or [run]}
        return [_recorded(client, run, curves) for run in found.values()]


@contextmanager
def checkpoint_of(address: str) -> Iterator[Path]:
    """The checkpoint in a model that a run logged, for as long as the block lasts.

    Args:
        address: models:/NAME@ALIAS, models:/NAME/VERSION, models:/MODEL_ID or runs:/ID/model, in the store that MLflow
            itself goes to (MLFLOW_TRACKING_URI, else mlflow.db in this folder).

    Raises:
        UserError: the store cannot be read, or has no such model of this project.
    """
    uri = mlflow.get_tracking_uri()
    with TemporaryDirectory(prefix="ssd-model-") as folder:
        with _reading(uri):
            _client(uri)  # MLflow would make an empty store where there is none
            try:
                there = Path(mlflow.artifacts.download_artifacts(address, dst_path=folder))
                flavour = mlflow.models.Model.load(str(there)).flavors["python_function"]
                checkpoint = there / flavour["artifacts"]["checkpoint"]["path"]
            except (KeyError, OSError) as error:
                raise UserError(f"{address} in MLflow at {uri} is no detector of this project") from error
            except MlflowException as error:
                raise UserError(
                    f"MLflow at {uri} has no model {address} ({reason(error)}); check its name, or set "
                    "MLFLOW_TRACKING_URI to its store"
                ) from error
        yield checkpoint


def parent_of(uri: str, ids: Sequence[str]) -> str | None:
    """The run of the sweep whose jobs these all are; None if there is no such one, or the store cannot be read."""
    try:
        with _reading(uri):
            client = _client(uri)
            parents = {_get(client, uri, run_id).data.tags.get(_PARENT) for run_id in ids}
    except UserError:
        return None
    return parents.pop() if len(parents) == 1 else None


def in_common(
    client: mlflow.MlflowClient, ids: Sequence[str], tags: Sequence[str]
) -> tuple[list[entities.DatasetInput], dict[str, str]]:
    """The data sets of runs, each once, and those of `tags` that have one value in all of them."""
    runs = [client.get_run(run_id) for run_id in ids]
    inputs = {str(entry): entry for run in runs for entry in (run.inputs.dataset_inputs if run.inputs else ())}
    values = {tag: {run.data.tags.get(tag, "") for run in runs} for tag in tags}
    shared = {tag: found.pop() for tag, found in values.items() if len(found) == 1}
    return list(inputs.values()), {tag: value for tag, value in shared.items() if value}


def register_model(uri: str, run_id: str, name: str, alias: str, tags: Mapping[str, str]) -> str:
    """Makes the detector that a run logged a version of the registered model `name`, and points `alias` at it.

    A detector that is a version already is not registered twice.

    Returns:
        Where it is loaded from: models:/NAME@ALIAS.

    Raises:
        UserError: the run logged no model, or MLflow refuses.
    """
    with _reading(uri):
        client = _client(uri)
        run = _get(client, uri, run_id)
    models = run.outputs.model_outputs if run.outputs is not None else []
    if not models:
        raise UserError(f"run {run_id} has no model; train with tracking.log_model=true")
    model = models[-1].model_id
    try:
        mlflow.set_tracking_uri(uri)
        versions = client.search_model_versions(f"name = '{name}'")
        known = [version for version in versions if model in (version.source or "")]
        version = known[0] if known else mlflow.register_model(f"models:/{model}", name, tags=dict(tags))
        client.set_registered_model_alias(name, alias, str(version.version))
    except MlflowException as error:
        raise UserError(f"MLflow at {uri} does not register it: {' '.join(str(error).split())}") from error
    return f"models:/{name}@{alias}"


def open_experiment(uri: str, name: str, dataset: str | None = None) -> str:
    """The id of an experiment; store, experiment and views are made if missing.

    Two processes that make the same sqlite store at once break each other's migration, so one waits for the other.

    Args:
        uri: of the store.
        name: of the experiment.
        dataset: a data set that the experiment is to have a view for.

    Raises:
        UserError: a sqlite store whose file is none.
    """
    _check_file(uri)
    views = mlflow_view.tags(dataset)
    location: str | None = None
    lock: AbstractContextManager = nullcontext()
    if uri.startswith(SQLITE):
        artifacts = database_file(uri).parent / "mlartifacts"
        artifacts.mkdir(parents=True, exist_ok=True)
        location = artifacts.as_uri()
        lock = FileLock(artifacts / ".lock", timeout=120)
    with lock:
        if uri.startswith(SQLITE) and not database_file(uri).exists():
            _make_database(database_file(uri))
        client = mlflow.MlflowClient(uri)
        found = client.get_experiment_by_name(name)
        if found is None:
            # else older pages open their language model views; newer ones look at the address (mlflow_view.query)
            kind = {"mlflow.experimentKind": "custom_model_development"}
            return client.create_experiment(name, location, kind | views)
        for tag, text in mlflow_view.outdated(views, found.tags).items():
            client.set_experiment_tag(found.experiment_id, tag, text)
        return found.experiment_id


def _make_database(file: Path) -> None:
    """A new sqlite store, beside its name until it has all tables: a process that is killed leaves none half made."""
    for left in file.parent.glob(f".{file.name}.*.part*"):
        left.unlink()
    with whole(file) as part:
        mlflow.MlflowClient(f"{SQLITE}{part.as_posix()}").search_experiments()


def find_experiment(uri: str, name: str) -> str:
    """The id of an experiment, with the views of now.

    Raises:
        UserError: the store cannot be read, or has no such experiment.
    """
    with _reading(uri):
        names = [experiment.name for experiment in _client(uri).search_experiments()]
        if name in names:
            return open_experiment(absolute_uri(uri), name)
    others = ", ".join(sorted(other for other in names if other != "Default")) or "none"
    raise UserError(f"MLflow at {uri} has no experiment {name}; give tracking.experiment=... (there: {others})")


def _client(uri: str) -> mlflow.MlflowClient:
    uri = absolute_uri(uri)
    if uri.startswith(SQLITE) and not database_file(uri).exists():
        # MLflow would make an empty one
        raise UserError(f"tracking.uri={uri}: there is no such file; give tracking.uri=... of the runs' store")
    _check_file(uri)
    return mlflow.MlflowClient(uri)


def _check_file(uri: str) -> None:
    """Refuses at once a file that is no database, which MLflow would try to open for minutes."""
    if not uri.startswith(SQLITE) or not (file := database_file(uri)).exists():
        return
    try:
        with file.open("rb") as stream:
            head = stream.read(len(_HEAD))
    except OSError as error:
        raise UserError(f"tracking.uri={uri}: {error.strerror}; give tracking.uri=... of another store") from error
    if head not in (b"", _HEAD):
        raise UserError(f"tracking.uri={uri} is no SQLite database; put it back, or give tracking.uri=... of another")


@contextmanager
def _reading(uri: str) -> Iterator[None]:
    """What a store or its database says that is damaged, locked or gone becomes one sentence."""
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise UserError(
            f"MLflow at {uri} cannot be read: {reason(error)}; give tracking.uri=... of another store, or put this one "
            "back"
        ) from error


def _get(client: mlflow.MlflowClient, uri: str, run_id: str) -> Run:
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise UserError(f"MLflow at {uri} has no run {run_id}; give tracking.uri=... of its store") from error
        raise


def _children(client: mlflow.MlflowClient, run: Run) -> list[Run]:
    experiment, only = [run.info.experiment_id], f"tags.`{_PARENT}` = '{run.info.run_id}'"
    runs: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs(experiment, only, order_by=["attributes.start_time ASC"], page_token=token)
        runs += page
        if not (token := page.token):
            return runs


def _recorded(client: mlflow.MlflowClient, run: Run, curves: Sequence[str]) -> RecordedRun:
    def curve(name: str) -> list[tuple[int, float]]:
        return sorted((metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name))

    return RecordedRun(
        id=run.info.run_id,
        name=run.info.run_name or "",
        status=run.info.status,
        parent=run.data.tags.get(_PARENT),
        params=run.data.params,
        metrics=run.data.metrics,
        tags=run.data.tags,
        curves={name: curve(name) for name in curves if name in run.data.metrics},
    )
