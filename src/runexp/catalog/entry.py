"""What the catalog knows about a class or function: where it is, and what it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal, TypeAlias

from runexp.records import dataclass

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

RangeType: TypeAlias = Literal["int", "float", "real"]


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers a parameter takes: whole ones (`int`), all but whole ones (`float`), or both (`real`).

    A bound of None is open. A parameter with several ranges takes a number that lies in any of them.
    """

    type: RangeType
    minimum: float | None = None
    maximum: float | None = None
    includes_minimum: bool = True
    includes_maximum: bool = True

    def __contains__(self, number: float) -> bool:
        """Whether the number has the right type and lies between the bounds, where NaN never lies."""
        if self.type != "real" and isinstance(number, int) != (self.type == "int"):
            return False
        return self._above_minimum(number) and self._below_maximum(number)

    def _above_minimum(self, number: float) -> bool:
        low = self.minimum
        return low is None or number > low or (self.includes_minimum and number == low)

    def _below_maximum(self, number: float) -> bool:
        high = self.maximum
        return high is None or number < high or (self.includes_maximum and number == high)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One keyword argument.

    `types` are words: int, float (whole numbers too), infinity, bool, str, none, list, tuple (from a list),
    tensor, mapping, callable, object (something made with `use:`), any. Where there are `choices` or `ranges`
    of a word's kind, it is limited to them.
    """

    name: str
    required: bool = False
    default: Json = None
    default_text: str = ""
    types: tuple[str, ...] = ("any",)
    choices: tuple[bool | int | float | str | None, ...] = ()
    ranges: tuple[Range, ...] = ()
    summary: str = ""

    @property
    def has_plain_default(self) -> bool:
        """Whether `default` is the default itself; NaN, a function or a class only has a `default_text`."""
        return not self.required and (self.default is not None or self.default_text == "None")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing `use:` can name.

    `target` is `package.module:attribute`, empty for what runexp itself provides under that name.
    `fixed` are the keyword arguments a short name stands for (`f1_macro` is `f1_score` with average=macro).
    """

    name: str
    target: str
    kind: str
    summary: str = ""
    parameters: tuple[Parameter, ...] = ()
    accepts_any: bool = False
    short: tuple[str, ...] = ()
    fixed: Mapping[str, Json] = field(default_factory=dict, hash=False)
    traits: Mapping[str, Json] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> str:
        """The name without the path to it: `PCA` for `sklearn.decomposition.PCA`."""
        return self.name.rpartition(".")[2]

    def words(self, trait: str) -> tuple[str, ...]:
        """The words of a trait that is a list, or the names of one that is a mapping; empty where it has none."""
        value = self.traits.get(trait)
        return tuple(str(item) for item in value) if isinstance(value, (Sequence, Mapping)) else ()

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name, if there is one."""
        return next((parameter for parameter in self.parameters if parameter.name == name), None)
