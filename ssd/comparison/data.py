"""Which images and boxes two runs have otherwise."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ssd.data.annotations import Annotation
from ssd.data.recorded import Labelled
from ssd.evaluation.record import have_same_objects

Objects = Counter[tuple[str, bytes, bool, bool]]  # class, box, difficult, crowd


@dataclass(frozen=True)
class SplitChange:
    """One split of A and of B.

    Attributes:
        split: "train" or "val".
        images, objects: of A and of B.
        renamed: whether the images are the same under other names.
        added, gone: names of the images that B has and A has not, and the other way round.
        changed: name → boxes added and boxes gone, of the images that both have.
        classes_added, classes_gone: as images.
    """

    split: str
    images: tuple[int, int]
    objects: tuple[int, int]
    renamed: bool
    added: tuple[str, ...]
    gone: tuple[str, ...]
    changed: Mapping[str, tuple[int, int]]
    classes_added: tuple[str, ...]
    classes_gone: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs, names aside."""
        return not (self.added or self.gone or self.changed or self.classes_added or self.classes_gone)

    def __str__(self) -> str:
        if self.same:
            under = " under other names" if self.renamed else ""
            return f"the same {self.images[0]:,} images with {self.objects[0]:,} objects{under}"
        more, fewer = (sum(counts[side] for counts in self.changed.values()) for side in (0, 1))
        parts = [
            f"{_counted(self.added)} added" if self.added else "",
            f"{_counted(self.gone)} gone" if self.gone else "",
            f"{_counted(self.changed)} changed ({more:,} boxes added, {fewer:,} gone)" if self.changed else "",
            f"classes added: {', '.join(self.classes_added)}" if self.classes_added else "",
            f"classes gone: {', '.join(self.classes_gone)}" if self.classes_gone else "",
        ]
        return ", ".join(part for part in parts if part)


def _counted(images: Collection[str]) -> str:
    return f"{len(images):,} image{'' if len(images) == 1 else 's'}"


def split_change(split: str, a: Labelled, b: Labelled) -> SplitChange:
    """What differs between two splits; images are told by their names, classes by theirs."""
    one, other = a.annotations, b.annotations
    renamed = list(one.ids) != list(other.ids) and a.class_names == b.class_names and have_same_objects(one, other)
    added, gone, changed = ((), (), {}) if renamed else _by_name(a, b)
    return SplitChange(
        split,
        (len(one), len(other)),
        (len(one.labels), len(other.labels)),
        renamed,
        added,
        gone,
        changed,
        tuple(name for name in b.class_names if name not in a.class_names),
        tuple(name for name in a.class_names if name not in b.class_names),
    )


def _by_name(a: Labelled, b: Labelled) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, tuple[int, int]]]:
    """Images added, gone and changed."""
    ours, theirs = ({item.id: item for item in side.annotations} for side in (a, b))
    changed: dict[str, tuple[int, int]] = {}
    for name in ours.keys() & theirs.keys():
        had, has = _objects(ours[name], a.class_names), _objects(theirs[name], b.class_names)
        sizes = [(item.height, item.width) for item in (ours[name], theirs[name])]
        if had != has or sizes[0] != sizes[1]:
            changed[name] = (has - had).total(), (had - has).total()
    added = tuple(name for name in theirs if name not in ours)
    gone = tuple(name for name in ours if name not in theirs)
    return added, gone, dict(sorted(changed.items()))


def _objects(annotation: Annotation, class_names: tuple[str, ...]) -> Objects:
    columns = (annotation.labels, annotation.boxes, annotation.difficult, annotation.crowd)
    return Counter(
        (class_names[label], box.tobytes(), bool(difficult), bool(crowd))
        for label, box, difficult, crowd in zip(*columns, strict=True)
    )
