"""The view of an experiment in MLflow's page: which columns its table of runs has, and how its charts are arranged.

Saved views are tags of the experiment. This one is in the form in which the page of MLflow 3.17 writes them itself
("Views", "Save as new view"); it is chosen there, or opened by an address with `QUERY`. Other pages ignore the tag.
"""

import base64
import json
import time
import zlib
from typing import Any

TAG = "mlflow.sharedViewState.trainings"
# In an address; without workflowType the page opens what it has for language models.
QUERY = "workflowType=machine_learning&viewStateShareKey=trainings"

_METRICS = ("best/mAP50", "best/mAP", "train/minutes", "model/latency_ms", "model/gflops", "model/parameters")
_PARAMS = ("backbone", "detector", "dataset", "augmentation", "optimizer", "optimizer.learning_rate", "seed")
_COLUMNS = (
    *(f"metrics.`{name}`" for name in _METRICS),
    *(f"params.`{name}`" for name in _PARAMS),
    *("attributes.`Dataset`", "tags.`device`", "tags.`pruned`", "tags.`error`", "attributes.`Description`"),
)
_WIDTHS = {
    "attributes.`Run Name`": 230,
    "runDateAndNestInfo": 130,
    "metrics.`model/latency_ms`": 130,
    "metrics.`model/parameters`": 135,
    "params.`detector`": 85,
    "params.`optimizer.learning_rate`": 160,
    "params.`seed`": 60,
    "attributes.`Dataset`": 280,
    "attributes.`Description`": 400,
}

# Section → its charts. The page adds charts of other metrics by itself.
_BARS = {"best": ("mAP50", "mAP", "mAP50_07"), "model": ("latency_ms", "gflops", "parameters")}
_CURVES = {
    "lr": ("learning_rate",),
    "train": ("loss", "loss_box", "loss_cls", "images_per_second", "minutes"),
    "val": ("mAP50", "mAP", "mAP50_07", "loss", "loss_box", "loss_cls", "precision", "recall"),
}
_PICTURES = ("predictions", "pr_curves", "confusion_matrix")
_OPEN = ("best", "val", "pictures", "train", "lr", "model")  # in this order
_CLOSED = ("val/coco", "Model metrics", "System metrics")


def tag() -> dict[str, str]:
    """The experiment's tag with the view: the trainings, best first."""
    state = {
        "searchFilter": "tags.task = 'train'",
        "orderByKey": "metrics.`best/mAP50`",
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
    return {TAG: json.dumps({"name": "Trainings", "createdAt": now, "updatedAt": now, "state": f"deflate;{packed}"})}


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
    sizes = {"pictures": {"columns": 1, "cardHeight": 760}}
    return [
        {"uuid": name, "name": name, "display": name in _OPEN, "isReordered": False, **sizes.get(name, {})}
        for name in (*_OPEN, *_CLOSED)
    ]
