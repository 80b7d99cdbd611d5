"""The space of a sweep: what its jobs share and what varies between them, in Hydra's own override grammar."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep


@dataclass(frozen=True)
class Space:
    """The overrides of a sweep.

    Attributes:
        shared: those that all jobs have, as Hydra takes them.
        varying: key → its sweep: `a,b`, `choice(a,b)`, `range(1,4)`, `interval(0,1)`, `tag(log, interval(1e-5, 1e-2))`.
    """

    shared: tuple[str, ...]
    varying: Mapping[str, Override]

    def probes(self) -> list[list[str]]:
        """The overrides of jobs that together have every value once, of intervals and ranges both ends.

        What is wrong with one of these is wrong with the sweep, and is known before a search has drawn it.
        """
        values = {key: _values(override) for key, override in self.varying.items()}
        return [
            [*self.shared, *(f"{key}={options[index % len(options)]}" for key, options in values.items())]
            for index in range(max(map(len, values.values()), default=1))
        ]


def read_space(params: Mapping[str, Any] | None, overrides: Sequence[str], parser: OverridesParser) -> Space:
    """The space of `hydra.sweeper.params` and a command line's overrides, which win over them.

    Raises:
        OverrideParseException: an override that is none.
    """
    lines = [*(f"{key}={value}" for key, value in (params or {}).items()), *overrides]
    merged = {parsed.get_key_element(): parsed for parsed in parser.parse_overrides(lines)}
    shared = [str(parsed.input_line) for parsed in merged.values() if not parsed.is_sweep_override()]
    return Space(tuple(shared), {key: parsed for key, parsed in merged.items() if parsed.is_sweep_override()})


def _values(override: Override) -> list[str]:
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [str(value.start), str(value.end)]
    values = list(override.sweep_string_iterator())
    return [values[0], values[-1]] if isinstance(value, RangeSweep) else values
