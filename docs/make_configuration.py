"""Writes docs/configuration.md from the schemas: `python docs/make_configuration.py`.

A key's type and meaning are those of its line in `ssd/config/schemas.py` or `ssd/config/groups.py`, where that has no
comment, the comment in the YAML; its default is what `python run.py` has with that member of its group.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ssd.cli.compose import CONF, compose_jobs, without_hydra
from ssd.config.groups import MEMBERS
from ssd.config.schemas import Config
from ssd.environment import ROOT
from ssd.sweep.launch.config import SCHEMAS

INTRODUCTION = """\
# Configuration

Every key that `python run.py` knows, made from the schemas (`python docs/make_configuration.py`).
`python run.py --help` has them in short, and `--cfg job` added to a command shows what its configuration comes to.
Members of groups that are not listed here come from a YAML of one's own: [extending.md](extending.md).

A key is set by `KEY=VALUE`, a group's option by `GROUP=OPTION`; null, true and lists are written as in YAML.
`???` has no default and must be given.
"""

_FIELD = re.compile(r"^    (\w+): ([^=\n]+?)(?: = [^#\n]*)?(?:  # (.*))?$", re.MULTILINE)  # of a dataclass
_LINE = re.compile(r"^( *)(\w+):(?: [^#\n]*)?(?:# (.*))?$", re.MULTILINE)  # of a YAML


def page() -> str:
    """The whole page."""
    cfg = _composed()
    sections = [item.name for item in fields(Config) if is_dataclass(item.type)]
    top = {name: told for name, told in _fields(Config).items() if name not in (*sections, *MEMBERS)}
    parts = [INTRODUCTION, "## Top level\n", _table("", top, cfg, _comments(CONF / "config.yaml"))]
    for item in fields(Config):
        if item.name in sections:
            parts += _section(item.name, item.type, cfg[item.name])  # type: ignore[arg-type]
        elif item.name in MEMBERS:
            parts += _group(item.name)
    return "\n".join([*parts, *_launchers()])


def _section(name: str, schema: type, values: DictConfig) -> list[str]:
    """A section of config.yaml, or a group whose members all have the same keys."""
    members = sorted((CONF / name).glob("*.yaml"), reverse=True)
    comments = {key: text for file in members for key, text in _comments(file).items()}
    if not members:
        start = f"{name}."
        every = _comments(CONF / "config.yaml")
        comments = {key.removeprefix(start): text for key, text in every.items() if key.startswith(start)}
    table = _table(f"{name}.", _fields(schema), values, comments)
    return [f"## {name}\n", f"{_says(schema)}{_options(name)}\n", table]


def _group(name: str) -> list[str]:
    parts = [f"## {name}\n", f"An open group: other members come by their `_target_`.{_options(name)}\n"]
    for option, schema in MEMBERS[name].items():
        file = _file(name, f"/schema/{name}/{option}@")
        table = _table(f"{name}.", _fields(schema), _composed(f"{name}={file.stem}")[name], _comments(file))
        parts += [f"### {name}: {option}\n", f"{_says(schema)}\n", table]
    return parts


def _launchers() -> list[str]:
    options = _options("hydra/launcher")
    parts = ["## hydra.launcher\n", f"How a sweep's jobs are run: [sweeps.md](sweeps.md).{options}\n"]
    for option, schema in SCHEMAS.items():
        file = _file("hydra/launcher", f"/schema/launcher/{option}@")
        values = OmegaConf.merge(OmegaConf.structured(schema), _values(file))
        table = _table("hydra.launcher.", _fields(schema), values, _comments(file))  # type: ignore[arg-type]
        parts += [f"### hydra.launcher: {option}\n", f"{_says(schema)}\n", table]
    return parts


def _composed(*overrides: str) -> DictConfig:
    (job,) = compose_jobs(overrides, multirun=False)
    return without_hydra(job)


def _file(group: str, schema: str) -> Path:
    """The first member of a group that has this schema."""
    return next(file for file in sorted((CONF / group).glob("*.yaml")) if schema in file.read_text(encoding="utf-8"))


def _values(file: Path) -> dict[str, Any]:
    """Of a YAML, without its defaults list."""
    content: Any = OmegaConf.to_container(OmegaConf.load(file))
    return {key: value for key, value in content.items() if key != "defaults"}


def _options(group: str) -> str:
    found = sorted(file.stem for file in (CONF / group).glob("*.yaml"))
    return f" Options: {', '.join(f'`{group}={name}`' for name in found)}." if found else ""


def _says(schema: type) -> str:
    """The docstring as one paragraph."""
    return " ".join((inspect.getdoc(schema) or "").split())


def _fields(schema: type) -> dict[str, tuple[str, str]]:
    """Name → type and comment of every field, as its line has them; a base class' first."""
    bases = [base for base in reversed(schema.__mro__) if is_dataclass(base)]
    lines = [line for base in bases for line in _FIELD.findall(inspect.getsource(base))]
    return {name: (kind, comment) for name, kind, comment in lines if name != "_target_"}


def _comments(file: Path) -> dict[str, str]:
    """Dotted key → the comment on its line, of a YAML whose mappings are indented by two."""
    found: dict[str, str] = {}
    above: list[str] = []
    for blanks, key, comment in _LINE.findall(file.read_text(encoding="utf-8")):
        above = [*above[: len(blanks) // 2], key]
        if comment:
            found[".".join(above)] = comment
    return found


def _table(prefix: str, told: Mapping[str, tuple[str, str]], values: DictConfig, comments: Mapping[str, str]) -> str:
    """One row per key.

    Args:
        prefix: of the keys.
        told: name → type and meaning, from `_fields`.
        values: the defaults.
        comments: name → meaning, where `told` has none.
    """
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, (kind, meaning) in told.items():
        cells = (f"`{prefix}{name}`", kind, _default(values._get_node(name)), meaning or comments.get(name, ""))
        lines.append(f"| {' | '.join(cell.replace('|', 'or') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _default(node: Any) -> str:
    """A value as it is written on the command line."""
    if node._is_missing():
        return "`???`"
    if node._is_interpolation():
        return f"`{node._value()}`"
    if OmegaConf.is_config(node):
        return f"`{OmegaConf.to_container(node)}`".replace("'", "")
    value = getattr(node._value(), "name", node._value())  # of an enum its name
    return f"`{OmegaConf.to_yaml([value]).removeprefix('- ').strip()}`"


if __name__ == "__main__":
    (ROOT / "docs" / "configuration.md").write_text(page(), encoding="utf-8")
