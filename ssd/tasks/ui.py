"""MLflow's page, opened on the trainings."""

import threading
import webbrowser
from os import environ
from pathlib import Path

from omegaconf import DictConfig

from ssd.tracking.server import listen, serve
from ssd.tracking.store import find_experiment
from ssd.tracking.values import is_server, place
from ssd.tracking.view import TRAININGS


def run(cfg: DictConfig, folder: Path) -> float:
    """Shows the trainings of `tracking.experiment`: a local store until it is interrupted, or a server's page.

    Raises:
        UserError: the store cannot be read, or has no such experiment; or no port is free.
    """
    uri = cfg.tracking.uri
    start = place(find_experiment(uri, cfg.tracking.experiment), TRAININGS)
    if is_server(uri):
        print(f"Runs: {uri.rstrip('/')}/{start}")
        _open(f"{uri.rstrip('/')}/{start}")
        return 0.0
    with listen(cfg.task.port) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        print(f"Runs: {address} (until Ctrl-C)", flush=True)
        _open(address)  # which waits for the server: its socket listens already
        serve(uri, start, listening)
    return 0.0


def _open(address: str) -> None:
    """Opens the browser, where there is one with windows; one in the terminal would take it away."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if type(browser) is not webbrowser.GenericBrowser or "BROWSER" in environ:
        threading.Thread(target=browser.open, args=(address,), daemon=True).start()
