"""Whether settings that were found in a file can do anything but set: Hydra calls and resolves what it is told.

What is judged is their text without its backslashes, which hide `${` from a search but not from Hydra.
"""

import re
from dataclasses import fields

from ssd.config.groups import MEMBERS

# What a `_target_` may name: the parts of this project that have a schema, and classes that compute and no more.
_OURS = {
    str(field.default)
    for group in MEMBERS.values()
    for node in group.values()
    for field in fields(node)
    if field.name == "_target_"
}
_CLASSES = re.compile(
    r"ssd\.data\.transforms\.[A-Z]\w*|ssd\.tasks\.\w+\.run|keras\.optimizers\.(schedules\.)?[A-Z]\w*|"
    r"albumentations\.[A-Z]\w*|optuna\.(samplers|pruners)\.[A-Z]\w*"
)
_NAMED = re.compile(r"_target_['\"]?\s*[:=]\s*['\"]?([^'\",}\s]*)")
_NODE = re.compile(r"\$\{[\w.\[\]]+\}")  # an interpolation that calls no resolver


def is_harmless(text: str) -> bool:
    """Whether an override, or YAML, calls no code but this project's parts, Keras' optimizers and transforms.

    Resolvers (`${oc.env:…}`) are code too: they read what is none of the file's business.
    """
    text = text.replace("\\", "")
    if "${" in _NODE.sub("", text):
        return False
    return all(target in _OURS or _CLASSES.fullmatch(target) for target in _NAMED.findall(text))
