"""Pictures put together from entries that name their image, as formats of one file for many images have them."""

from ssd.data.folder.listing import Listing
from ssd.data.folder.places import Images, split_of
from ssd.data.folder.records import Found, Item, Notes, Picture
from ssd.data.folder.rle import Box
from ssd.data.readers.names import check_class_names


class Entries:
    """Collects pictures by the names that entries give them; a split is told by the file, else by the image's folders.

    Args:
        listing: of the folder.
        notes: takes what has no image, and images without an entry.
        fractions: whether boxes are fractions of the image.
    """

    def __init__(self, listing: Listing, notes: Notes, fractions: bool = False) -> None:
        self._listing, self._notes, self._fractions = listing, notes, fractions
        self._images = Images(listing.images)
        self._pictures: dict[str, Picture] = {}
        self._by_name: dict[tuple[str, str], Picture | None] = {}
        self._splits: dict[str, list[int]] = {}

    def picture(self, name: str, file: str, stated: tuple[int, int] = (0, 0), subset: str = "") -> Picture | None:
        """The picture of an image that an entry of `file` names; None, and noted once, where there is none.

        Args:
            name: of the image.
            file: that has the entry.
            stated: height and width; 0 where they are not said.
            subset: what the entry itself says of the image's split.
        """
        if (key := (name, file)) not in self._by_name:
            if (place := self._images.named(name, file)) is None:
                self._notes.add(f"images of {file} are not there, and are left out", name[:200])
            self._by_name[key] = self._picture_at(place, file, stated, subset) if place is not None else None
        return self._by_name[key]

    def picture_of_label(self, file: str, filename: str, stated: tuple[int, int] = (0, 0)) -> Picture | None:
        """The picture that a file of one image's labels belongs to; None, and noted, where there is none."""
        if (place := self._images.of_label(file, filename)) is None:
            self._notes.add("files of labels have no image, and are left out", file)
            return None
        return self._picture_at(place, file, stated)

    def add(
        self, picture: Picture | None, name: object, box: Box, where: str, crowd: bool = False, difficult: bool = False
    ) -> None:
        """One object of a picture; nothing where that is not there.

        Raises:
            UserError: its class has a name that cannot be shown.
        """
        text = str(name) if isinstance(name, int | float) and not isinstance(name, bool) else name
        check_class_names([text], where)
        if picture is not None:
            picture.items.append(Item(str(text), box, where, difficult, crowd))

    def found(self, what: str) -> Found:
        """All of it; images that no entry named are noted."""
        for image in self._listing.images:
            if image not in self._pictures:
                self._notes.add("images have no annotation, and are left out", image)
        return Found(what, list(self._pictures.values()), self._splits)

    def _picture_at(self, place: str, file: str, stated: tuple[int, int], subset: str = "") -> Picture:
        if place not in self._pictures:
            if split := split_of(f"{subset}/") or split_of(file, is_annotation=True) or split_of(place):
                self._splits.setdefault(split, []).append(len(self._pictures))
            self._pictures[place] = Picture(place, file, fractions=self._fractions, stated=stated)
        return self._pictures[place]
