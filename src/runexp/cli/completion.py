"""What the shell offers after TAB: specs, phases of the spec given, names of the catalog. Never fails, stays fast."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer


def complete_spec(incomplete: str) -> list[str]:
    """YAML files and folders that begin with what was typed."""
    folder, _, begun = incomplete.rpartition("/")
    place = folder + "/" if folder or incomplete.startswith("/") else ""
    try:
        entries = sorted(os.scandir(place or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    offered = [f"{place}{entry.name}" + ("/" if entry.is_dir() else "") for entry in entries if _is_offered(entry)]
    return [name for name in offered if name[len(place) :].startswith(begun)]


def complete_phase(ctx: typer.Context, incomplete: str) -> list[str]:
    """The labels of the phases and groups in the spec of the command line."""
    # Words behind an option that still lacks its value are left in `args`.
    spec = ctx.params.get("spec") or next((word for word in ctx.args if not word.startswith("-")), None)
    if not isinstance(spec, str):
        return []
    from runexp.source import read

    document, _ = read(spec)
    phases = document.plain().get("phases") if document else None
    return [label for label in _labels(phases, "") if label.startswith(incomplete)]


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the catalog, of the kind asked for where there is one; dotted ones only once begun."""
    from runexp.catalog import KINDS, names

    kind = ctx.params.get("kind") or ""
    known = names(kind if kind in KINDS else None)
    return [name for name in known if name.startswith(incomplete) and (incomplete or "." not in name)]


def complete_kind(incomplete: str) -> list[str]:
    """The kinds of the catalog."""
    from runexp.catalog import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def complete_template(incomplete: str) -> list[tuple[str, str]]:
    """The templates of `init`, with what each is."""
    from runexp.api.templates import templates

    return [(name, summary) for name, summary in templates().items() if name.startswith(incomplete)]


def complete_run(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of the runs below --runs, the newest first, with the name of each; then names and `last`."""
    from runexp.store.scan import scan

    places = sorted(scan(_runs(ctx)), key=lambda place: place.rpartition("/")[2], reverse=True)
    pairs = [(place.rpartition("/")[2], place.rpartition("/")[0]) for place in places]
    words = [*pairs, *((name, "a name") for name in dict.fromkeys(name for _, name in pairs) if name)]
    words += [("last", "the newest")] if pairs else []
    given = ctx.params.get("references") or ctx.params.get("reference") or ()
    return [word for word in words if word[0].startswith(incomplete) and word[0] not in given]


def complete_status(incomplete: str) -> list[str]:
    """How a run may stand."""
    from runexp.results.run_record import STATES

    return [state for state in STATES if state.startswith(incomplete)]


def _runs(ctx: typer.Context) -> Path:
    """The folder of runs of the command line, of the environment, or the usual one."""
    return Path(ctx.params.get("runs") or os.environ.get("RUNEXP_RUNS") or "runs")


def _is_offered(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return False
    return entry.name.endswith((".yaml", ".yml")) or entry.is_dir()


def _labels(phases: Any, prefix: str) -> Iterator[str]:  # noqa: ANN401 - whatever a spec holds there
    if not isinstance(phases, Mapping):
        return
    for name, phase in phases.items():
        yield f"{prefix}{name}"
        if isinstance(phase, Mapping):
            yield from _labels(phase.get("phases"), f"{prefix}{name}/")
