"""Frozen dataclasses without generated code, for the rooms that `validate` goes through.

`dataclasses.dataclass` writes and compiles some seven functions for each class, which takes 0.4 ms, and there are more
than a hundred. Here the classes share the same functions. Their meaning, `fields`, `replace`, `asdict`, pickling and
type checking are as in the standard library; only what those rooms use is here. Instances have no slots: to have them,
each class would be made twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol


class _Shape:
    """What the shared functions know of a class: its fields in order, and what stands in for those left out.

    `written` holds what the class body says of each field: a default, a `field(…)`, or MISSING.
    """

    __slots__ = ("compared", "defaults", "factories", "hashed", "known", "names", "types", "written")

    def __init__(self, types: dict[str, Any], written: dict[str, Any]) -> None:
        self.types, self.written, self.names, self.known = types, written, tuple(types), frozenset(types)
        made = {name: value for name, value in written.items() if isinstance(value, dataclasses.Field)}
        defaults = {name: made[name].default if name in made else value for name, value in written.items()}
        self.defaults = {name: value for name, value in defaults.items() if value is not dataclasses.MISSING}
        self.factories: dict[str, Callable[[], object]] = {
            name: one.default_factory for name, one in made.items() if one.default_factory is not dataclasses.MISSING
        }
        self.compared = tuple(name for name in types if name not in made or made[name].compare)
        self.hashed = tuple(name for name in self.compared if name not in made or made[name].hash is not False)


class _Record(Protocol):
    __record__: _Shape
    __dataclass_fields__: Any


def _init(self: _Record, *args: object, **kwargs: object) -> None:
    shape = self.__record__
    values = {**shape.defaults, **dict(zip(shape.names, args, strict=False)), **kwargs}
    for name, make in shape.factories.items():
        if name not in values:
            values[name] = make()
    if values.keys() != shape.known or len(args) > len(shape.names) or (args and _twice(shape, len(args), kwargs)):
        raise TypeError(f"{type(self).__qualname__} is made of {shape.names}, not of {args} and {kwargs}")
    self.__dict__.update(values)  # not attribute by attribute, which is forbidden


def _twice(shape: _Shape, n_args: int, kwargs: dict[str, object]) -> bool:
    return bool(kwargs) and not kwargs.keys().isdisjoint(shape.names[:n_args])


def _eq(self: _Record, other: _Record) -> object:
    if type(other) is not type(self):
        return NotImplemented
    return _of(self, self.__record__.compared) == _of(other, self.__record__.compared)


def _lt(self: _Record, other: _Record) -> object:
    if type(other) is not type(self):
        return NotImplemented
    return _of(self, self.__record__.compared) < _of(other, self.__record__.compared)


def _hash(self: _Record) -> int:
    return hash(_of(self, self.__record__.hashed))


def _of(self: _Record, names: tuple[str, ...]) -> tuple[object, ...]:
    values = self.__dict__
    return tuple([values[name] for name in names])


def _repr(self: _Record) -> str:
    shown = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self.__record__.names)
    return f"{type(self).__qualname__}({shown})"


def _refuse_set(self: object, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


class _Fields:
    """The standard description of the fields, made when the standard library first asks for it."""

    def __get__(self, instance: object, owner: type[_Record]) -> dict[str, dataclasses.Field[Any]]:
        shape = owner.__record__
        described = [
            (name, kind) if shape.written[name] is dataclasses.MISSING else (name, kind, shape.written[name])
            for name, kind in shape.types.items()
        ]
        name, own = owner.__name__, {"__doc__": "the fields alone"}
        bare = dataclasses.make_dataclass(name, described, init=False, repr=False, eq=False, namespace=own)
        known = {item.name: item for item in dataclasses.fields(bare)}
        owner.__dataclass_fields__ = known
        return known


def _record(
    *, frozen: bool, slots: bool = True, eq: bool = True, repr: bool = True, order: bool = False
) -> Callable[[type[Any]], type[Any]]:
    if not (frozen and slots):
        raise TypeError("a record is frozen, and says that it needs no attributes of its own")
    shared: dict[str, Any] = {"__init__": _init, "__setattr__": _refuse_set, "__delattr__": _refuse_delete}
    shared |= {"__dataclass_fields__": _Fields()}
    shared |= ({"__eq__": _eq, "__hash__": _hash} if eq else {}) | ({"__repr__": _repr} if repr else {})
    shared |= {"__lt__": _lt} if order else {}

    def made(cls: type[Any]) -> type[Any]:
        above = next((base.__record__ for base in cls.__mro__[1:] if hasattr(base, "__record__")), None)
        own = {name: kind for name, kind in cls.__annotations__.items() if "ClassVar" not in str(kind)}
        written = {name: cls.__dict__.get(name, dataclasses.MISSING) for name in own}
        types = {**(above.types if above else {}), **own}
        shape = _Shape(types, {**(above.written if above else {}), **written})
        for name in shape.factories:
            if isinstance(cls.__dict__.get(name), dataclasses.Field):
                delattr(cls, name)
        cls.__record__ = shape
        for name, value in {**shared, "__match_args__": shape.names}.items():
            if name not in cls.__dict__ or name == "__hash__":
                setattr(cls, name, value)
        return cls

    return made


if TYPE_CHECKING:  # to a type checker it is the standard one
    from dataclasses import dataclass
else:
    dataclass = _record

__all__ = ["dataclass"]
