"""What all charts share: axes without clutter, colours, and a PNG at the end.

Drawn with matplotlib's objects: pyplot's global state would leak figures in a long training and is not thread safe.
"""

import warnings
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from ssd.figures.colours import class_colours
from ssd.runs.files import whole

FEW = 10  # curves that can be told apart by colour, and named in a legend
GREY = "0.45"
_DPI = 130

# A letter that the font lacks is drawn as a box; to say so for every one would bury what matters.
warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)


def hex_colours(count: int) -> list[str]:
    """`class_colours` as matplotlib takes them."""
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in class_colours(count)]


def dress(axes: Axes, x: str, y: str, title: str) -> Axes:
    """Labels, a title on the left, a light grid, no frame."""
    axes.set(xlabel=x, ylabel=y)
    axes.set_title(title, fontsize=11, loc="left")
    axes.grid(color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, color="0.7")
    return axes


def nothing(axes: Axes, text: str) -> None:
    """Says in the middle of an empty chart why it is empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY)


def colour_bar(figure: Figure, mappable: ScalarMappable, place: Axes, label: str) -> None:
    """A frameless colour bar in `place`."""
    bar = figure.colorbar(mappable, cax=place, label=label)
    bar.ax.tick_params(labelsize=9, color="0.7")
    place.spines[:].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    """Writes the PNG."""
    with whole(path) as part:
        FigureCanvasAgg(figure).print_figure(part, dpi=_DPI, format="png", facecolor="white")
