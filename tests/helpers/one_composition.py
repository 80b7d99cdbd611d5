"""Hydra's look at the mode: it composes everything once more to see whether a YAML sets it, which none does here."""

from typing import Any

from hydra._internal.hydra import Hydra

_composed = Hydra.get_mode


def get_mode(hydra: Hydra, config_name: str | None, overrides: list[str]) -> Any:
    """Stands for `Hydra.get_mode`: composes where the command line sets the mode."""
    return _composed(hydra, config_name, overrides) if "hydra.mode" in " ".join(overrides) else None
