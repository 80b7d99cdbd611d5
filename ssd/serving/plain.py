"""`POST /predict`: one or several files in a form, or one as the body; boxes in pixels and as fractions."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ssd.prediction.image_detections import ImageDetections
from ssd.serving.request import Asked, Refused, Upload, query_threshold, shown_name


async def read(request: Request, max_images: int) -> Asked:
    """The files of a form (multipart/form-data), or the body as one.

    Raises:
        Refused: it is no such form, or has too many files.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        images = await _files(request, max_images)
    else:
        body = await request.body()
        images = [Upload("1", body)] if body else []
    return Asked(images, query_threshold(request), partial(answer, images))


class _InMemory(MultiPartParser):
    """Whose files, which the limit of the request's bytes holds, are not written to a disk that may be read-only."""

    spool_max_size = 2**40


async def _files(request: Request, max_images: int) -> list[Upload]:
    parser = _InMemory(request.headers, request.stream(), max_files=max_images, max_fields=max_images)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Refused(400, f"the form cannot be read: {error.message}") from error
    images: list[Upload] = []
    for field, part in form.multi_items():
        if not isinstance(part, UploadFile):
            raise Refused(400, f"the form's field {shown_name(field, 1)!r} is no file; send only images, as files")
        images.append(Upload(shown_name(part.filename, len(images) + 1), await part.read()))
    return images


def answer(images: Sequence[Upload], found: Sequence[ImageDetections]) -> dict[str, Any]:
    """`{"images": [{"file", "height", "width", "objects": [{"class", "label", "score", "box", "fractions"}]}]}`.

    `box` has xmin, ymin, xmax, ymax in pixels of the upright image, `fractions` the same as fractions of its sides.
    """
    return {"images": [_of_image(image.name, one) for image, one in zip(images, found, strict=True)]}


def _of_image(name: str, found: ImageDetections) -> dict[str, Any]:
    height, width = found.image_size
    objects = [
        {"class": one.class_name, "label": one.label, "score": one.score, "box": one.box, "fractions": fractions}
        for one, fractions in zip(found, found.boxes[:, [1, 0, 3, 2]].tolist(), strict=True)
    ]
    return {"file": name, "height": height, "width": width, "objects": objects}
