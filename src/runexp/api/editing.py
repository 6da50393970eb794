"""A spec changed in Python and written back: comments, order and layout stay as they were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml.error import YAMLError

from runexp.api.layout import Part, layout
from runexp.api.readable import readable
from runexp.api.yaml_text import quoted, written
from runexp.diagnostics import Diagnostic, Span, SpecError, did_you_mean
from runexp.source.files import read_bytes
from runexp.store.atomic import write_atomically

_FILE = "<text>"
_START = Span(_FILE, 1, 1, 1, 1)


def load_text(path: Path | str) -> str:
    """The text of a spec as it was written; `SpecError` with every mistake where it cannot be read."""
    shown = str(path)
    try:
        data = read_bytes(shown)
    except OSError as error:
        message = f"cannot read `{shown}`: {error}"
        raise SpecError([Diagnostic("cannot-read", message, Span(shown, 1, 1, 1, 1))]) from error
    return readable(data, shown).text


def save_text(path: Path | str, text: str) -> None:
    """Write a spec in one step: what stood there before, or all of the new text."""
    write_atomically(Path(path), text)


def set_value(text: str, path: str | Sequence[str | int], value: object) -> str:
    """The text with the value at a path replaced, or put at the end of the mapping that lacks it.

    A path is `phases.train.epochs`, or a list of keys and indexes. The new value stands on one line. `SpecError`
    for a text that is no YAML, and for a path that leads through what is not there, or through an alias.
    """
    steps = path.split(".") if isinstance(path, str) else list(path)
    if not steps:
        raise ValueError("a path names at least one key")
    parent = _parts(text)
    for depth, step in enumerate(steps[:-1]):
        parent = _inside(parent, step, _shown(steps[: depth + 1]))
    place = parent.get(steps[-1])
    if place is not None:
        changed = text[: place.start] + _spaced(text, place, parent, written(value)) + text[place.end :]
    elif parent.kind == "mapping":
        changed = _added(text, parent, f"{quoted(str(steps[-1]))}: {written(value)}")
    else:
        raise _wrong(parent, f"`{_shown(steps[:-1])}` holds no `{steps[-1]}`")
    _parts(changed)  # an anchor that went with the old value may be missed elsewhere
    return changed


def _parts(text: str) -> Part:
    readable(text, _FILE)
    try:
        parts = layout(text)
    except YAMLError as error:
        raise SpecError([Diagnostic("yaml-syntax", str(error).splitlines()[0], _START)]) from error
    if parts is None:
        raise SpecError([Diagnostic("empty-spec", "the text holds no spec", _START)])
    return parts


def _inside(parent: Part, step: str | int, shown: str) -> Part:
    found = parent.get(step)
    if found is None:
        raise _wrong(parent, f"there is no `{shown}`", did_you_mean(str(step), [key.text for key in parent.keys]))
    if found.kind == "alias":
        hint = "set it where its anchor stands, or write the value out first"
        raise _wrong(found, f"`{shown}` is an alias: what it stands for is used elsewhere too", hint)
    return found


def _spaced(text: str, place: Part, parent: Part, value: str) -> str:
    """A value needs a space after a colon or dash, and stands deeper than its key on a line of its own."""
    if text[place.start - 1 : place.start] in (":", "-"):
        return f" {value}"
    is_below_key = place.kind == "list" and not place.is_flow and place.column <= parent.column
    return f"  {value}" if is_below_key else value


def _added(text: str, parent: Part, entry: str) -> str:
    """The text with one more entry at the end of a mapping."""
    if parent.is_flow:
        content_end = max((item.end for item in parent.items), default=parent.start + 1)
        comma = ", " if parent.items else ""
        return text[:content_end] + comma + entry + text[content_end:]
    indent = " " * parent.column
    if text[parent.end - 1 : parent.end] == "\n":  # a block scalar ends with its line
        return f"{text[: parent.end]}{indent}{entry}\n{text[parent.end :]}"
    line_end = text.find("\n", parent.end)
    at = len(text) if line_end < 0 else line_end
    return f"{text[:at]}\n{indent}{entry}{text[at:]}"


def _wrong(part: Part, message: str, hint: str = "") -> SpecError:
    span = Span(_FILE, part.line + 1, part.column + 1, part.line + 1, part.column + 2)
    return SpecError([Diagnostic("unknown-path", message, span, help=hint)])


def _shown(steps: Sequence[str | int]) -> str:
    return ".".join(map(str, steps))
