"""Where the project lies, and what libraries must find in the environment before they are imported.

`ssd/__init__.py` imports this, so it comes before anything that a module of this project imports. What the user has set
in the environment stays as it is.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]  # conf/, sweeps/ and run.py are here

_SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "2",  # TensorFlow: warnings of its C++ part are none of the user's
    "NO_ALBUMENTATIONS_UPDATE": "1",  # or it asks the network for its newest version
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # With MLflow's own values a dead server holds a run for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
}
# OpenVINO and NNCF report to their maker when they are imported, unless they do not find this; no setting asks them.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
for _name, _value in _SETTINGS.items():
    os.environ.setdefault(_name, _value)
os.environ["SSD_ROOT"] = str(ROOT)  # hydra.searchpath in conf/config.yaml
