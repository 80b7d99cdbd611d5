"""The splits without images that would end a training hours later."""

from collections.abc import Sequence
from pathlib import Path

from ssd.data.damage import say_damaged
from ssd.data.look import look_at_images
from ssd.data.problems import Problem, Problems
from ssd.data.rows import take
from ssd.data.sample import Splits
from ssd.errors import UserError


def with_sound_images(splits: Splits, on_error: str | None, memory: Path | None = None) -> Splits:
    """Looks at all images before a training begins; it takes a part of an epoch's time.

    Images that decode although their data is damaged are counted and named in one warning.

    Args:
        splits: of the data set.
        on_error: "skip" leaves out what cannot be used; None: the data set has no such setting to offer.
        memory: see `look_at_images`.

    Raises:
        UserError: naming the first image that cannot be used with its folder, and how many there are; skipping, that
            nothing is left of a split.
    """
    parts = list(dict.fromkeys((splits.train, splits.val)))
    looks = dict(zip(parts, look_at_images(parts, memory), strict=True))
    say_damaged([part.where(i) for part, found in looks.items() for i, look in enumerate(found) if look.damaged])
    wrong = [(part.where(i), look.error) for part, found in looks.items() for i, look in enumerate(found) if look.error]
    if not wrong:
        return splits
    if not Problems(on_error or "").skips:
        raise UserError(_sentence([error for _, error in wrong], offers=on_error is not None))
    sound = {part: take(part, [i for i, look in enumerate(found) if not look.error]) for part, found in looks.items()}
    if gone := [part.name for part, rest in sound.items() if not len(rest)]:
        raise UserError(f"No image of {gone[0]} can be used; the first: {wrong[0][1]}")
    problems = [*splits.problems, *(Problem("image-unreadable", error, file) for file, error in wrong)]
    return Splits(sound[splits.train], sound[splits.val], problems)


def _sentence(errors: Sequence[str], offers: bool) -> str:
    others = len(errors) - 1
    more = f" ({others} more image{'s are' if others > 1 else ' is'} damaged, too)" if others else ""
    whole = f"{errors[0]}{more}"
    return f"{whole.rstrip('.')}; dataset.on_error=skip leaves such images out" if offers else whole
