"""What differs between two plans, by address; where something was written does not count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runexp.plan.experiment import Plan, dump
from runexp.records import dataclass

_NAMES = ("name", "label")
_SILENT = ("origin", "kind_of")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference; a side that does not have the address is `ABSENT`."""

    address: str
    before: Any
    after: Any


ABSENT = object()
"""Stands where one plan does not have an address."""


def difference(before: Plan, after: Plan) -> tuple[Change, ...]:
    """Every address at which two plans differ, in the order of the first; then what only the second has."""
    old, new = dict(_flat(dump(before), "")), dict(_flat(dump(after), ""))
    addresses = [*old, *(address for address in new if address not in old)]
    return tuple(
        Change(address, old.get(address, ABSENT), new.get(address, ABSENT))
        for address in addresses
        if old.get(address, ABSENT) != new.get(address, ABSENT)
    )


def _flat(value: Any, address: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - plain JSON data
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            if key not in _SILENT:
                yield from _flat(item, f"{address}.{key}" if address else key)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            yield from _flat(item, f"{address}.{_named(item, index)}")
    else:
        yield address, value


def _named(item: Any, index: int) -> str:  # noqa: ANN401 - plain JSON data
    """An item of a list by its own name, so that one that moves is not a difference in all that follow."""
    names = [item[key] for key in _NAMES if isinstance(item, Mapping) and item.get(key)]
    return str(names[0]) if names else str(index)
