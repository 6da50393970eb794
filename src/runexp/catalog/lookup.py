"""Find entries by name: a short name, a dotted path, or a plug-in's name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from runexp.catalog.entry import Entry
from runexp.catalog.entry_json import entry_names, find_entry
from runexp.catalog.functions import FUNCTIONS
from runexp.catalog.language import LANGUAGE
from runexp.catalog.libraries import LIBRARIES, Library, catalog_text
from runexp.catalog.losses import LOSSES
from runexp.catalog.plugins import PLUGIN_KINDS, plugin_entry, plugin_names
from runexp.catalog.schedules import SCHEDULES
from runexp.catalog.short_names import SHORT_NAMES, ShortName
from runexp.catalog.sources import SOURCES
from runexp.diagnostics import nearest

KINDS = (
    "module",
    "loss",
    "optimizer",
    "schedule",
    "estimator",
    "transform",
    "metric",
    "splitter",
    "dataset",
    "callback",
    "sampler",
    "merge",
    "tracker",
    "function",
)

_OWN: Mapping[str, tuple[Mapping[str, Entry], ...]] = {
    "schedule": (SCHEDULES,),
    "dataset": (SOURCES,),
    "loss": (LOSSES, LANGUAGE["loss"]),
    "metric": (LANGUAGE["metric"],),
    "function": (FUNCTIONS,),
}
"""What runexp provides itself, by kind."""


def lookup(name: str, kind: str | Iterable[str] | None = None) -> Entry | None:
    """The entry of that name, of the first of the kinds that has one.

    Estimators that transform and do not predict have the kind `transform`.
    """
    for one in _kinds(kind):
        found = _find(name, one)
        if found is not None:
            return found
    return None


def names(kind: str | Iterable[str] | None = None) -> tuple[str, ...]:
    """Every name `lookup` knows: short ones first, each group sorted."""
    known = {name for one in _kinds(kind) for name in _names_of_kind(one)}
    return tuple(sorted(known, key=lambda name: ("." in name, name)))


def search(text: str) -> tuple[Entry, ...]:
    """Entries whose names have the text in them, then those whose summary has."""
    wanted = text.casefold()
    entries = {(entry.kind, entry.name): entry for kind in KINDS for entry in _entries_of_kind(kind)}
    by_name = {key: entry for key, entry in entries.items() if _named(entry, wanted)}
    by_summary = {key: entry for key, entry in entries.items() if wanted in entry.summary.casefold()}
    return tuple((by_name | by_summary).values())


def suggest(name: str, kind: str | Iterable[str] | None = None) -> tuple[str, ...]:
    """Names that `name` may have been meant to be, the likeliest first."""
    known = names(kind)
    by_label = {entry.rpartition(".")[2]: entry for entry in reversed(known)}
    close = (nearest(name, known), by_label.get(nearest(name.rpartition(".")[2], by_label) or ""))
    return tuple(dict.fromkeys(found for found in close if found))


def _kinds(kind: str | Iterable[str] | None) -> tuple[str, ...]:
    if kind is None:
        return KINDS
    return (kind,) if isinstance(kind, str) else tuple(kind)


@cache
def _own(kind: str) -> Mapping[str, Entry]:
    return {name: entry for table in _OWN.get(kind, ()) for name, entry in table.items()}


@cache
def _find(name: str, kind: str) -> Entry | None:
    own = _own(kind)
    if name in own:
        return own[name]
    if kind == "function":
        return None
    short = SHORT_NAMES.get(kind, {}).get(name)
    if short is not None:
        return _expanded(name, kind, short)
    return _library_entry(name, kind) or plugin_entry(name, kind)


def _expanded(name: str, kind: str, short: ShortName) -> Entry | None:
    """What a short name stands for; one that fixes arguments is an entry of its own, without those."""
    entry = _library_entry(short.path, kind)
    if entry is None or not short.fixed:
        return entry
    return dataclasses.replace(
        entry,
        name=name,
        short=(name,),
        fixed=short.fixed,
        parameters=tuple(found for found in entry.parameters if found.name not in short.fixed),
    )


def _library_entry(name: str, kind: str) -> Entry | None:
    for library in _libraries(name, kind):
        entry = find_entry(catalog_text(library, kind), name, kind)
        if entry is not None:
            return dataclasses.replace(entry, short=_short_names(name, kind))
    return None


def _libraries(name: str, kind: str) -> Iterator[Library]:
    """The libraries that may have the name: by its first part, or all of them where it has no dot."""
    package, dot, _ = name.partition(".")
    for library in LIBRARIES:
        if kind in library.kinds and (not dot or library.package == package):
            yield library


def _short_names(name: str, kind: str) -> tuple[str, ...]:
    own = (name,) if "." not in name else ()
    table = SHORT_NAMES.get(kind, {})
    return own + tuple(short for short, found in table.items() if found.path == name and not found.fixed)


def _entries_of_kind(kind: str) -> Iterator[Entry]:
    found = (_find(name, kind) for name in _names_of_kind(kind))
    return (entry for entry in found if entry is not None)


@cache
def _names_of_kind(kind: str) -> tuple[str, ...]:
    own = _own(kind)
    shipped = [
        name for library in LIBRARIES if kind in library.kinds for name in entry_names(catalog_text(library, kind))
    ]
    plugins = plugin_names(kind) if kind in PLUGIN_KINDS else ()
    return tuple(dict.fromkeys((*own, *SHORT_NAMES.get(kind, {}), *shipped, *plugins)))


def _named(entry: Entry, wanted: str) -> bool:
    return any(wanted in name.casefold() for name in (entry.name, *entry.short))
