"""How much a YAML text asks for: a few kilobytes can mean terabytes (aliases of aliases), or more depth than stack."""

from typing import Any

import yaml

from ssd.errors import UserError

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 50  # levels of nesting
_MOST = 100_000  # values, those of aliases counted wherever they are used
_LONGEST_NUMBER = 300  # digits


def check_structure(text: str, shown: str) -> None:
    """One pass over YAML's events, which are not recursive: the depth, and the size with all aliases.

    Args:
        text: of a file.
        shown: what the file is called in a sentence.

    Raises:
        UserError: it nests too deep, or comes to too many values.
        YAMLError: it is no YAML.
    """
    open_nodes: list[list[Any]] = []  # [anchor, values in it]
    sizes: dict[str, int] = {}
    total = 0
    for event in yaml.parse(text, Loader=LOADER):
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
