"""From what the shell delivered to override lines that Hydra reads as they were meant."""

import re
import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.utils import get_args_parser

from ssd.cli.checks import PATHS
from ssd.config.overrides import at_home, by_key, is_readable, key_of, quote
from ssd.errors import UserError

# Keys whose value is a path as it is, whatever characters are in it; beside them all that are called like one.
_PATH_KEYS = {*PATHS, "weights", "resume", "sweep.resume", "hydra.run.dir", "hydra.sweep.dir", "dataset.data_dir"}
_PATH_NAMES = ("path", "folder", "dir", "file", "root", "uri")

# What people type who come from other projects, and what a key was called before.
ALIASES = {
    "conf": "score_threshold",
    "threshold": "score_threshold",
    "task.score_threshold": "score_threshold",
}


def parse(argv: Sequence[str]) -> Namespace:
    """A command line, `sys.argv` without the program, as Hydra's parser takes it, its overrides as they were meant.

    The value of a key that holds a path is taken as the shell delivered it: blanks, brackets, commas, `=`, `#` and
    backslashes are part of it; `~/` is the home folder. With -m a comma lists several paths, unless all of it is one.

    Raises:
        UserError: an override that Hydra cannot read, with the command that it can.
    """
    args = get_args_parser().parse_intermixed_args(list(argv))
    lines = [_meant(line, args.multirun) for line in args.overrides]
    for given, line in zip(args.overrides, lines, strict=True):
        if not is_readable(line):
            raise UserError(_corrected(argv, given))
    args.overrides = lines
    return args


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
    """A path as a value of Hydra's grammar, in quotes where it would be something else without."""
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
    quoted = f'{head}="{value}"' if '"' not in value and not value.endswith("\\") else f"{head}={quote(value)}"
    if not equals or not is_readable(quoted):
        return f"'{line}' cannot be read; write key=value"
    command = shlex.join(["python", "run.py", *(quoted if word == line else word for word in argv)])
    return f"{line} cannot be read, as its value has characters that mean something to Hydra; quoted it can: {command}"
