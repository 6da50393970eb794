"""A plan as an outline: labels, text and what lies below. No drawing here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from runexp.plan.values import Call, Origin


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of an outline and the lines below it."""

    label: str
    text: str = ""
    below: tuple[Branch, ...] = ()


def described(value: object, *, leave_out: tuple[str, ...] = ()) -> str:
    """Every plain field of a part of the plan as `name=value`, so that no default is hidden."""
    named = ((field.name, getattr(value, field.name)) for field in fields(value))  # type: ignore[arg-type]  # dataclass
    return ", ".join(
        f"{name}={literal(item)}"
        for name, item in named
        if name not in leave_out and not isinstance(item, (Origin, Call))
    )


def called(call: Call) -> str:
    """A call as one would write it in Python, and where it is found if its name does not say so."""
    arguments = ", ".join(f"{name}={literal(value)}" for name, value in {**call.arguments, **call.fixed}.items())
    home = call.target.replace(":", ".")
    return f"{call.name}({arguments})" + ("" if home in ("", call.name) else f" · {home}")


def literal(value: Any) -> str:  # noqa: ANN401 - any plain value of a plan
    """A plain value as YAML's flow style shows it."""
    match value:
        case Call():
            return called(value)
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case str():
            return value or '""'
        case Mapping():
            return "{" + ", ".join(f"{name}: {literal(item)}" for name, item in value.items()) + "}"
        case tuple() | list():
            return "[" + ", ".join(literal(item) for item in value) + "]"
        case _:
            return str(value)


def listed(names: Iterable[object], *, nothing: str = "none") -> str:
    """Names with commas between."""
    return ", ".join(str(name) for name in names) or nothing
