"""The page to try a detector on: one file of its own, which loads nothing from elsewhere."""

import json
from collections.abc import Sequence
from importlib.resources import files

from ssd.serving.settings import Settings

_POLICY = (
    "default-src 'none'",
    "script-src 'unsafe-inline'",
    "style-src 'unsafe-inline'",
    "connect-src 'self'",
    "img-src 'self' blob: data:",
    "media-src blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
HEADERS = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_PLACE = '"SETTINGS"'


def page(settings: Settings, class_names: Sequence[str], score_threshold: float, least_score: float) -> str:
    """The page with what it needs to know of the server."""
    told = {
        "model": settings.model,
        "classes": list(class_names),
        "threshold": score_threshold,
        "least": least_score,
        "megabytes": settings.max_megabytes,
    }
    text = (files("ssd.serving") / "page.html").read_text(encoding="utf-8")
    return text.replace(_PLACE, json.dumps(told).replace("<", "\\u003c"), 1)  # or a class could end the script
