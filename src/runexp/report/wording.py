"""How names, numbers and times are written. User text is made harmless here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import isfinite

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
# C0 and C1 controls, and the marks that turn the direction of text around.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BARS = "▁▂▃▄▅▆▇█"


def plain(text: object) -> str:
    """One line of text without terminal sequences, control characters and turned directions."""
    return harmless(" ".join(_ESCAPES.sub("", str(text)).split()))


def harmless(text: str) -> str:
    """The text without what could steer a terminal; spaces stay as they are."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def number(value: float) -> str:
    """A number alone: four significant digits, more only where it is a whole one."""
    if not isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.4g}"


def column(values: Iterable[float | None]) -> list[str]:
    """Numbers under each other: as many decimals each, none for whole ones; an empty cell for None."""
    cells = list(values)
    finite = [abs(value) for value in cells if value is not None and isfinite(value)]
    return ["" if value is None else _fixed(value, finite) for value in cells]


def _fixed(value: float, finite: Sequence[float]) -> str:
    largest = max(finite, default=0.0)
    smallest = min((size for size in finite if size), default=1.0)
    if not isfinite(value):
        return str(value)
    if largest >= 1e7 or smallest < 1e-3:
        return f"{value:.3e}"
    if all(size == int(size) for size in finite) and largest >= 2:
        return f"{value:.0f}"
    return f"{value:.{4 if largest < 100 else 2}f}"


def duration(seconds: float) -> str:
    """A length of time: `0.4 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(count: int, noun: str) -> str:
    """A count with its noun: `1 epoch`, `1,200 rows`, `3 batches`."""
    plural = "es" if noun.endswith("ch") and noun != "epoch" else "s"
    return f"{count:,} {noun}{'' if count == 1 else plural}"


def sparkline(values: Sequence[float], width: int, *, low: float, high: float) -> str:
    """A curve in at most `width` characters between two levels; `!` marks what is not finite."""
    return "".join(_bar(value, low, high) for value in _thinned(values, width))


def _bar(value: float, low: float, high: float) -> str:
    if not isfinite(value):
        return "!"
    share = (value - low) / (high - low) if high > low else 0.0
    return _BARS[min(len(_BARS) - 1, max(0, int(share * len(_BARS))))]


def _thinned(values: Sequence[float], width: int) -> Sequence[float]:
    """Means over stretches of about equal length where there are more values than characters."""
    count = len(values)
    if count <= width:
        return values
    edges = [index * count // width for index in range(width + 1)]
    return [_mean(values[start:end]) for start, end in pairwise(edges)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
