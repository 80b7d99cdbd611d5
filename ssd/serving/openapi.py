"""What /openapi.json says of the bodies that are sent; they are read by this package, not by FastAPI."""

from typing import Any

from pydantic import BaseModel

_FILE = {"type": "string", "format": "binary"}
_THRESHOLD = {"name": "score_threshold", "in": "query", "schema": {"type": "number", "minimum": 0, "maximum": 1}}


def _described(content: dict[str, Any]) -> dict[str, Any]:
    return {"parameters": [_THRESHOLD], "requestBody": {"required": True, "content": content}}


IMAGES = _described(
    {
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": {"type": "array", "items": _FILE}}}
        },
        "image/*": {"schema": _FILE},
    }
)


def json_of(kind: type[BaseModel]) -> dict[str, Any]:
    """A body in JSON of that kind."""
    return _described({"application/json": {"schema": kind.model_json_schema()}})
