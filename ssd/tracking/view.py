"""The views of an experiment in MLflow's page: which runs and columns its table has, and how its charts are arranged.

Saved views are tags of the experiment. These are in the form in which the page of MLflow 3.17 writes them itself
("Views", "Save as new view"); one is chosen there, or opened by an address with `query`. Other pages ignore the tags.
"""

import base64
import json
import re
import time
import zlib
from collections.abc import Mapping
from typing import Any

TRAININGS = "trainings"  # the key of the view of all trainings
_TAG = "mlflow.sharedViewState."

_METRICS = ("best/mAP", "best/mAP50", "train/minutes", "model/gflops", "model/parameters")
_PARAMS = ("dataset", "backbone", "detector", "augmentation", "optimizer", "optimizer.learning_rate", "seed")
_COLUMNS = (
    *(f"metrics.`{name}`" for name in _METRICS),
    *(f"params.`{name}`" for name in _PARAMS),
    *("tags.`sweep`", "attributes.`Dataset`", "tags.`device`", "tags.`pruned`", "tags.`error`"),
    "attributes.`Description`",
)
_WIDTHS = {
    "attributes.`Run Name`": 290,
    "runDateAndNestInfo": 130,
    "metrics.`best/mAP`": 90,
    "metrics.`best/mAP50`": 105,
    "metrics.`train/minutes`": 110,
    "metrics.`model/gflops`": 110,
    "metrics.`model/parameters`": 135,
    "params.`dataset`": 130,
    "params.`detector`": 85,
    "params.`optimizer.learning_rate`": 160,
    "params.`seed`": 60,
    "attributes.`Dataset`": 280,
    "attributes.`Description`": 400,
}

# Section → its charts. The page adds charts of other metrics by itself.
_BARS = {"best": ("mAP", "mAP50"), "model": ("gflops", "parameters")}
_CURVES = {
    "lr": ("learning_rate",),
    "train": ("loss", "loss_box", "loss_cls", "unmatched", "images_per_second", "waiting", "minutes"),
    "val": ("mAP", "mAP50", "mAP50_07", "loss", "loss_box", "loss_cls", "precision", "recall"),
}
_PICTURES = ("closeup", "predictions", "pr_curves", "confusion_matrix")
_OPEN = ("best", "pictures", "val", "train", "lr", "model")  # in this order
_CLOSED = ("val/coco", "Model metrics", "workload", "System metrics")
# The legend under a chart has two lines: only a wide one has room for every run's name.
_SIZES = {"best": {"columns": 1, "cardHeight": 330}, "model": {"columns": 1, "cardHeight": 330}}
_SIZES |= {"pictures": {"columns": 1, "cardHeight": 900}, "val": {"columns": 2}, "train": {"columns": 2}}


def query(view: str) -> str:
    """The part of an address that opens a view; without workflowType the page opens what it has for language models."""
    return f"workflowType=machine_learning&viewStateShareKey={view}"


def key_of(dataset: str) -> str:
    """The key of the view of the trainings on one data set.

    >>> key_of("bccd 3f2a91")
    'bccd-3f2a91'
    """
    return re.sub(r"[^\w-]+", "-", dataset)


def tags(dataset: str | None) -> dict[str, str]:
    """The experiment's tags with the view of all trainings and, if one is named, of those on a data set."""
    found = {_TAG + TRAININGS: _packed("Trainings", "tags.task = 'train'")}
    if dataset is not None:
        chosen = f"tags.task = 'train' and tags.dataset = '{dataset}'"
        found[_TAG + key_of(dataset)] = _packed(f"Trainings on {dataset}", chosen)
    return found


def outdated(wanted: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Those of the wanted views that an experiment's tags lack, or have as an earlier version of this wrote them.

    What was changed in the page stays: it has a date of change.
    """

    def stays(name: str) -> bool:
        try:
            old, new = json.loads(known[name]), json.loads(wanted[name])
            return old["createdAt"] != old["updatedAt"] or old["state"] == new["state"]
        except (ValueError, TypeError, KeyError):
            return name in known  # in a form of its own

    return {name: text for name, text in wanted.items() if not stays(name)}


def _packed(name: str, search: str) -> str:
    """A view with the runs that `search` finds, best first."""
    state = {
        "searchFilter": search,
        "orderByKey": "metrics.`best/mAP`",
        "orderByAsc": False,
        "selectedColumns": _COLUMNS,
        "columnOrder": ["attributes.`Run Name`", "runDateAndNestInfo", *_COLUMNS, "duration"],
        "columnWidths": _WIDTHS,
        "compareRunCharts": _charts(),
        "compareRunSections": _sections(),
        "isAccordionReordered": True,  # else the page sorts the sections by name
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    now = int(time.time() * 1000)
    return json.dumps({"name": name, "createdAt": now, "updatedAt": now, "state": f"deflate;{packed}"})


def _charts() -> list[dict[str, Any]]:
    """In the order of their sections' names: where it adds a chart, the page looks for its place by name."""
    line = {
        "lineSmoothness": 0,
        "scaleType": "linear",
        "xAxisScaleType": "linear",
        "range": {},
        "xAxisKey": "step",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "selectedXAxisMetricKey": "",
        "ignoreOutliers": False,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }
    charts = []
    for section in sorted(_OPEN):
        for name in (*_BARS.get(section, ()), *_CURVES.get(section, ())):
            kind = {"type": "BAR"} if section in _BARS else {"type": "LINE", **line}
            charts.append({**_card(section, name), **kind, "metricKey": f"{section}/{name}", "displayName": name})
    # the page would add it
    charts.insert(0, {**_card("best", "mAP50_07"), "type": "BAR", "metricKey": "best/mAP50_07", "deleted": True})
    for name in ("all", *_PICTURES):  # one card, with a column for each run; those that the page would add are deleted
        keys = [f"pictures/{key}" for key in (_PICTURES if name == "all" else (name,))]
        card = {"type": "IMAGE", "imageKeys": keys, "step": 0, "showRunParams": False, "deleted": name != "all"}
        charts.append({**_card("pictures", name), **card})
    return charts


def _card(section: str, name: str) -> dict[str, Any]:
    return {
        "uuid": f"{section}/{name}",
        "metricSectionId": section,
        "runsCountToCompare": 10,
        "deleted": False,
        "isGenerated": True,
    }


def _sections() -> list[dict[str, Any]]:
    return [
        {"uuid": name, "name": name, "display": name in _OPEN, "isReordered": False, **_SIZES.get(name, {})}
        for name in (*_OPEN, *_CLOSED)
    ]
