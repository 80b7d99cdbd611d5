"""MLflow's server for a local store, whose plain address shows the trainings of an experiment."""

import json
import os
import socket
import warnings
from importlib.resources import files
from pathlib import Path

from ssd.errors import UserError
from ssd.tracking.values import SQLITE, absolute_uri, database_file

_PORTS = 20  # that are tried, one after the other

# Runs before MLflow's own: leads from the plain address to the trainings, and chooses, for whoever has not chosen yet,
# what the page has for training models, with its assistant closed (keys of the page of MLflow 3.17).
_SCRIPT = """<script>
for (const [key, value] of [["mlflow.workflowType_v1", '"machine_learning"'],
                            ["mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true"]])
  if (localStorage.getItem(key) === null) localStorage.setItem(key, value);
if (location.hash.length < 3) location.replace(%s);
</script>"""


def listen(port: int) -> socket.socket:
    """A socket of this machine at the port or, where that is taken, the next free one.

    Raises:
        UserError: none of the next ones is free.
    """
    last = min(port + _PORTS - 1, 65535)
    for candidate in range(port, last + 1):
        try:
            return socket.create_server(("127.0.0.1", candidate))
        except OSError:  # taken, or not ours to take
            continue
    raise UserError(f"task.port={port} is not free, nor is any up to {last}; choose another")


def serve(uri: str, start: str, listening: socket.socket) -> None:
    """Runs MLflow's server until it is interrupted, in this process: one is enough here, and none can be left behind.

    Args:
        uri: of a store that is no server.
        start: what leads from the plain address to the page it is to show.
        listening: from `listen`.
    """
    artifacts = database_file(uri).parent if uri.startswith(SQLITE) else Path.cwd()
    os.environ |= {  # what `mlflow server` tells its processes
        "_MLFLOW_SERVER_FILE_STORE": absolute_uri(uri),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": (artifacts / "mlartifacts").as_uri(),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    import uvicorn

    with warnings.catch_warnings(action="ignore"):  # MLflow's use of starlette is none of the user's
        from mlflow.server.fastapi_app import app  # reads the environment
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    page = index(start)
    app.router.routes.insert(0, Route("/", lambda request: HTMLResponse(page)))
    # a page that is open keeps its connection; it is not waited for
    uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run(sockets=[listening])


def index(start: str) -> str:
    """MLflow's page, which shows what `start` (`#/...`) leads to where an address has no such part itself."""
    text = (files("mlflow.server") / "js" / "build" / "index.html").read_text(encoding="utf-8")
    return text.replace("<head>", f"<head>{_SCRIPT % json.dumps(start)}", 1)
