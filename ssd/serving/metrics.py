"""What a server tells Prometheus of itself."""

from collections.abc import Callable
from time import perf_counter

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_IMAGES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counts of one server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter("ssd_requests", "Requests answered.", ["endpoint", "status"], registry=self._registry)
        self._seconds = Histogram(
            "ssd_request_seconds",
            "Seconds from a request's headers to its answer.",
            ["endpoint"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._images = Histogram(
            "ssd_batch_images", "Images that passed the network together.", buckets=_IMAGES, registry=self._registry
        )
        self._network = Histogram(
            "ssd_batch_seconds", "Seconds of a batch in the network.", buckets=_SECONDS, registry=self._registry
        )
        self._queue = Gauge("ssd_queue_images", "Images at work or waiting.", registry=self._registry)

    def watch_queue(self, length: Callable[[], int]) -> None:
        """What is asked for the queue's length whenever the metrics are read."""
        self._queue.set_function(length)

    def add_batch(self, images: int, seconds: float) -> None:
        """Counts a batch."""
        self._images.observe(images)
        self._network.observe(seconds)

    def add_request(self, endpoint: str, status: int, seconds: float) -> None:
        """Counts a request."""
        self._requests.labels(endpoint, str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def response(self) -> Response:
        """All of it, in Prometheus' text format."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


class Counted:
    """ASGI middleware that counts requests; addresses that are none of the server's count as one endpoint, `other`."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = perf_counter(), 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            endpoint = getattr(scope.get("route"), "path", "other")  # which routing puts there
            self._metrics.add_request(endpoint, status, perf_counter() - start)
