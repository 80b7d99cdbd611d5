"""Real processes that run `run.py`, forked from one that has imported TensorFlow and the rest already.

Each has an environment, a folder, signals and an end of its own; only the seconds of the imports are shared.
"""

import atexit
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from helpers.tiny import PYTHONPATH

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["helpers.preloaded"])


def start(function: Callable[..., None], *arguments: str, **environment: str) -> BaseProcess:
    """A process that calls a function of a module, with these variables beside those of this process."""
    process = _context.Process(target=_call, args=(function, arguments, environment))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PYTHONPATH)
        process.start()
    return process


def _call(function: Callable[..., None], arguments: tuple[str, ...], environment: dict[str, str]) -> None:
    os.environ.update(environment)
    function(*arguments)


class Process:
    """`python run.py ARGUMENTS` in `folder`, started.

    Args:
        folder: that it is called from.
        arguments: of the command line.
        imported: a module that is imported first.
        environment: variables, beside those of this process.
    """

    def __init__(self, folder: Path, *arguments: str, imported: str = "ssd", **environment: str) -> None:
        self._said = folder / f"said_{time.monotonic_ns()}.txt"
        variables = {"PYTHONPATH": PYTHONPATH, **environment}
        self._process = _context.Process(
            target=_run, args=(str(folder), list(arguments), imported, variables, str(self._said))
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", PYTHONPATH)  # Python 3.11's server, started by the first, knows no other way
            self._process.start()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return not self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        os.kill(self.pid, number)

    def wait(self, seconds: float = 400) -> int:
        """Its exit status, negative for the signal that ended it."""
        self._process.join(seconds)
        assert self._process.exitcode is not None, f"still running after {seconds} s: {self.said}"
        return self._process.exitcode

    @property
    def said(self) -> str:
        """All it has printed so far."""
        return self._said.read_text(errors="replace") if self._said.exists() else ""


def _run(folder: str, arguments: list[str], imported: str, environment: dict[str, str], said: str) -> None:
    with open(said, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    os.environ.update(environment)
    sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)  # as a new interpreter does
    os.chdir(folder)
    sys.argv = ["run.py"]
    importlib.import_module(imported)
    from ssd.cli.main import main

    try:
        status = main(arguments)
    except SystemExit as left:
        status = int(left.code or 0)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(status)
