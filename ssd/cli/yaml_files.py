"""What Hydra reads its YAML files with: each is looked at first, so that a mistake in one is said with its name."""

import os
import pickle
from pathlib import Path
from typing import ClassVar

import yaml
from hydra._internal.core_plugins import file_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult

from ssd.errors import UserError
from ssd.runs.yaml_structure import LOADER, check_structure

_LARGEST = 1_000_000  # bytes; the largest of ours has six thousand


class FileConfigSource(file_config_source.FileConfigSource):
    """Hydra's source of files, which refuses with a sentence what is no configuration.

    It has the name of Hydra's own, because a job's process finds both and Hydra compares their names. What has been
    read stays known until its file changes: a sweep composes each of its jobs twice, from the same files.
    """

    _read: ClassVar[
        dict[tuple[str, str, int, int], bytes]
    ] = {}  # pickled: OmegaConf's own copies take ten times as long

    def load_config(self, config_path: str) -> ConfigResult:
        """Raises:
        UserError: the file is damaged, no mapping, or too much.
        """
        file = Path(os.path.realpath(Path(self.path, self._normalize_file_name(config_path))))
        if not file.is_file():
            check_yaml(file)
            return super().load_config(config_path)
        state = file.stat()
        key = (self.provider, str(file), state.st_size, state.st_mtime_ns)
        if key not in self._read:
            check_yaml(file)
            self._read[key] = pickle.dumps(super().load_config(config_path))
        found: ConfigResult = pickle.loads(self._read[key])
        return found


def register() -> None:
    """Makes Hydra read files with it; may be called again."""
    Plugins.instance()  # brings in Hydra's own source
    SourcesRegistry.instance().types["file"] = FileConfigSource


def check_yaml(file: Path) -> None:
    """Refuses a file that is no mapping of keys to values, in a moment and without memory whatever it holds.

    Raises:
        UserError: naming the file and, where there is one, the line.
    """
    shown = os.path.relpath(file)
    try:
        size = file.stat().st_size
        if size > _LARGEST:
            raise UserError(f"{shown} has {size} bytes, too many for a configuration (at most {_LARGEST})")
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{shown} is not UTF-8 (byte {error.start + 1}); save it as UTF-8 text") from error
    except OSError as error:
        raise UserError(f"{shown} cannot be read ({error.strerror or error}); check the file") from error
    try:
        events = yaml.parse(text, Loader=LOADER)
        top = next((event for event in events if isinstance(event, yaml.NodeEvent)), None)
        if top is not None:
            _check_top(top, shown)
        check_structure(text, shown)
    except yaml.YAMLError as error:
        raise UserError(broken_yaml(error, shown)) from error


def broken_yaml(error: yaml.YAMLError, file: str) -> str:
    """The sentence on a file that YAML cannot read."""
    mark = getattr(error, "problem_mark", None)
    place = f"{file}, line {mark.line + 1}" if mark is not None else file
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    said = " ".join(str(problem).split())
    if "\\t" in said or "'\t'" in str(problem) or "tab" in said:
        said = "a tab; indent with blanks"
    if "could not determine a constructor" in said:
        said = f"{said.rpartition(' ')[2]} is a tag, which a configuration cannot have"
    return f"{place} is no valid YAML: {said}; correct it there"


def _check_top(event: yaml.Event, shown: str) -> None:
    if isinstance(event, yaml.MappingStartEvent) or (isinstance(event, yaml.ScalarEvent) and not event.value):
        return
    found = "a list" if isinstance(event, yaml.SequenceStartEvent) else "a single value"
    raise UserError(f"{shown} is {found}; a configuration holds keys with values, `key: value`")
