"""Files of a folder in VOC layout that belong to nothing: images without annotation, annotations in no split."""

from collections.abc import Collection, Mapping
from pathlib import Path

from ssd.data.problems import Problems


def mention_leftovers(root: Path, images: Mapping[str, str], used: Collection[str], problems: Problems) -> None:
    """Notes images that have no annotation, and annotations of no split.

    Args:
        root: the folder with Annotations and JPEGImages.
        images: lower-case names and stems of the images → name of the file.
        used: stems of the annotations that the splits list.
        problems: takes them.
    """
    annotated = {file.stem: file for file in sorted((root / "Annotations").glob("*.xml"))}
    named = {stem.lower() for stem in annotated}
    for image in map((root / "JPEGImages").joinpath, sorted(set(images.values()))):
        if image.stem.lower() not in named:
            problems.mention("image-unlabelled", f"The image {image} has no annotation.", image)
    split = _listed(root) | set(used)
    for stem, xml in annotated.items():
        if stem not in split:
            problems.mention("annotation-unlisted", f"The annotation {xml} is in no list of ImageSets/Main.", xml)


def _listed(root: Path) -> set[str]:
    """Stems in any of the lists, those that this training does not use among them."""
    lists = (root / "ImageSets" / "Main").glob("*.txt")
    lines = [line.strip() for file in lists for line in file.read_text("utf-8-sig", "replace").splitlines()]
    return {*lines, *(line.split()[0] for line in lines if line)}
