"""Which formats there are, and in which precisions each. Imports nothing heavy: the command line asks."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ssd.errors import UserError, nearest

PRECISIONS = {
    "saved_model": ("float32", "bfloat16", "float16"),
    "onnx": ("float32", "float16", "int8"),
    "openvino": ("float32", "bfloat16", "float16", "int8"),
    "litert": ("float32", "float16", "int8", "full_int8"),
}
FORMATS = tuple(PRECISIONS)
ALL = "all"
CALIBRATED = ("int8", "full_int8")
_WHY_NOT = {
    ("saved_model", "int8"): "TensorFlow's own quantization ends in LiteRT",
    ("onnx", "bfloat16"): "onnxruntime computes no bfloat16 on processors",
    ("litert", "bfloat16"): "LiteRT has no bfloat16",
}


class Variant(NamedTuple):
    """One file to write."""

    format: str
    precision: str

    @property
    def name(self) -> str:
        """Of its folder, and in tables."""
        return f"{self.format}_{self.precision}"


def every_variant() -> list[Variant]:
    """All that can be written."""
    return [Variant(kind, precision) for kind, precisions in PRECISIONS.items() for precision in precisions]


def read_variants(task: Mapping[str, Any]) -> list[Variant]:
    """All that `task.format` and `task.precision` ask for, each a name, a list of names or "all".

    Raises:
        UserError: there is no such format or precision, or a format does not have it.
    """
    formats = _names(task["format"], "task.format", FORMATS)
    known = tuple(dict.fromkeys(name for names in PRECISIONS.values() for name in names))
    precisions = _names(task["precision"], "task.precision", known)
    chosen: list[Variant] = []
    for kind in FORMATS if ALL in formats else formats:
        for precision in PRECISIONS[kind] if ALL in precisions else precisions:
            if precision in PRECISIONS[kind]:
                chosen.append(Variant(kind, precision))
            elif ALL not in formats:
                why = f" ({_WHY_NOT[kind, precision]})" if (kind, precision) in _WHY_NOT else ""
                raise UserError(
                    f"task.precision={precision}: {kind} does not have it{why}; choose one of: "
                    f"{', '.join(PRECISIONS[kind])}"
                )
    return list(dict.fromkeys(chosen))


def _names(given: Any, key: str, known: Sequence[str]) -> list[str]:
    names = given if isinstance(given, list) else [given]
    for name in names:
        if name not in (*known, ALL):
            raise UserError(f"{key}={name} is not known{nearest(str(name), (*known, ALL))}")
    if not names:
        raise UserError(f"{key} is empty; choose one of: {', '.join(known)}")
    return names
