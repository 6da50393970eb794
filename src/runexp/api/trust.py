"""Whether the code that a spec brings may run: it may from the project one works in, else somebody has to agree."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from runexp.api.checking import Checked
from runexp.catalog import find_own
from runexp.diagnostics import Diagnostic, SpecError
from runexp.runtime.importing import OwnModules

_PROJECT = (".git", "pyproject.toml", "runexp.toml")
_WRITTEN_BY_HAND = "--set"


def allowing(checked: Checked, prefixes: Sequence[str]) -> Checked:
    """The spec with code below these prefixes agreed to."""
    return replace(checked, allowed=(*checked.allowed, *prefixes))


def distrusted(checked: Checked) -> tuple[Diagnostic, ...]:
    """The prefixes of `imports` that nobody has agreed to, of a spec from outside of the current project."""
    return tuple(_distrusted(checked))


def code_of(checked: Checked) -> tuple[str, ...]:
    """What `imports` lets run, each with the file or folder it is in: `mycode (specs/mycode.py)`."""
    named = []
    for prefix in _prefixes(checked):
        place = find_own(prefix, roots_of(checked))
        named.append(f"{prefix} ({_from_here(place)})" if place else prefix)
    return tuple(named)


def own_modules(checked: Checked) -> OwnModules:
    """The context in which the code of a spec can be imported. `SpecError` where nobody has agreed to it."""
    found = distrusted(checked)
    if found:
        raise SpecError(found)
    prefixes = _prefixes(checked)
    return OwnModules(roots_of(checked) if prefixes else (), prefixes)


def roots_of(checked: Checked) -> tuple[Path, ...]:
    """Where code of the user's is looked for before all else: beside the spec, then where one stands."""
    return (checked.folder, Path.cwd())


def _distrusted(checked: Checked) -> Iterator[Diagnostic]:
    for index, prefix in enumerate(checked.parsed_spec.imports):
        path = ("imports", index)
        span = checked.document.span_of(path) if checked.document else None
        written_in = span.file if span else checked.path
        if written_in == _WRITTEN_BY_HAND or _is_at_home(written_in) or _is_agreed(prefix, checked.allowed):
            continue
        yield Diagnostic(
            "untrusted-import",
            f"this spec comes from outside of the current project and would run the code of `{prefix}`",
            span,
            label="not agreed to",
            help=f"read that code; then `--allow-import {prefix.removesuffix('.*')}`",
            path=f"imports.{index}",
        )


def _prefixes(checked: Checked) -> tuple[str, ...]:
    return tuple(prefix.removesuffix(".*") for prefix in checked.parsed_spec.imports)


def _is_agreed(prefix: str, allowed: Sequence[str]) -> bool:
    wanted = prefix.removesuffix(".*")
    return any(wanted == one.removesuffix(".*") or wanted.startswith(f"{one.removesuffix('.*')}.") for one in allowed)


def _is_at_home(file: str) -> bool:
    """Whether a spec lies in the project one stands in: below the nearest folder that says it is one."""
    if file == "-" or file.startswith("<"):
        return False
    here = Path(os.path.realpath(Path.cwd()))
    spec = Path(os.path.realpath(file))
    project = next((folder for folder in (here, *here.parents) if _is_project(folder)), None)
    if project is None and here in (Path(here.anchor), Path(os.path.realpath(Path.home()))):
        return spec.parent == here  # everything lies below these, and they are nobody's project
    return spec.is_relative_to(project or here)


def _is_project(folder: Path) -> bool:
    return any((folder / name).exists() for name in _PROJECT)


def _from_here(place: str) -> str:
    return os.path.relpath(place) if Path(place).is_relative_to(Path.cwd()) else place
