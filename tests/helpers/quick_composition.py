"""What Hydra and OmegaConf do more than once, or slowly, in composing: left out here, where it shows nothing."""

import copy
import os
from typing import Any

import pytest
from hydra._internal import defaults_list
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.hydra import Hydra
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig
from omegaconf.base import Metadata

_composed = Hydra.get_mode
_interpolated = defaults_list._create_interpolation_map
_loaded = FileConfigSource.load_config
_files: dict[tuple[str, str, int, int], ConfigResult] = {}


def compose_quickly(patch: pytest.MonkeyPatch) -> None:
    """Until the patch is undone."""
    patch.setattr(Hydra, "get_mode", _get_mode)
    patch.setattr(Sweeper, "validate_batch_is_legal", lambda *_: None)  # composes each job, as ssd.cli.plan has done
    patch.setattr(Metadata, "__deepcopy__", _copied, raising=False)
    patch.setattr(defaults_list, "_create_interpolation_map", _interpolation_map)
    patch.setattr(FileConfigSource, "load_config", _load_config)


def _get_mode(hydra: Hydra, config_name: str | None, overrides: list[str]) -> Any:
    """Of the command line: Hydra composes everything to see whether a YAML sets hydra.mode, which none does here."""
    return _composed(hydra, config_name, overrides) if "hydra.mode" in " ".join(overrides) else None


def _copied(self: Metadata, memo: dict[int, Any]) -> Metadata:
    """As `copy.deepcopy` does it with the types, numbers and two dictionaries of every node."""
    new = copy.copy(self)
    new.flags = None if self.flags is None else dict(self.flags)
    new.resolver_cache = copy.deepcopy(self.resolver_cache, memo) if self.resolver_cache else self.resolver_cache.copy()
    return new


def _interpolation_map(overrides: Any, children: list[Any], self_added: bool) -> DictConfig | None:
    """Hydra makes it for every YAML with a defaults list, and reads it only for a child with an interpolation."""
    if any(child.is_interpolation() for child in children if not child.is_self()):
        return _interpolated(overrides, children, self_added)
    return None


def _load_config(source: FileConfigSource, config_path: str) -> ConfigResult:
    """What is in a file that has not changed since is known; each composition changes a copy of its own."""
    file = os.path.realpath(os.path.join(source.path, source._normalize_file_name(config_path)))
    if not os.path.exists(file):
        return _loaded(source, config_path)
    status = os.stat(file)
    key = (source.path, file, status.st_mtime_ns, status.st_size)
    if key not in _files:
        _files[key] = _loaded(source, config_path)
    return copy.deepcopy(_files[key])
