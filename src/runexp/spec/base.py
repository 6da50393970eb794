"""What every section of the language is made of: strict frozen models, names, and `use`/`with`."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=100, description="letters, digits, `_`, `-`"),
]
"""A name a user gives to a definition."""

Pattern = Annotated[str, Field(min_length=1, max_length=256)]
"""A column name, or a shell pattern (`pixel_*`) that gathers several."""

Reference = Annotated[str, Field(min_length=1, max_length=256)]
"""The written form of a link: a name, `outputs`, `targets.label`, `digits.pixels`."""

OwnName = Annotated[
    str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$", max_length=256, description="a dotted path to code of yours")
]
"""A class or function that only the user can bring."""

Arguments = dict[str, JsonValue]
"""Keyword arguments of what `use:` names; a value may itself be a `{use:, with:}` mapping."""

Scalar = str | int | float | bool
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Section(BaseModel):
    """The base of everything a spec holds: immutable, strictly typed, closed to unknown keys."""

    # The validators of all sections are built once, as part of the whole spec's: deferring them halves start-up.
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", ser_json_inf_nan="constants", defer_build=True)

    later: ClassVar[str] = ""
    """What a section is that is parsed and checked but cannot run yet; empty: it can."""


class Use(Section):
    """One thing made from a name of the catalog: `use` names it, `with` gives its keyword arguments."""

    use: Annotated[Reference, Field(description="a short name of the catalog or a dotted path")]
    arguments: Annotated[Arguments, Field(alias="with", description="its keyword arguments")] = {}
