"""What Hydra reads its YAML files with: each is looked at first, so that a mistake in one is said with its name.

A file of a few kilobytes can ask for terabytes (aliases of aliases) or for more recursion than there is stack.
"""

import os
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult

from ssd.errors import UserError

_LARGEST = 1_000_000  # bytes; the largest of ours has six thousand
_DEEPEST = 50  # levels of nesting
_MOST = 100_000  # values, those of aliases counted wherever they are used
_LONGEST_NUMBER = 300  # digits
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CheckedFiles(FileConfigSource):
    """Hydra's source of files, which refuses with a sentence what is no configuration."""

    def load_config(self, config_path: str) -> ConfigResult:
        """Raises:
        UserError: the file is damaged, no mapping, or too much.
        """
        check_yaml(Path(os.path.realpath(Path(self.path, self._normalize_file_name(config_path)))))
        return super().load_config(config_path)


def register() -> None:
    """Makes Hydra read files with it; may be called again."""
    Plugins.instance()  # brings in Hydra's own source
    SourcesRegistry.instance().types["file"] = CheckedFiles


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
        _check_structure(text, shown)
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


def _check_structure(text: str, shown: str) -> None:
    """One pass over YAML's events, which are not recursive: the top, the depth, and the size with all aliases."""
    open_nodes: list[list[Any]] = []  # [anchor, values in it]
    sizes: dict[str, int] = {}
    total = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent | yaml.CollectionStartEvent) and not open_nodes:
            _check_top(event, shown)
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append([event.anchor, 0])
            if len(open_nodes) > _DEEPEST:
                raise UserError(f"{shown} nests deeper than {_DEEPEST} levels; make it flatter")
            continue
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_nodes):
                raise UserError(f"{shown}: *{event.anchor} is an alias of what it is in; take it out")
            if event.anchor not in sizes:
                raise UserError(f"{shown}: *{event.anchor} is an alias of nothing; correct it")
            count = sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            if len(event.value) > _LONGEST_NUMBER and event.value.strip("+-").isdigit():
                raise UserError(f"{shown} has a number of {len(event.value)} digits; write what is meant")
            count = 1
            sizes |= {event.anchor: 1} if event.anchor is not None else {}
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, inside = open_nodes.pop()
            count = inside + 1
            if anchor is not None:
                sizes[anchor] = count
        else:
            continue
        if open_nodes:
            open_nodes[-1][1] += count
        total = max(total, count)
        if total > _MOST or (open_nodes and open_nodes[-1][1] > _MOST):
            raise UserError(f"{shown} comes to more than {_MOST} values with its aliases; write what is needed")


def _check_top(event: yaml.Event, shown: str) -> None:
    if isinstance(event, yaml.MappingStartEvent) or (isinstance(event, yaml.ScalarEvent) and not event.value):
        return
    found = "a list" if isinstance(event, yaml.SequenceStartEvent) else "a single value"
    raise UserError(f"{shown} is {found}; a configuration holds keys with values, `key: value`")
