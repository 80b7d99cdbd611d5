"""What the tests of pictures share: chance that repeats itself, and the texts that are drawn."""

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import ImageDraw


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects what is written by matplotlib's `Axes.text` and by Pillow."""
    written: list[str] = []
    draw, write = ImageDraw.ImageDraw.text, Axes.text

    def on_picture(self: Any, at: Any, text: str, *rest: Any, **options: Any) -> None:
        written.append(text)
        draw(self, at, text, *rest, **options)

    def on_chart(self: Any, x: float, y: float, text: str, **options: Any) -> Any:
        written.append(text)
        return write(self, x, y, text, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", on_picture)
    monkeypatch.setattr(Axes, "text", on_chart)
    return written
