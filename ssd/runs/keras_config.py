"""The configuration of a checkpoint, which may come from a stranger: nothing is built but what `keras_classes` lists.

Nothing heavy is imported. What is wrong with it is a ValueError that says so.
"""

import math
from collections.abc import Callable
from typing import Any

from ssd.runs.keras_classes import ARRAYS, CLASSES, FUNCTION_MODULES, FUNCTIONS, NUMBERS, OURS, VALUES

_DEEPEST = 64
_MOST_LAYERS = 1_500  # NASNetLarge has 1,041
_MOST_TENSORS = 6_000  # that go into layers
_LARGEST = 2**31 - 1
_ANY_NUMBER = frozenset({"seed", "shared_object_id"})

IsRegistered = Callable[[str], bool]


def check_network(config: Any, is_registered: IsRegistered = lambda _: True) -> None:
    """Refuses a configuration of Keras that names what could run code, read files or take memory without end.

    `compile_config`s, which say what a network was trained with, are taken out: nothing is made of them.

    Args:
        config: as JSON gives it: nested dicts and lists.
        is_registered: whether a class of the user's own, by its registered name (package>Name), is known here; without
            its code being imported nobody can tell.

    Raises:
        ValueError: naming the class, function or number.
    """
    layers = tensors = 0
    left: list[tuple[Any, str, int]] = [(config, "", 0)]
    while left:
        value, key, depth = left.pop()
        if depth > _DEEPEST:
            raise ValueError("its configuration is nested too deeply")
        if isinstance(value, dict):
            value.pop("compile_config", None)
            if "class_name" in value:
                _check_object(value, is_registered)
            elif "module" in value or "registered_name" in value:
                raise ValueError("its configuration has an object without a class")
            elif key.endswith("activation"):  # what Keras makes of a lambda
                raise ValueError(f"it has an {shown(key)} that is no function of Keras")
            layers += "inbound_nodes" in value
            tensors += value.get("class_name") == "__keras_tensor__"
            left += [(inner, name, depth + 1) for name, inner in value.items()]
        elif isinstance(value, list | tuple):
            left += [(inner, key, depth + 1) for inner in value]
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"its configuration has a {shown(key)} of {value}")
        elif isinstance(value, int) and abs(value) > _LARGEST and key not in _ANY_NUMBER:
            raise ValueError(f"its configuration has a {shown(key)} beyond {_LARGEST}")
    if layers > _MOST_LAYERS or tensors > _MOST_TENSORS:
        raise ValueError(f"its network has {layers} layers with {tensors} inputs, more than any that is known")


def _check_object(item: dict[str, Any], is_registered: IsRegistered) -> None:
    module, name, registered = item.get("module"), item["class_name"], item.get("registered_name")
    content = item.get("config")
    if not all(isinstance(part, str | None) for part in (module, registered)) or not isinstance(name, str):
        raise ValueError("its configuration has an object whose class is no name")
    if name in VALUES and isinstance(content, dict):
        return
    if name in ARRAYS and isinstance(content, dict) and content.get("dtype") in NUMBERS:
        return
    if name == "function":
        if not _is_function(content, module, registered, is_registered):
            raise ValueError(f"it asks for the function {_full_name(module, content)}, which no network needs")
        return
    if not isinstance(content, dict) or "module" not in item:
        raise ValueError(f"it asks for {_full_name(module, name)} in the way of older Keras, which could hold code")
    _check_class(module, name, registered, is_registered)


def _check_class(module: str | None, name: str, registered: str | None, is_registered: IsRegistered) -> None:
    if registered in OURS or (name in CLASSES.get(module or "", ()) and registered in (None, name)):
        return
    if registered is None or not _is_own(module, registered):
        wanted = _full_name(module, registered or name)
        raise ValueError(f"it asks for {wanted}, which no detector needs and which could run code")
    if not is_registered(registered):
        raise ValueError(
            f"it needs {_full_name(module, name)}, registered as {shown(registered)}, which nothing has imported here"
        )


def _is_function(content: Any, module: str | None, registered: str | None, is_registered: IsRegistered) -> bool:
    if not isinstance(content, str) or registered != content:
        return False
    return (module in FUNCTION_MODULES and content in FUNCTIONS) or (
        _is_own(module, registered) and is_registered(registered)
    )


def _is_own(module: str | None, registered: str) -> bool:
    """Whether it can only be found by its registered name: Keras would import its own modules to find others."""
    packages = ("keras", "keras_hub", "keras_cv", "keras_nlp", "builtins")
    return ">" in registered and not registered.startswith("ssd>") and (module or "").split(".")[0] not in packages


def shown(text: str, longest: int = 120) -> str:
    """What a stranger has put into a file, as a part of one sentence."""
    readable = "".join(letter if letter.isprintable() else "?" for letter in text[: longest + 1])
    return readable if len(text) <= longest else f"{readable[:longest]}…"


def _full_name(module: Any, name: Any) -> str:
    return shown(".".join(part for part in (module, name) if isinstance(part, str)))
