"""The error of asking results for something they do not hold."""

from __future__ import annotations

from collections.abc import Iterable

from runexp.diagnostics import did_you_mean


class UnknownNameError(KeyError):
    """Results hold nothing of that name; the message names the nearest and what there is."""

    def __str__(self) -> str:
        return str(self.args[0])  # a KeyError would show its message in quotes


def unknown(kind: str, name: object, known: Iterable[object], *, plural: str = "") -> UnknownNameError:
    """The error for an unknown `kind` of name; `plural` heads the list of what there is."""
    names = [str(item) for item in known]
    if not names:
        return UnknownNameError(f"no {kind} `{name}`: there are none")
    return UnknownNameError(f"no {kind} `{name}`; {did_you_mean(str(name), names, kind=plural or f'{kind}s')}")
