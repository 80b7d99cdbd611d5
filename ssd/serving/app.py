"""The web application: addresses, limits and answers. Each protocol has a module of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from ssd import __version__
from ssd.cores import available_cores
from ssd.errors import UserError
from ssd.prediction.detector import Detector
from ssd.prediction.image_detections import ImageDetections
from ssd.serving import kserve, plain, tf_serving
from ssd.serving.batcher import Batcher
from ssd.serving.metrics import Counted, Metrics
from ssd.serving.openapi import IMAGES, json_of
from ssd.serving.page import HEADERS, page
from ssd.serving.request import Asked, Refused, Upload, check_count, limited
from ssd.serving.settings import Settings

Read = Callable[[Request], Awaitable[Asked]]

_CLOSED = 499  # nginx's number for a client that has gone: nobody reads the answer


class Service:
    """From a request of any protocol to its answer, within the settings' limits.

    Args:
        detector: made with the settings' batch size, looking at each image as a whole.
        settings: of the server.
        score_threshold: the least score where a request names none.
        metrics: told of batches, and asking for the queue's length.
    """

    def __init__(self, detector: Detector, settings: Settings, score_threshold: float, metrics: Metrics) -> None:
        self._settings = settings
        self._score_threshold = score_threshold
        self.least_score = detector.network.score_threshold
        self._reading = 0  # requests whose images are not known yet
        self.batcher = Batcher(
            detector,
            batch_size=settings.batch_size,
            max_wait=settings.max_wait_ms / 1000,
            max_pixels=settings.max_pixels,
            decoders=available_cores(),
            told=metrics.add_batch,
        )
        metrics.watch_queue(lambda: len(self.batcher))

    async def answer(self, read: Read, request: Request) -> Response:
        """Reads a request, detects and answers.

        Raises:
            Refused: it is too large or slow, makes no sense, or there is no place for it.
            UserError: an image cannot be read.
        """
        is_read = False
        try:
            async with asyncio.timeout(self._settings.timeout):
                asked = await self._read(read, request)
                is_read = True
                found = await self._detect(asked.images, asked.score_threshold)
        except TimeoutError:
            what = "was not answered" if is_read else "had not arrived"
            raise Refused(504 if is_read else 408, f"the request {what} in {self._settings.timeout:g} s") from None
        except ClientDisconnect:
            return Response(status_code=_CLOSED)
        return await asyncio.to_thread(lambda: JSONResponse(asked.answer(found)))  # thousands of numbers in text

    async def _read(self, read: Read, request: Request) -> Asked:
        """A request takes a place as soon as it comes, so that bodies that are on their way are counted, too."""
        self._check_room(1)
        self._reading += 1
        try:
            asked = await read(limited(request, round(self._settings.max_megabytes * 1e6)))
        finally:
            self._reading -= 1
        if not asked.images:
            raise Refused(400, "there is no image in the request")
        check_count(len(asked.images), self._settings.max_images)
        return asked

    async def _detect(self, images: Sequence[Upload], threshold: float | None) -> list[ImageDetections]:
        if threshold is None:
            threshold = self._score_threshold
        if not self.least_score <= threshold <= 1:  # no number (nan) is neither
            raise Refused(400, f"score_threshold={threshold:g} must be between {self.least_score:g} and 1")
        self._check_room(len(images))
        futures = self.batcher.submit(images, threshold)
        try:
            return await asyncio.gather(*map(asyncio.wrap_future, futures))
        finally:
            for future in futures:  # where one has failed, or it took too long
                future.cancel()

    def _check_room(self, images: int) -> None:
        if self._reading + len(self.batcher) + images > self._settings.queue:
            raise Refused(503, f"{self._settings.queue} images are at work or wait; try again in a second")


def make_app(detector: Detector, settings: Settings, score_threshold: float) -> FastAPI:
    """The application.

    Args:
        detector: see `Service`.
        settings: of the server; host and port are the server's own matter.
        score_threshold: the least score where a request names none.
    """
    metrics = Metrics()
    service = Service(detector, settings, score_threshold, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.batcher.close)

    # its own pages of documentation load scripts from elsewhere; /openapi.json stays
    app = FastAPI(title="ssd-experiments", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(Counted, metrics=metrics)
    _add_errors(app)
    _add_predictions(app, service, settings)
    _add_states(app, service, settings.model)
    app.get("/metrics", include_in_schema=False)(metrics.response)
    shown = page(settings, detector.class_names, score_threshold, service.least_score)
    app.get("/", include_in_schema=False)(lambda: HTMLResponse(shown, headers=HEADERS))
    return app


def _add_predictions(app: FastAPI, service: Service, settings: Settings) -> None:
    def add(read: Read, summary: str, body: dict[str, Any], *paths: str) -> None:
        async def handler(request: Request) -> Response:
            return await service.answer(read, request)

        for path in paths:
            app.post(path, summary=summary, openapi_extra=body, response_class=JSONResponse)(handler)

    most, kserves, tf_servings = settings.max_images, f"/v2/models/{settings.model}", f"/v1/models/{settings.model}"
    add(partial(plain.read, max_images=most), "Detects in files", IMAGES, "/predict")
    add(
        partial(kserve.read, model=settings.model, max_images=most),
        "KServe's protocol v2",
        json_of(kserve.InferRequest),
        f"{kserves}/infer",
        f"{kserves}/versions/1/infer",
    )
    add(
        partial(tf_serving.read, max_images=most),
        "TensorFlow Serving's protocol",
        json_of(tf_serving.PredictRequest),
        f"{tf_servings}:predict",
        f"{tf_servings}/versions/1:predict",
    )


def _add_states(app: FastAPI, service: Service, model: str) -> None:
    """Health and what the protocols tell of the model: it is loaded before the server listens."""

    def alive() -> bool:
        return service.batcher.is_alive

    def add(what: Callable[[], dict[str, Any]], *paths: str) -> None:
        async def handler() -> Response:
            return JSONResponse(what(), 200 if alive() else 503)

        for path in paths:
            app.get(path, response_class=JSONResponse, summary=path)(handler)

    add(lambda: {"status": "ok" if alive() else "stopped"}, "/healthz")
    add(lambda: {"live": alive()}, "/v2/health/live")
    add(lambda: {"ready": alive()}, "/v2/health/ready")
    add(kserve.server_metadata, "/v2")
    for version in ("", "/versions/1"):
        add(partial(kserve.model_metadata, model), f"/v2/models/{model}{version}")
        add(lambda: {"name": model, "ready": alive()}, f"/v2/models/{model}{version}/ready")
        add(tf_serving.status, f"/v1/models/{model}{version}")


def _add_errors(app: FastAPI) -> None:
    """Whatever goes wrong is answered by `{"error": …}`, as both protocols have it."""

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        headers = {"Retry-After": "1"} if error.status == 503 else None
        return JSONResponse({"error": str(error)}, error.status, headers)

    @app.exception_handler(UserError)
    async def not_usable(_: Request, error: UserError) -> Response:
        return JSONResponse({"error": str(error)}, 400)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        what = f"{request.method} {request.url.path[:100]}"
        return JSONResponse({"error": f"{what}: {error.detail}; /openapi.json has what there is"}, error.status_code)

    @app.exception_handler(Exception)
    async def fault(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": "a fault of the server; its log tells more"}, 500)  # where it is logged
