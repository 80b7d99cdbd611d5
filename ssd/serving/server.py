"""The server's process: its socket, and its end by a signal."""

import asyncio
import errno
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from types import FrameType

import numpy as np
import uvicorn

from ssd.errors import UserError
from ssd.prediction.detector import Detector
from ssd.serving.app import make_app
from ssd.serving.settings import Settings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LAST_REQUESTS = 0.3  # seconds
_LONGER = 5  # seconds than a request may take, until a stop waits no longer


def listen(host: str, port: int, prefix: str = "") -> socket.socket:
    """A socket at that address of this machine.

    Args:
        host: a name, or an address of IPv4 or IPv6.
        port: 0: any that is free.
        prefix: of both as settings, in an error: `task.` or `--`.

    Raises:
        UserError: there is no such address here, or its port is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family, backlog=2048)  # type: ignore[arg-type]
        # Its connections inherit it; asyncio sets it only where it has made the socket. An answer is sent in two parts,
        # and the second would wait 40 ms for the client to acknowledge the first.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            what = "is taken" if error.errno == errno.EADDRINUSE else "is for the system's administrator only"
            raise UserError(f"{prefix}port={port} of {host} {what}; choose another") from error
        raise UserError(
            f"{prefix}host={host} is no address of this machine; give 127.0.0.1, or 0.0.0.0 for every network"
        ) from error


def address_of(listening: socket.socket) -> str:
    """Its address for a browser."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"


def serve(
    detector: Detector, settings: Settings, score_threshold: float, listening: socket.socket, name: object
) -> None:
    """Serves until SIGINT or SIGTERM: what has begun by then is finished, what comes later is refused.

    A second signal ends it at once.

    Args:
        detector: made with the settings' batch size, looking at each image as a whole.
        settings: of the server.
        score_threshold: the least score where a request names none.
        listening: from `listen`.
        name: of the detector, in the line that is printed when all is ready.

    Raises:
        UserError: the score is one that the detector does not go down to.
    """
    if score_threshold < (least := detector.network.score_threshold):
        raise UserError(f"score_threshold={score_threshold:g} is below the detector's own, {least:g}; raise it")
    warm_up(detector, settings.batch_size)
    print(f"Serving {name} at {address_of(listening)} (until Ctrl-C)", flush=True)
    config = uvicorn.Config(
        make_app(detector, settings, score_threshold),
        http="h11",
        ws="none",
        loop="asyncio",
        log_config=None,  # the program's own
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=ceil(settings.timeout) + _LONGER,
    )
    _Server(config).run(sockets=[listening])


def warm_up(detector: Detector, batch_size: int) -> None:
    """A batch and images alone: what is compiled for them is now, and not in a request.

    OpenVINO's network is compiled for those that come alone when the second one does.
    """
    side = detector.network.image_size
    for count in (batch_size, 1, 1):
        detector(np.zeros((count, side, side, 3), np.uint8))


class _Server(uvicorn.Server):
    """A signal is the usual end of a server: it is not raised again when all is done, and the exit status is 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes the signals for as long as the server runs."""
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes no new connection, and gives those that it has just taken the time to send their request."""
        for listening in self.servers:
            listening.close()
        await asyncio.sleep(_LAST_REQUESTS)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first asks to stop, the second does not wait."""
        self.force_exit = self.should_exit
        self.should_exit = True
