"""Every kind of finding: how bad it is, what it is called and what to do about it."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """What a finding means for a training."""

    error = 0  # it stops, or goes on without the file or object by dataset.on_error=skip
    warning = 1  # it goes on, and is most likely worse for it
    note = 2  # it goes on, and this may be meant


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        severity: what it means for a training.
        title: of a section of the report, in the plural.
        advice: what to do.
    """

    severity: Severity
    title: str
    advice: str


_E, _W, _N = Severity.error, Severity.warning, Severity.note

KINDS: dict[str, Kind] = {
    # files
    "annotation-unreadable": Kind(_E, "Annotations that cannot be read", "Correct the file, or copy it again."),
    "annotation-missing": Kind(_E, "Annotations that are listed and not there", "Add the file, or unlist it."),
    "annotation-unlisted": Kind(_W, "Annotations in no split", "List them in ImageSets/Main, or remove them."),
    "image-missing": Kind(_E, "Annotations without their image", "Add the image, or take the annotation out."),
    "image-malformed": Kind(_E, "Entries of images with a wrong value", "Correct the entry."),
    "image-unlabelled": Kind(_W, "Images without an annotation", "Annotate them, or remove them."),
    "image-ambiguous": Kind(_W, "Images of one name", "Keep the right one of the two."),
    "listed-twice": Kind(_E, "Images that a split lists twice", "List the image once."),
    "files-odd": Kind(_W, "Files that are not used, or not fully", "Look whether they were meant to be."),
    "id-repeated": Kind(_W, "Annotations with the id of another one", "Number them anew: ids are unique."),
    "number-as-text": Kind(_N, "Numbers written as text", "They are read as numbers; write them without quotes."),
    # images
    "image-unreadable": Kind(_E, "Images that cannot be decoded", "Copy them again, or remove them."),
    "image-damaged": Kind(
        _W, "Images with damaged data inside", "They are decoded as far as possible: copy them again."
    ),
    "image-blank": Kind(_W, "Images of one colour", "Look whether something went wrong when they were made."),
    "image-size": Kind(
        _E, "Images of another size than their annotation says", "Correct the annotation, or put the right image there."
    ),
    "size-mismatch": Kind(
        _W, "Annotations that state another size", "Look whether the image was resized after it was annotated."
    ),
    "exif-rotated": Kind(
        _W,
        "Images with an EXIF tag that turns them, and boxes that do not fit them as stored",
        "Turn the pixels and drop the tag (ImageMagick: mogrify -auto-orient), or state the size of the turned image.",
    ),
    "exif-tag": Kind(
        _N,
        "Images with an EXIF tag that turns them",
        "The tag is followed where the stated size is that of the turned image: look whether the boxes fit as stored.",
    ),
    # objects
    "object-malformed": Kind(_E, "Objects with a missing or wrong entry", "Correct the object, or remove it."),
    "class-unknown": Kind(_E, "Objects of a class that is not listed", "Correct the name, or list the class."),
    "box-not-finite": Kind(_E, "Boxes with a coordinate that is no finite number", "Draw the box again."),
    "box-inverted": Kind(_E, "Boxes that are inverted or without area", "Exchange the corners, or draw the box again."),
    "box-outside": Kind(_E, "Boxes outside their image", "Draw the box again, or look whether it is another image's."),
    "box-empty": Kind(_W, "Boxes without width or height", "They are left out: draw them again, or remove them."),
    "box-clipped": Kind(
        _W, "Boxes that reach outside their image", "They are cut at its border; look whether they fit."
    ),
    "box-tiny": Kind(
        _W,
        "Boxes that are tiny at the network's size",
        "They are hardly found: choose a larger detector, cut the images into tiles, or leave such objects out.",
    ),
    "box-thin": Kind(
        _W, "Boxes of an extreme shape", "Look whether a corner has slipped; priors hardly fit such shapes."
    ),
    "box-whole-image": Kind(_N, "Boxes of the whole image", "Look whether they mark an object or stand for the image."),
    "object-twice": Kind(_W, "Objects that are there twice", "Keep one of them."),
    "object-nearly-twice": Kind(
        _W, "Objects of one class whose boxes nearly coincide", "Keep one of them, if they are one object."
    ),
    "object-two-classes": Kind(_W, "Objects that have two classes", "Keep the right one of the two."),
    "prior-unreached": Kind(
        _W,
        "Objects that no prior reaches",
        "They are learnt from one prior each, which fits badly: fit the priors to the data (detector.priors=auto), or "
        "for small objects choose a larger detector.image_size or finer backbone.feature_layers.",
    ),
    # classes
    "class-alike": Kind(_W, "Classes with nearly the same name", "Write them the same way, if they are one class."),
    "class-background": Kind(
        _W,
        "Classes named as if they were none",
        "A detector has a background of its own: remove such objects if they mark places without objects.",
    ),
    "class-without-objects": Kind(_N, "Classes without objects", "Annotate some, or leave the class out."),
    "class-rare": Kind(
        _W,
        "Classes with few objects",
        "Annotate more of them, or leave the class out: few are hardly learned, and their AP says little.",
    ),
    "class-only-in-val": Kind(
        _W, "Classes that are not trained on", "Move some images with them to the training split."
    ),
    "class-only-in-train": Kind(
        _W, "Classes that are not validated", "Move some images with them to the validation split."
    ),
    # splits
    "split-without-objects": Kind(_E, "Splits without objects", "Annotate some of their images."),
    "image-without-objects": Kind(
        _N, "Images without objects", "They are background; look whether objects were forgotten."
    ),
    "image-in-both-splits": Kind(
        _W, "Images in both splits", "Keep each in one of them: the validation is not a fair one."
    ),
    "duplicate": Kind(_W, "Images with the same content in one split", "Keep one of them."),
    "duplicate-across-splits": Kind(
        _W, "Images with the same content in both splits", "Keep them in one split: the validation is not a fair one."
    ),
    "duplicate-annotated-otherwise": Kind(
        _W, "Images with the same content and other objects", "Keep the one that is annotated rightly."
    ),
    "near-duplicate": Kind(_N, "Images that look alike in one split", "Keep one of them, if they are one picture."),
    "near-duplicate-across-splits": Kind(
        _W,
        "Images that look alike in both splits",
        "Keep them in one split, if they are one picture or one scene: the validation is not a fair one.",
    ),
    # by a detector
    "suspect-missing": Kind(_W, "Objects that may be missing", "Look whether the object is there, and annotate it."),
    "suspect-class": Kind(_W, "Objects that may be of another class", "Look which class is right."),
    "suspect-box": Kind(_W, "Boxes that may not fit", "Look which box is better."),
    "suspect-object": Kind(
        _W, "Objects that may not be there", "Look whether there is one, and remove the box if not."
    ),
}
