"""What is wrong in a user's files: raised as soon as it is met, or noted while the rest is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ssd.errors import UserError

RAISE, SKIP = "raise", "skip"  # dataset.on_error


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: a key of `ssd.inspection.kinds.KINDS`.
        text: the sentence on it.
        file: it is in.
        object: counts from 1, or is the annotation's id; None where the whole file is meant.
        left_out: whether the file or object is therefore not in the data set.
    """

    kind: str
    text: str
    file: str
    object: int | str | None = None
    left_out: bool = True


class Problems:
    """What a reader tells of its faults.

    Args:
        on_error: "raise" what cannot be used, or "skip" it: the object, or the image where it is of no use as a whole.
    """

    def __init__(self, on_error: str = RAISE) -> None:
        self.on_error = on_error
        self.noted: list[Problem] = []

    @property
    def skips(self) -> bool:
        """Whether the reader goes on without what cannot be used."""
        return self.on_error == SKIP

    def leave_out(self, kind: str, error: UserError, file: str | Path, item: int | str | None = None) -> None:
        """Raises the error, or notes that the object (or the file) is left out for it."""
        if not self.skips:
            raise error
        self.noted.append(Problem(kind, str(error), str(file), item))

    @contextmanager
    def trying(self, kind: str, file: str | Path, item: int | str | None = None) -> Iterator[None]:
        """Leaves out the object (or the file) where a UserError is raised inside."""
        try:
            yield
        except UserError as error:
            self.leave_out(kind, error, file, item)

    def mention(
        self, kind: str, text: str, file: str | Path, item: int | str | None = None, left_out: bool = False
    ) -> None:
        """Notes what is odd and no reason to stop; nothing unless the reader skips: others say it in the log alone."""
        if self.skips:
            self.noted.append(Problem(kind, text, str(file), item, left_out))
