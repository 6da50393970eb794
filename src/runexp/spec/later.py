"""What the language has and this version cannot run yet: marked where it is defined, found where it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from runexp.records import dataclass
from runexp.spec.base import Section

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Later:
    """Marks a field that is parsed and checked but cannot run yet; with `words`, only these of its values.

    `what` completes the sentence “… is not supported yet”.
    """

    what: str
    words: tuple[str, ...] = ()

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        note = f"not supported yet: {', '.join(self.words)}" if self.words else "not supported yet"
        return {**schema, "description": f"{schema.get('description', '')} ({note})".strip()}


def unsupported(section: Section, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every place of a spec that uses something marked `Later`, with what it is."""
    if section.later:
        yield path, section.later
        return
    for name, field in type(section).model_fields.items():
        if name not in section.model_fields_set:
            continue
        value = getattr(section, name)
        place = (*path, field.alias or name)
        later = next((mark for mark in field.metadata if isinstance(mark, Later)), None)
        if later is not None and _counts(later, value, field.get_default(call_default_factory=True, validated_data={})):
            yield place, later.what
        else:
            yield from _inside(value, place)


def _counts(later: Later, value: Any, default: Any) -> bool:  # noqa: ANN401 - any value of the language
    return value in later.words if later.words else value != default


def _inside(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, Section):
        yield from unsupported(value, path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _inside(item, (*path, key))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _inside(item, (*path, index))
