"""Looking at all images of a data set before a training begins."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ssd.console import counting
from ssd.cores import available_cores
from ssd.data.damage import warn_of_damage
from ssd.data.sample import Dataset
from ssd.errors import UserError
from ssd.native_output import native_output_size, overheard


def look_at_images(datasets: Sequence[Dataset]) -> None:
    """Decodes every image once: a damaged one would end the training hours later. It takes a part of an epoch's time.

    Images that decode although their data is damaged are counted and named in one warning.

    Raises:
        UserError: naming the first image that cannot be used with its folder, and how many there are.
    """
    wrong: list[str] = []
    suspects: list[tuple[Dataset, int]] = []
    with (
        counting("looking at the images", sum(map(len, datasets))) as advance,
        overheard(),
        ThreadPoolExecutor(available_cores()) as pool,
    ):
        for dataset in datasets:
            for index, (problem, suspect) in enumerate(pool.map(partial(_look, dataset), range(len(dataset)))):
                wrong += [problem] if problem else []
                suspects += [(dataset, index)] if suspect else []
                advance()
    warn_of_damage(suspects)
    if wrong:
        others = len(wrong) - 1
        more = f" ({others} more image{'s are' if others > 1 else ' is'} damaged, too)" if others else ""
        raise UserError(f"{wrong[0]}{more}")


def _look(dataset: Dataset, index: int) -> tuple[str | None, bool]:
    """What is wrong with an image; and whether a decoder wrote something meanwhile, of this image or of another."""
    before = native_output_size()
    try:
        dataset[index]
    except UserError as error:
        return str(error), False
    return None, native_output_size() != before
