"""Names of checkpoints with fields in braces: read and filled in by rules of our own, never by `str.format`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from runexp.plan.names import why_no_run_name

POSITION = ("phase", "epoch", "batch", "step")
"""The fields that say where a phase stands."""

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::0?([1-9])?(?:\.([0-9]))?[dfg]?)?\}")
_BRACE = re.compile(r"\{[^{}]*\}?|\}")
_LONGEST = 200


def fields_of(template: str) -> tuple[str, ...]:
    """The names in braces, in order."""
    return tuple(found[1] for found in _FIELD.finditer(template))


def why_no_template(template: str, phase: str) -> str:
    """What is wrong with a template as the name of a folder, whatever its fields will be; empty if nothing is."""
    rest = _FIELD.sub("", template)
    odd = _BRACE.search(rest)
    if odd:
        return f"`{odd[0]}` is no field: one is written `{{epoch}}`, `{{epoch:4}}` or `{{val_loss:.3}}`"
    return why_no_run_name(filled(template, dict.fromkeys(fields_of(template), 0.5) | {"phase": phase}))


def filled(template: str, values: Mapping[str, float | str]) -> str:
    """The name: numbers are filled up with zeros to the digits asked for; `none` stands for what was not measured."""
    return _FIELD.sub(lambda found: _shown(values.get(found[1]), found[2], found[3]), template)[:_LONGEST]


def _shown(value: float | str | None, digits: str | None, decimals: str | None) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value.replace("/", "-")
    if not math.isfinite(value):
        return str(value)
    text = f"{value:.{decimals}f}" if decimals is not None else str(value) if isinstance(value, int) else f"{value:.6g}"
    return text.replace("+", "").zfill(int(digits or 0))
