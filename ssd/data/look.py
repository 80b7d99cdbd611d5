"""Looking at all images of a data set before a training begins."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ssd.console import counting
from ssd.cores import available_cores
from ssd.data.sample import Dataset
from ssd.errors import UserError


def look_at_images(datasets: Sequence[Dataset]) -> None:
    """Decodes every image once: a damaged one would end the training hours later. It takes a part of an epoch's time.

    Raises:
        UserError: naming the first damaged image with its folder, and how many there are.
    """
    wrong: list[str] = []
    with (
        counting("looking at the images", sum(map(len, datasets))) as advance,
        ThreadPoolExecutor(available_cores()) as pool,
    ):
        for dataset in datasets:
            for problem in pool.map(partial(_problem, dataset), range(len(dataset))):
                wrong += [problem] if problem else []
                advance()
    if wrong:
        others = len(wrong) - 1
        more = f" ({others} more image{'s are' if others > 1 else ' is'} damaged, too)" if others else ""
        raise UserError(f"{wrong[0]}{more}")


def _problem(dataset: Dataset, index: int) -> str | None:
    try:
        dataset[index]
    except UserError as error:
        return str(error)
    return None
