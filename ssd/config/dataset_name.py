"""What a data set in files is called: after its folder."""

import re
from pathlib import Path

# Of folders inside a data set, which say nothing about it.
_PARTS = re.compile(r"(?i)data|datasets?|annotations?|images?|jpegimages|labels?|train(val)?|val(id(ation)?)?|test")
_ARCHIVE = re.compile(r"(?i)\.(zip|tgz|tbz2|txz|tar(\.\w+)?)$")
_YEAR = re.compile(r"(?i)voc\d*")  # says something only together with the folder that it is in


def folder_name(path: str) -> str:
    """The name of a data set's folder or archive, or of the folder of its annotations; of parts of it, the whole's.

    >>> folder_name("/home/you/bccd"), folder_name("/home/you/cells/annotations/instances_train.json")
    ('bccd', 'cells')
    >>> folder_name("/home/you/cells/VOC2007"), folder_name("/data")
    ('cells-VOC2007', 'data')
    """
    place = Path(path).expanduser().resolve()
    folders = list((place.parent if place.suffix in (".json", ".yaml", ".yml", ".csv") else place).parts[1:])
    folders[-1:] = [_ARCHIVE.sub("", folder) for folder in folders[-1:]]
    while len(folders) > 1 and _PARTS.fullmatch(folders[-1]):
        folders.pop()
    name = "-".join(folders[-2:] if folders and _YEAR.fullmatch(folders[-1]) else folders[-1:])
    return re.sub(r"[^\w.+-]+", "-", name) or "data"
