"""What Hydra and OmegaConf do more than once, or slowly, in composing: left out here, where it shows nothing."""

import copy
from typing import Any

import pytest
from hydra._internal.hydra import Hydra
from hydra.plugins.sweeper import Sweeper
from omegaconf.base import Metadata

_composed = Hydra.get_mode


def compose_quickly(patch: pytest.MonkeyPatch) -> None:
    """Until the patch is undone."""
    patch.setattr(Hydra, "get_mode", _get_mode)
    patch.setattr(Sweeper, "validate_batch_is_legal", lambda *_: None)  # composes each job, as ssd.cli.plan has done
    patch.setattr(Metadata, "__deepcopy__", _copied, raising=False)


def _get_mode(hydra: Hydra, config_name: str | None, overrides: list[str]) -> Any:
    """Of the command line: Hydra composes everything to see whether a YAML sets hydra.mode, which none does here."""
    return _composed(hydra, config_name, overrides) if "hydra.mode" in " ".join(overrides) else None


def _copied(self: Metadata, memo: dict[int, Any]) -> Metadata:
    """As `copy.deepcopy` does it with the types, numbers and two dictionaries of every node."""
    new = copy.copy(self)
    new.flags = None if self.flags is None else dict(self.flags)
    new.resolver_cache = copy.deepcopy(self.resolver_cache, memo) if self.resolver_cache else self.resolver_cache.copy()
    return new
