"""What tracking records, in the form that MLflow accepts: addresses, names, values, git's revision."""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssd.tracking import view as mlflow_view

SQLITE = "sqlite:///"

# MLflow's own limits (mlflow/utils/validation.py): characters, and entries of one request.
MAX_NAME, MAX_PARAM, MAX_TAG = 250, 6000, 8000
MAX_PARAMS_PER_REQUEST, MAX_METRICS_PER_REQUEST = 100, 1000

# Tags that say which experiment a run is: the options chosen of the main groups.
CHOICES = ("backbone", "detector", "dataset", "augmentation", "precision")

_RENAMED = {"lr": "lr/learning_rate", "minutes": "train/minutes"}


def absolute_uri(uri: str) -> str:
    """The same uri; a sqlite file's path is made absolute, so that it means the same in every folder."""
    if not uri.startswith(SQLITE):
        return uri
    _, mark, options = uri.partition("?")
    return f"{SQLITE}{database_file(uri).as_posix()}{mark}{options}"


def database_file(uri: str) -> Path:
    """The absolute path of a sqlite uri's file."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]).expanduser().resolve()


def ui_command(uri: str) -> str:
    """What shows the runs of a store: a command for a local one, the address of a server."""
    if uri.startswith(("http://", "https://")):
        return uri
    return f"mlflow ui --backend-store-uri {shlex.quote(absolute_uri(uri))}"


def page(uri: str, experiment_id: str) -> str:
    """The address of an experiment's trainings: at the server, or where `mlflow ui` shows a local store."""
    server = uri.rstrip("/") if uri.startswith(("http://", "https://")) else "http://127.0.0.1:5000"
    return f"{server}/#/experiments/{experiment_id}/runs?{mlflow_view.QUERY}"


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


def flatten(config: Mapping[Any, Any], prefix: str = "") -> dict[str, str]:
    """Nested mappings as `a.b` -> text, the way a user would type it: null, true, 0.001, [1, 2].

    >>> flatten({"optimizer": {"learning_rate": 0.001, "nesterov": False}})
    {'optimizer.learning_rate': '0.001', 'optimizer.nesterov': 'false'}
    """
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            value = dict(enumerate(value))
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat


def git_tags(folder: Path) -> dict[str, str]:
    """Revision and branch of the repository at `folder`, and whether files differ from it; empty outside of one."""
    try:
        import git  # here, as it raises where the git program is missing
    except ImportError:
        return {}
    try:
        repository = git.Repo(folder)
        tags = {
            "mlflow.source.git.commit": repository.head.commit.hexsha,
            "git.dirty": str(repository.is_dirty(untracked_files=True)).lower(),
        }
        if not repository.head.is_detached:
            tags["mlflow.source.git.branch"] = repository.active_branch.name
    except (git.GitError, OSError, ValueError):  # no repository, or one without a commit
        return {}
    return tags


def clean(name: str) -> str:
    """A name with only what MLflow allows in keys: letters, digits, and - . / _ and blanks."""
    return re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII)[:MAX_NAME]


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters; the last one shows that some are missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
