"""The images that are measured with, as files: real ones, the same for all."""

from pathlib import Path

import numpy as np

from ssd.data.sample import Dataset


def written_images(dataset: Dataset, count: int, folder: Path) -> list[Path]:
    """Writes so many images (at most all) as they are encoded, spread over a data set, and gives their files."""
    rows = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int))
    files = []
    for row in rows.tolist():
        files.append(folder / f"image_{row}")
        files[-1].write_bytes(dataset.read(row))
    return files
