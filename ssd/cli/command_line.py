"""From what the shell delivered to override lines that Hydra reads as they were meant."""

import os
import re
import shlex
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from ssd.cli.checks import PATHS
from ssd.config.overrides import at_home, by_key, is_readable, key_of, quote
from ssd.config.schemas import Config
from ssd.errors import UserError

# Keys whose value is a path as it is, whatever characters are in it; beside them all that are called like one.
_PATH_KEYS = {*PATHS, "weights", "resume", "sweep.resume", "hydra.run.dir", "hydra.sweep.dir", "dataset.data_dir"}
_PATH_NAMES = ("path", "folder", "dir", "file", "root", "uri")

_LONGEST = 10_000  # letters of an override
_LONGEST_PART = 255  # bytes of a name in a path, as file systems have it
_LONGEST_SHOWN = 200
_NEEDED = {item.name for item in fields(Config)}

# What people type who come from other projects, and what a key was called before.
ALIASES = {
    "from": "resume_from",
    "conf": "score_threshold",
    "threshold": "score_threshold",
    "task.score_threshold": "score_threshold",
}


_EXPORTS = ("task=export", "task=benchmark")
_EXPORTED_AS = ("format", "precision")


def parse(argv: Sequence[str]) -> Namespace:
    """A command line, `sys.argv` without the program, as Hydra's parser takes it, its overrides as they were meant.

    The value of a key that holds a path is taken as the shell delivered it: blanks, brackets, commas, `=`, `#` and
    backslashes are part of it; `~/` is the home folder. With -m a comma lists several paths, unless all of it is one.

    Raises:
        UserError: an override that Hydra cannot read, with the command that it can.
    """
    parser = get_args_parser()
    parser.error = _refuse_flag  # type: ignore[method-assign]  # which would print ten lines and leave
    args = parser.parse_intermixed_args(list(argv))
    for line in args.overrides:
        _check_length(line)
    lines = [_meant(line, args.multirun) for line in _of_task(args.overrides)]
    for given, line in zip(args.overrides, lines, strict=True):
        _check_key(line)
        if not is_readable(line):
            raise UserError(_corrected(argv, given))
    args.overrides = lines
    return args


def _refuse_flag(message: str) -> NoReturn:
    """What argparse says, in a sentence."""
    unknown = re.match(r"unrecognized arguments: -+([\w.]+)(=?)(.*)", message, re.DOTALL)
    if unknown and (unknown[2] or "." in unknown[1]):
        raise UserError(f"--{unknown[1]} is no flag; a key is set without dashes: {unknown[1]}={unknown[3] or '...'}")
    if unknown:
        raise UserError(f"--{unknown[1]} is no flag; python run.py --help and --hydra-help show what there is")
    flags, _, said = message.removeprefix("argument ").partition(": ")
    raise UserError(f"{flags}: {said or 'not understood'}; python run.py --hydra-help shows the flags")


def _check_length(line: str) -> None:
    """Hydra's parser takes minutes for what is this long, and no file system has such a path."""
    key, shown = key_of(line), f"{line[:60]}…"
    if len(line) > _LONGEST or len(key) > _LONGEST_PART:
        hint = "put such a value into a YAML of your own (--config-dir FOLDER)"
        raise UserError(f"{shown} has {len(line)} letters, and at most {_LONGEST} are read; {hint}")
    path = line.partition("=")[2]
    if _is_path(key) and any(len(os.fsencode(part)) > _LONGEST_PART for part in re.split(r"[/,]", path)):
        raise UserError(f"{shown} cannot be a path: a name in it has more than {_LONGEST_PART} letters")


def _check_key(line: str) -> None:
    """What is left out or empty where something must be."""
    key, _, value = line.partition("=")
    if not key_of(line):
        raise UserError(f"'{line}' cannot be read; write key=value")
    if _is_path(key) and line != key and value in ("", "''", '""'):
        raise UserError(f"{key}= has no value; give a path, or leave {key} out")
    if key_of(line) == "task" and re.search(r"[,(]", value):
        raise UserError(f"task takes one value; run the command once for each of {value}")
    if line.startswith("~") and (name := key_of(line)) in _NEEDED:
        raise UserError(f"{line}: {name} cannot be left out; give it a value instead: {name}=...")


def _of_task(lines: Sequence[str]) -> list[str]:
    """The overrides, of which those that exports are asked for by are its own: `format=onnx precision=int8`."""
    if not any(task in lines for task in _EXPORTS):
        return list(lines)
    return [f"task.{line}" if key_of(line) in _EXPORTED_AS else line for line in lines]


def renamed(line: str) -> str:
    """An override with the name that its key has now."""
    key = key_of(line)
    return line.replace(key, ALIASES.get(key, key), 1)


def _meant(line: str, multirun: bool) -> str:
    line = renamed(line)
    head, equals, value = line.partition("=")
    if not equals or not _is_path(key_of(line)):
        return at_home(line)
    swept = multirun and re.match(r"(choice|glob|range|sort)\(", value)
    if value in ("", "null", "???") or _is_quoted(value) or swept:
        return line
    several = multirun and key_of(line) != "source" and not Path(value).expanduser().exists()
    return f"{head}={','.join(map(_quoted, value.split(',') if several else [value]))}"


def _quoted(path: str) -> str:
    """A path as a value of Hydra's grammar, in quotes where it would be something else without; null is none."""
    if path == "null":
        return path
    path = re.sub(r"^~(?=/)", lambda _: str(Path.home()), path)
    plain = is_readable(f"key={path}") and str(by_key([f"key={path}"])["key"].value()) == path
    return path if plain else quote(path)


def _is_path(key: str) -> bool:
    return key in _PATH_KEYS or (not key.startswith("hydra") and key.rpartition(".")[2] in _PATH_NAMES)


def _is_quoted(value: str) -> bool:
    return len(value) > 1 and value[0] == value[-1] and value[0] in "'\""


def _corrected(argv: Sequence[str], line: str) -> str:
    """The sentence on a line that cannot be read: with the whole command, its value quoted, where that helps."""
    head, equals, value = line.partition("=")
    if len(line) > _LONGEST_SHOWN or not line.isprintable():
        return f"{line[:_LONGEST_SHOWN]!r} cannot be read; write key=value, of characters that can be printed"
    quoted = f'{head}="{value}"' if '"' not in value and not value.endswith("\\") else f"{head}={quote(value)}"
    if not equals or not is_readable(quoted):
        return f"'{line}' cannot be read; write key=value"
    command = shlex.join(["python", "run.py", *(quoted if word == line else word for word in argv)])
    return f"{line} cannot be read, as its value has characters that mean something to Hydra; quoted it can: {command}"
