"""What the place of a file says: which split it is in, and which picture a file of labels belongs to."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from urllib.parse import unquote

# Words of folders' names that say what kind of file is in them, and nothing about which.
ROLES = frozenset(
    re.findall(
        r"\w+",
        "jpegimages image images img imgs picture pictures photo photos frames label labels labeltxt annotation "
        "annotations annots annot ann anns xml xmls txt json jsons csv bbox bboxes boxes gt yolo voc coco "
        "obj data dataset",
    )
)
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "minival"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
    "trainval": "trainval",
}
_WORDS = re.compile(r"[\s_.-]+")
_YEAR = re.compile(r"(?<=[a-z])\d{2,4}$")
_IMAGE = re.compile(r"\.(jpe?g|jpe|jfif|png|bmp|webp|tiff?)$")
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the names of uploaded images


def folded(text: str) -> str:
    """A name in which capitals and the two ways to write an accent make no difference."""
    return unicodedata.normalize("NFC", text).casefold()


def split_of(place: str, is_annotation: bool = False) -> str | None:
    """The split that a file is in, by the names of its folders: train, val, test or trainval; None where none says so.

    >>> split_of("Train Images/a.jpg"), split_of("train station/a.jpg"), split_of("annotations/x_val2017.json", True)
    ('train', None, 'val')

    Args:
        place: relative, with `/`.
        is_annotation: whether the name of the file itself says so too.
    """
    *folders, name = _slashed(place).split("/")
    if is_annotation and len(named := {_SPLITS[word] for word in _words(name) if word in _SPLITS}) == 1:
        return named.pop()
    for folder in reversed(folders):
        words = [word for word in _words(folder) if word not in ROLES and not word.isdigit()]
        if len(words) == 1 and words[0] in _SPLITS:
            return _SPLITS[words[0]]
    return None


def splits_of_siblings(places: Sequence[str]) -> dict[str, list[int]]:
    """Splits by folders whose names differ in that word only, rows by name.

    >>> splits_of_siblings(["pets_train/a.jpg", "pets_val/b.jpg", "steam_train/c.jpg"])
    {'train': [0], 'val': [1]}
    """
    alike: dict[tuple[str, ...], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, place in enumerate(places):
        for folder in reversed(place.split("/")[:-1]):
            words = _words(folder)
            if len(named := [word for word in words if word in _SPLITS]) == 1:
                alike[tuple(word for word in words if word not in named)][_SPLITS[named[0]]].append(row)
                break
    splits: dict[str, list[int]] = {}
    for siblings in alike.values():
        for split, rows in siblings.items() if len(siblings) > 1 else ():
            splits.setdefault(split, []).extend(rows)
    return splits


def _words(name: str) -> list[str]:
    return [_YEAR.sub("", word) for word in _WORDS.split(folded(name)) if word]


class Images:
    """The images of a folder, to be found by the files and entries that speak of them.

    Args:
        files: their places, with `/`.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self._by_key: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for file in files:
            key = _key(file)
            self._by_key[key].append(file)
            self._by_stem[key[-1]].append(file)
            self._by_name[folded(_slashed(file).rpartition("/")[2])].append(file)

    def of_label(self, label: str, filename: str = "") -> str | None:
        """The image of a file of labels: of its name, in the same place or the one that answers to it.

        `labels/train/a.txt` belongs to `images/train/a.jpg`, `train/labels/a.txt` to `train/images/a.jpg`; else the
        image that the file names is taken, else the only one of its name.

        Args:
            label: place of the file.
            filename: the image that it names, if any.
        """
        *folders, stem = _key(label)
        stems = dict.fromkeys((stem, _IMAGE.sub("", stem), _UPLOADED.sub("", stem)))  # a.jpg.json
        named = folded(re.split(r"[\\/]", filename)[-1])
        for name in stems:
            if found := self._by_key.get((*folders, name)):
                return next((file for file in found if folded(file.rpartition("/")[2]) == named), found[0])
        if named and (found := self._fitting(self._by_name.get(named, []), label)):
            return self._nearest(found, _parts(filename), label)
        for name in stems:
            if len(found := self._fitting(self._by_stem.get(name, []), label)) == 1:
                return found[0]
        return None

    def named(self, name: str, annotation: str) -> str | None:
        """The image that an entry names: by the end of its path, of several the one nearest to the entry's file.

        Args:
            name: with whatever folders, of whatever system; without a suffix, or with one that no image of that name
                has, any image of that name.
            annotation: place of the file that the entry is in.
        """
        parts = _parts(name)
        if not parts:
            return None
        last = folded(parts[-1])
        names = (last, unquote(last), _UPLOADED.sub("", last))
        stems = (last, *(_IMAGE.sub("", name) for name in names))
        found = next(
            (
                files
                for known, keys in ((self._by_name, names), (self._by_stem, stems))
                for key in keys
                if (files := known.get(key))
            ),
            [],
        )
        return self._nearest(self._fitting(found, annotation), parts, annotation)

    def _fitting(self, files: Sequence[str], annotation: str) -> list[str]:
        """Without those of another split."""
        split = split_of(annotation, is_annotation=True)
        return [file for file in files if split is None or split_of(file) in (None, split)]

    def _nearest(self, files: Sequence[str], parts: Sequence[str], annotation: str) -> str | None:
        if len(files) < 2:
            return files[0] if files else None
        split, home = split_of(annotation, is_annotation=True), annotation.rpartition("/")[0]

        def fit(file: str) -> tuple[int, bool, bool]:
            return _common_end(_parts(file), parts), split_of(file) == split, file.rpartition("/")[0] == home

        ranked = sorted(files, key=fit, reverse=True)
        return ranked[0] if fit(ranked[0]) > fit(ranked[1]) else None


def _key(file: str) -> tuple[str, ...]:
    """The folders of a file without the words that say its kind, and its name without its suffix."""
    *folders, name = folded(_slashed(file)).split("/")
    kept = [" ".join(word for word in _WORDS.split(folder) if word and word not in ROLES) for folder in folders]
    stem = name.rpartition(".")[0] or name
    return (*(folder for folder in kept if folder), stem)


def _slashed(file: str) -> str:
    """A place in which the backslashes that a tool of Windows left in names are slashes."""
    return file.replace("\\", "/")


def _parts(name: str) -> list[str]:
    """The parts of a path as some tool wrote it: of Windows, an address, or relative to where it ran."""
    name = name.partition("?d=")[2] or name  # Label Studio's local files
    return [part for part in re.split(r"[\\/]+", name.strip()) if part not in ("", ".", "..")]


def _common_end(first: Sequence[str], second: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if folded(one) != folded(other):
            break
        count += 1
    return count
