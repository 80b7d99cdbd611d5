"""One colour per class, the same in every picture."""

import colorsys

# Told apart with any kind of colour vision: Okabe and Ito, "Color Universal Design" (2008), without black and yellow,
# which disappear in dark pictures and on white paper; then wine, olive and indigo of Paul Tol's "muted" scheme; brown.
_SAFE = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (136, 34, 85),
    (153, 153, 51),
    (51, 34, 136),
    (121, 68, 33),
)
_GOLDEN = 0.618034  # of the colour circle: the step that keeps any number of hues apart


def class_colours(count: int) -> list[tuple[int, int, int]]:
    """`count` RGB colours in 0..255. The first ten are colour-blind safe; later ones alternate in lightness too."""
    colours = list(_SAFE[:count])
    for index in range(len(colours), count):
        lightness = (0.42, 0.57, 0.72)[index % 3]
        red, green, blue = colorsys.hls_to_rgb((index * _GOLDEN) % 1.0, lightness, 0.65)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return colours


def readable_on(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever has the higher contrast on `colour` (luma of ITU-R BT.601)."""
    luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    return (0, 0, 0) if luma > 140 else (255, 255, 255)
