"""The runs there are, and the one that a reference means."""

from __future__ import annotations

import os.path
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runexp.diagnostics import did_you_mean
from runexp.store.scan import is_run, scan
from runexp.store.status import STATUS, Status, read_status

LAST = "last"


class UnknownRun(Exception):  # noqa: N818 - it reads as what happened
    """No run is meant by this reference."""


class AmbiguousRun(Exception):  # noqa: N818 - it reads as what happened
    """More than one run is meant by this reference."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run that lies below the folder of runs; `status` is None where it cannot be read."""

    path: Path
    name: str
    id: str
    status: Status | None


def list_runs(runs: Path) -> tuple[RunEntry, ...]:
    """Every run at runs/<name>/<id>/, the oldest first."""
    folders = [runs / place for place in scan(runs)]
    entries = (RunEntry(path, _name(path, runs), path.name, read_status(path)) for path in folders)
    return tuple(sorted(entries, key=_age))


def find_run(runs: Path, reference: str) -> Path:
    """The folder of a run, meant by its folder, its id, a unique prefix of that, its name, `last` or `<name>/last`.

    `UnknownRun` or `AmbiguousRun` say what could have been meant.
    """
    if not reference:
        raise UnknownRun("an empty reference means no run")
    if is_run(reference):  # answers for every text, where Path raises
        return Path(reference)
    entries = list_runs(runs)
    matches = _newest(entries, reference) or _matches(entries, reference)
    if not matches:
        raise UnknownRun(_unknown(runs, reference, entries))
    if len(matches) > 1:
        raise AmbiguousRun(f"`{reference}` could be {_listed(matches)}{_advice(matches)}")
    return matches[0].path


def _newest(entries: tuple[RunEntry, ...], reference: str) -> list[RunEntry]:
    """The run that `last` or `<name>/last` means."""
    name, _, word = reference.rpartition("/")
    if word != LAST:
        return []
    return [entry for entry in entries if name in ("", entry.name)][-1:]


def _matches(entries: Iterable[RunEntry], reference: str) -> list[RunEntry]:
    """Whole ids and names go before prefixes; `name/id` is as good as an id."""
    begun = [entry for entry in entries if any(text.startswith(reference) for text in _texts(entry))]
    whole = [entry for entry in begun if reference in _texts(entry)]
    return whole or [entry for entry in begun if entry.name == reference] or begun


def _texts(entry: RunEntry) -> tuple[str, str]:
    return entry.id, f"{entry.name}/{entry.id}"


def _name(path: Path, runs: Path) -> str:
    return path.parent.name if path.parent != runs else path.name


def _age(entry: RunEntry) -> tuple[str, str]:
    return (entry.status.started if entry.status else "", entry.id)


def _unknown(runs: Path, reference: str, entries: tuple[RunEntry, ...]) -> str:
    if os.path.isdir(reference):
        return f"{reference} is a folder but no run: it has no {STATUS}"
    if not entries:
        return f"no run `{reference}`: there are none in {runs}"
    newest = [entry.id for entry in reversed(entries)]
    names = dict.fromkeys(entry.name for entry in reversed(entries))
    return f"no run `{reference}` in {runs}; {did_you_mean(reference, [*names, *newest], kind='runs', most=8)}"


def _advice(matches: list[RunEntry]) -> str:
    names = {entry.name for entry in matches}
    return f"; `{next(iter(names))}/{LAST}` is the newest" if len(names) == 1 else ""


def _listed(matches: list[RunEntry], most: int = 5) -> str:
    shown = ", ".join(f"`{entry.name}/{entry.id}`" for entry in matches[-most:])
    return shown + (f" or {len(matches) - most} more" if len(matches) > most else "")
