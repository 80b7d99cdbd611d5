"""Imported before a sweep of `warm`: its jobs' processes come from where its own came from, with the same imports.

Launched by `spawn`, as they are without it (test_launchers.py, test_interrupts.py), each takes seconds to import them.
"""

import os
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection

from ssd.sweep.launch import processes

_context = get_context("forkserver")


def _start():  # type: ignore[no-untyped-def]  # as processes._start
    ours, theirs = _context.Pipe()
    process = _context.Process(target=_serve, args=(theirs, dict(os.environ)))
    process.start()
    theirs.close()
    return ours, process


def _serve(connection: Connection, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    processes._serve(connection)


processes._start = _start
forkserver._forkserver.ensure_running = lambda: None  # type: ignore[method-assign]  # it runs: this process is its child
