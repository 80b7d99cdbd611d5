"""The classes of a data set in label order: the user's, the format's, or those of the objects."""

from collections.abc import Sequence
from dataclasses import replace

from ssd.data.folder.records import Found
from ssd.data.problems import Problems
from ssd.data.readers.names import check_class_names
from ssd.errors import UserError, nearest


def renamed(found: Found, given: Sequence[str] | None) -> Found:
    """With the user's names where the format has only numbers.

    Raises:
        UserError: there are more numbers than names.
    """
    if given is None or not found.is_numbered or found.class_names is None:
        return found
    if len(given) < len(found.class_names):
        raise UserError(
            f"dataset.class_names={list(given)} names {len(given)} classes, and the labels have numbers up to "
            f"{len(found.class_names) - 1}: name them all."
        )
    for picture in found.pictures:
        picture.items = [replace(item, name=given[int(item.name)]) for item in picture.items]
    return replace(found, class_names=list(given), is_numbered=False)


def class_names_of(
    found: Found, rows: Sequence[int], given: Sequence[str] | None, path: str, problems: Problems
) -> tuple[str, ...]:
    """The classes.

    Args:
        found: what was read.
        rows: of the pictures that are used.
        given: the user's, which must have every class that is used.
        path: names the data in messages.
        problems: takes objects of other classes, which are left out of `found` where it skips.

    Raises:
        UserError: a name cannot be shown, is missing or there twice, or there is no class.
    """
    used = {item.name: found.pictures[row] for row in rows for item in found.pictures[row].items}
    if given is None:
        names = tuple(found.class_names) if found.class_names is not None else tuple(sorted(used))
        if not used:
            raise UserError(f"No label in dataset.path={path} has an object, so there is no class to learn.")
        return names
    check_class_names(given, "dataset.class_names")
    if not given or len(set(given)) != len(given):
        raise UserError(f"dataset.class_names={list(given)} must name at least one class, and none of them twice.")
    for name, picture in used.items():
        if name not in given:
            text = f"{picture.source} has the class {name}, which dataset.class_names does not list"
            problems.leave_out("class-unknown", UserError(f"{text}{nearest(name, given)}"), picture.source)
    for row in rows if problems.skips else ():
        found.pictures[row].items = [item for item in found.pictures[row].items if item.name in given]
    return tuple(given)
