"""TensorFlow Serving's REST protocol: https://www.tensorflow.org/tfx/serving/api_rest."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request

from ssd.prediction.image_detections import ImageDetections
from ssd.serving.json_body import check_rgb, model_of, of_base64, parsed, pixels
from ssd.serving.request import Asked, Refused, Upload, check_count, query_threshold, shown_name


class PredictRequest(BaseModel):
    """The request in its row format: an instance is a file as `{"b64": …}`, or an image [H, W, 3]."""

    instances: list[Any]
    signature_name: str = "serving_default"


async def read(request: Request, max_images: int) -> Asked:
    """The images of a request.

    Raises:
        Refused: it is not of this protocol, or no images are in it.
    """
    images = await parsed(partial(_read, max_images), await request.body())
    return Asked(images, query_threshold(request), answer)


def _read(max_images: int, body: bytes) -> list[Upload]:
    wanted = model_of(PredictRequest, body)
    if wanted.signature_name != "serving_default":
        raise Refused(400, f"there is no signature {shown_name(wanted.signature_name, 1)!r}; leave it out")
    check_count(len(wanted.instances), max_images)
    return [_image(instance, number) for number, instance in enumerate(wanted.instances, start=1)]


def _image(instance: Any, number: int) -> Upload:
    name = f"image {number}"
    if isinstance(instance, dict):
        if len(instance) == 1 and "b64" not in instance:  # {"images": …}: by the name of the one input
            (instance,) = instance.values()
        if isinstance(instance, dict) and set(instance) == {"b64"}:
            return Upload(str(number), of_base64(instance["b64"], name))
    if not isinstance(instance, list):
        raise Refused(400, f'{name} is neither {{"b64": …}}, a file in base64, nor pixels [H, W, 3]')
    array = pixels(instance, None, name)
    check_rgb(array, (3,), name)
    return Upload(str(number), array)


def answer(found: Sequence[ImageDetections]) -> dict[str, Any]:
    """A prediction per instance; `boxes` as exported files have them: ymin, xmin, ymax, xmax as fractions."""
    return {
        "predictions": [
            {
                "boxes": one.boxes.tolist(),
                "boxes_pixels": one.xyxy.tolist(),
                "labels": one.labels.tolist(),
                "names": one.names,
                "scores": one.scores.tolist(),
                "count": len(one),
            }
            for one in found
        ]
    }


def status() -> dict[str, Any]:
    """`GET /v1/models/NAME`."""
    return {
        "model_version_status": [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
