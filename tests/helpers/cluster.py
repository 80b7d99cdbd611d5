"""Addresses of processes that train together on this machine."""

import json
import socket
from contextlib import ExitStack


def tf_configs(count: int) -> list[str]:
    """TF_CONFIG of each process."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        workers = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    tasks = ({"type": "worker", "index": index} for index in range(count))
    return [json.dumps({"cluster": {"worker": workers}, "task": task}) for task in tasks]
