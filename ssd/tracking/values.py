"""What tracking records, in the form that MLflow accepts: addresses, names, values, git's revision."""

import math
import re
import shlex
from pathlib import Path

from ssd.runs.code import revision_of
from ssd.tracking import view as mlflow_view

SQLITE = "sqlite:///"

# MLflow's own limits (mlflow/utils/validation.py): characters, and entries of one request.
MAX_NAME, MAX_PARAM, MAX_TAG = 250, 6000, 8000
MAX_PARAMS_PER_REQUEST, MAX_METRICS_PER_REQUEST = 100, 1000

# Tags that say which experiment a run is: the options chosen of the main groups.
CHOICES = ("backbone", "detector", "dataset", "augmentation", "precision")

DEFAULT_STORE, DEFAULT_EXPERIMENT = "sqlite:///mlflow.db", "ssd"  # of conf/config.yaml
LOCAL_PAGE = "http://127.0.0.1:5000"  # of task=ui

_RENAMED = {"lr": "lr/learning_rate", "minutes": "train/minutes"}
_SHARES = ("mAP", "AP", "AR", "precision", "recall")  # beginnings of the names of metrics between 0 and 1
_ORDER, _LEAVES = ("best", "model", "val", "train"), ("mAP", "mAP50")  # sections, and metrics in them, as people ask


def absolute_uri(uri: str) -> str:
    """The same uri; a sqlite file's path is made absolute, so that it means the same in every folder."""
    if not uri.startswith(SQLITE):
        return uri
    _, mark, options = uri.partition("?")
    return f"{SQLITE}{database_file(uri).as_posix()}{mark}{options}"


def database_file(uri: str) -> Path:
    """The absolute path of a sqlite uri's file."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]).expanduser().resolve()


def is_server(uri: str) -> bool:
    """Whether a store is a server's, with a page of its own."""
    return uri.startswith(("http://", "https://"))


def ui_command(uri: str, experiment: str) -> str:
    """What shows the runs of a store; what is the default in the folder one calls from is left out."""
    given = [] if absolute_uri(uri) == absolute_uri(DEFAULT_STORE) else [f"tracking.uri={absolute_uri(uri)}"]
    given += [] if experiment == DEFAULT_EXPERIMENT else [f"tracking.experiment={experiment}"]
    return shlex.join(["python", "run.py", "task=ui", *given])


def page(uri: str, experiment_id: str, view: str = mlflow_view.TRAININGS) -> str:
    """The address of a view of an experiment: at the server, or where `task=ui` shows a local store."""
    server = uri.rstrip("/") if is_server(uri) else LOCAL_PAGE
    return f"{server}/{place(experiment_id, view)}"


def place(experiment_id: str, view: str) -> str:
    """The part of an address after the server's."""
    return f"#/experiments/{experiment_id}/runs?{mlflow_view.query(view)}"


def rounded(name: str, value: float) -> float:
    """A metric with the digits that mean something: shares 4 decimals, minutes 2, a latency 3 digits, others 4.

    >>> [rounded("best/mAP", 0.91096521), rounded("val/AR_small", 0.33333333), rounded("train/minutes", 5.0312)]
    [0.911, 0.3333, 5.03]
    >>> [rounded("model/latency_ms", 12.3456), rounded("train/loss", 10.14932), rounded("lr/learning_rate", 7.6543e-05)]
    [12.3, 10.15, 7.654e-05]
    >>> [rounded("model/parameters", 26284974.0), rounded("val/loss", float("nan"))]
    [26284974.0, nan]
    """
    leaf = name.rpartition("/")[2]
    if leaf.startswith(_SHARES):
        return round(value, 4)
    if leaf == "minutes":
        return round(value, 2)
    if not math.isfinite(value) or value == int(value):
        return value
    return float(f"{value:.{3 if leaf == 'latency_ms' else 4}g}")


def results_first(key: str) -> tuple[int, bool, int]:
    """Sorts keys for a run's page, which lists metrics as the store first got them.

    >>> sorted(["train/loss", "val/coco/AR1", "val/loss", "val/mAP50", "val/mAP", "best/mAP"], key=results_first)
    ['best/mAP', 'val/mAP', 'val/mAP50', 'val/loss', 'train/loss', 'val/coco/AR1']
    """
    section, _, leaf = key.rpartition("/")
    known = _ORDER.index(section) if section in _ORDER else len(_ORDER)
    return known, not leaf.startswith(_SHARES), _LEAVES.index(leaf) if leaf in _LEAVES else len(_LEAVES)


def chart_of(name: str, step: int) -> tuple[str, int]:
    """Key and step under which MLflow's page shows a metric where it belongs.

    Its charts are in sections, one for each part before the last slash. A metric that only has step 0 is drawn as bars,
    which compare runs, any other as a curve over the steps.

    >>> [chart_of(name, 3) for name in ("lr", "minutes", "val/mAP50", "val/AR10", "best/mAP50")]
    [('lr/learning_rate', 3), ('train/minutes', 3), ('val/mAP50', 3), ('val/coco/AR10', 3), ('best/mAP50', 0)]
    """
    if name.startswith(("val/AR", "val/mAP_", "val/mAP75", "val/mAP50_coco")):
        name = f"val/coco/{name.removeprefix('val/')}"
    return _RENAMED.get(name, name), 0 if name.startswith(("best/", "model/")) else step


def git_tags(folder: Path) -> dict[str, str]:
    """Revision and branch of the repository at `folder`, and whether files differ from it; empty outside of one."""
    found = revision_of(folder)
    if found.commit is None:
        return {}
    tags = {"mlflow.source.git.commit": found.commit, "git.dirty": str(found.dirty).lower()}
    return tags if found.branch is None else {**tags, "mlflow.source.git.branch": found.branch}


def clean(name: str) -> str:
    """A name with only what MLflow allows in keys: letters, digits, and - . / _ and blanks."""
    return re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII)[:MAX_NAME]


def reason(error: Exception) -> str:
    """What went wrong with a store, in one line, without the statement that a database was at.

    >>> reason(ValueError("(sqlite3.Error) disk I/O error [SQL: SELECT 1] (Background on this error at: x)"))
    '(sqlite3.Error) disk I/O error'
    """
    said = " ".join(str(error).split()) or type(error).__name__
    return shorten(re.sub(r" \[SQL: .*| \(Background on this error at: .*", "", said), 250)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters; the last one shows that some are missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
