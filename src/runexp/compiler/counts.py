"""Sizes that only the data know: `${classes:<data>.<key>}`, the number of codes of a key, as an argument of a node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from runexp.compiler.findings import Findings, Path
from runexp.plan.data import DataPlan, KeyPlan
from runexp.plan.graph import Feed
from runexp.plan.values import COUNT

_ORDINAL = "sklearn.preprocessing:OrdinalEncoder"


def check_counts(found: Findings, arguments: Mapping[str, object], path: Path, data: Mapping[str, DataPlan]) -> None:
    """Report counts of keys that there are not, or that hold no classes."""
    for name, value in arguments.items():
        match = COUNT.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            continue
        place = (*path, name)
        if match[1] not in found.names("data"):
            found.unknown("feature set", match[1], place, found.names("data"))
        elif match[1] in data and not found.is_damaged(("data", match[1])):
            _check_key(found, data[match[1]], match[2], place)


def counted_feeds(feeds: Iterable[Feed], data: Mapping[str, DataPlan]) -> bool:
    """Whether the first input of a node holds codes whose number is known, so that an embedding's size is."""
    first = next(iter(feeds), None)
    if first is None or first.source != "data" or first.name not in data:
        return False
    plan = data[first.name]
    key = next((key for key in plan.keys if key.name == first.key), None)
    return key is not None and (key.is_tokens or plan.source.is_stream or _is_ordinal(plan, key))


def _check_key(found: Findings, plan: DataPlan, name: str, path: Path) -> None:
    keys = {key.name: key for key in plan.keys}
    if name not in keys:
        found.unknown("data key", name, path, tuple(keys))
    elif keys[name].domain == "features" and not keys[name].is_tokens and not _is_ordinal(plan, keys[name]):
        found.error(
            "wrong-value",
            f"`{plan.name}.{name}` holds numbers, not classes that could be counted",
            path,
            help=_listed([key for key in plan.keys if key.is_tokens or _is_ordinal(plan, key)], plan.name),
        )


def _is_ordinal(plan: DataPlan, key: KeyPlan) -> bool:
    return any(key.name in step.keys and step.call.target == _ORDINAL for step in plan.transforms)


def _listed(keys: Sequence[KeyPlan], data: str) -> str:
    written = ", ".join(f"`{data}.{key.name}`" for key in keys)
    return (
        f"there are {written}"
        if keys
        else "classes are those of a tokenizer, of a text target or `categorical: ordinal`"
    )
