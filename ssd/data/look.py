"""Looking at all images of a data set before a training begins."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ssd.console import waiting
from ssd.cores import available_cores
from ssd.data.sample import Dataset
from ssd.errors import UserError


def look_at_images(datasets: Sequence[Dataset]) -> None:
    """Decodes every image once: a damaged one would end the training hours later. It takes a part of an epoch's time.

    Raises:
        UserError: naming the first damaged image with its folder, and how many there are.
    """
    with waiting(f"looking at {sum(map(len, datasets)):,} images"), ThreadPoolExecutor(available_cores()) as pool:
        found = [wrong for dataset in datasets for wrong in pool.map(_problem_of(dataset), range(len(dataset)))]
    if wrong := [sentence for sentence in found if sentence]:
        more = f" ({len(wrong) - 1} more images are damaged, too)" if len(wrong) > 1 else ""
        raise UserError(f"{wrong[0]}{more}")


def _problem_of(dataset: Dataset):  # noqa: ANN202
    def problem(index: int) -> str | None:
        try:
            dataset[index]
        except UserError as error:
            return str(error)
        return None

    return problem
