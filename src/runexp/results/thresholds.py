"""Thresholds on final numbers: `>= 0.95`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping

_WRITTEN = re.compile(r"\s*(>=|<=|>|<|==)\s*(\S+)\s*")
_COMPARED: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}


def missed(thresholds: Mapping[str, str], metrics: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """A sentence for each threshold that the final numbers of the phases miss, by `<phase>.<number>`.

    A number that was not measured, or is none, misses every threshold.
    """
    numbers = {f"{phase}.{name}": value for phase, found in metrics.items() for name, value in found.items()}
    for address, written in thresholds.items():
        match = _WRITTEN.fullmatch(written)
        if match is None:
            raise ValueError(f"{written!r} is no threshold")
        value = numbers.get(address)
        if value is None:
            yield f"`{address}` was not measured, and {written.strip()} was asked"
        elif not _COMPARED[match[1]](value, float(match[2])):
            yield f"`{address}` is {value:.6g}, and {written.strip()} was asked"
