"""pydantic's errors turned into mistakes a person understands: one each, at a place of the document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from runexp.diagnostics import did_you_mean, nearest
from runexp.records import dataclass
from runexp.spec.shape import Path, accepted_kinds, accepted_values, description_at, dotted, known_keys

_NOTHING = object()
_CALL = {"use", "with"}
_SWITCHES = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_MOST_KEYS = 8


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake of shape.

    `path` is what it is about, `place` where it is shown (they differ for a missing key), `cut` what has to be
    removed for the rest to be usable. `meant` is the path of the key that an unknown one likely is, misspelled.
    """

    code: str
    message: str
    path: Path
    place: Path
    part: Literal["key", "value"]
    cut: Path
    label: str = ""
    help: str = ""
    meant: Path = ()


@dataclass(frozen=True, slots=True)
class _Error:
    """A pydantic error with its location split into the document's path and the union branches taken."""

    kind: str
    message: str
    path: Path
    branches: tuple[tuple[Path, str], ...]
    context: Mapping[str, Any]


def mistakes_of(errors: Iterable[Mapping[str, Any]], data: object) -> tuple[Mistake, ...]:
    """One mistake for each thing that is wrong, however many union branches complained of it."""
    read = [_read(error, data) for error in errors]
    kept = _one_branch_each(read, data) or read[:1]
    mistakes = dict.fromkeys(_beside(error, data) or _mistake(error, data) for error in kept)
    return tuple(_without_echoes(tuple(mistakes)))


def _read(error: Mapping[str, Any], data: object) -> _Error:
    path: Path = ()
    branches: list[tuple[Path, str]] = []
    value = data
    steps = error["loc"]
    for position, step in enumerate(steps):
        inner = _value_at(value, step)
        is_missing_key = error["type"] == "missing" and position == len(steps) - 1
        if inner is _NOTHING and not is_missing_key:
            if not branches or branches[-1][0] != path:  # a tag within a branch only narrows it
                branches.append((path, str(step)))
            continue
        path, value = (*path, step), inner
    return _Error(error["type"], error["msg"], path, tuple(branches), error.get("ctx", {}))


def _one_branch_each(errors: Sequence[_Error], data: object) -> list[_Error]:
    """Where several branches of a union complain, keep the one the written value was meant for."""
    offered: dict[Path, dict[str, None]] = defaultdict(dict)
    for error in errors:
        for place, branch in error.branches:
            offered[place][branch] = None
    chosen = {place: _meant(tuple(branches), value_at(data, place)) for place, branches in offered.items()}
    kept = [error for error in errors if all(chosen[place] in (branch, None) for place, branch in error.branches)]
    unmatched = {place for place, branch in chosen.items() if branch is None}
    collapsed = [_Error("union_mismatch", "", place, (), {}) for place in unmatched]
    return [error for error in kept if not _under(error.path, unmatched)] + collapsed


def _meant(branches: tuple[str, ...], value: object) -> str | None:
    if len(branches) == 1:
        return branches[0]
    if isinstance(value, str):
        wanted = [
            branch for branch in branches if branch.startswith("literal[") or ("str" in branch and "[" not in branch)
        ]
    elif isinstance(value, list):
        wanted = [branch for branch in branches if branch.startswith(("tuple[", "list["))]
    elif isinstance(value, dict):
        wanted = [branch for branch in branches if branch.startswith("dict[") or _names_a_model(branch)]
        is_path = "." in str(value.get("use", ""))
        is_made = "use" in value
        wanted.sort(
            key=lambda branch: (
                branch.startswith("dict["),
                (branch == "Custom") != is_path,
                (branch == "Sampler") != is_made,
            )
        )
    else:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        wanted = [branch for branch in branches if is_number and ("float" in branch or "int" in branch)]
    return wanted[0] if wanted else None


def _names_a_model(branch: str) -> bool:
    return branch[:1].isupper() or branch.startswith("tagged-union[")


def _under(path: Path, places: Iterable[Path]) -> bool:
    return any(path[: len(place)] == place for place in places)


def _beside(error: _Error, data: object) -> Mistake | None:
    """Arguments of a layer that stand beside its name instead of below it, for want of two spaces."""
    end = next((at + 2 for at, step in enumerate(error.path[:-1]) if step == "layers" and error.path[at + 1] != ""), 0)
    path = error.path[:end]
    layer = value_at(data, path)
    if not end or not isinstance(path[-1], int) or not isinstance(layer, dict) or len(layer) < 2:
        return None
    name, argument, *_ = layer
    if layer[name] is not None:
        return None
    return Mistake(
        code="wrong-value",
        message=f"`{argument}` stands beside `{name}`, and not below it",
        path=(*path, argument),
        place=(*path, argument),
        part="key",
        cut=owner(path),
        label="an argument of the layer?",
        help=f"indent it deeper than `{name}`, or write `{name}: {{{argument}: {_shown(layer[argument]).strip('`')}}}`",
    )


def _mistake(error: _Error, data: object) -> Mistake:
    if error.kind == "extra_forbidden":
        return _unknown_key(error.path, data)
    if error.kind in ("missing", "union_tag_not_found"):
        return _missing_key(error, data)
    if error.kind in ("union_tag_invalid", "literal_error", "enum"):
        return _unknown_word(error, data)
    if error.path and isinstance(error.path[-1], str) and _is_about_key(error, data):
        return _bad_name(error.path)
    return _wrong_value(error, data)


def _unknown_key(path: Path, data: object, known: Sequence[str] = ()) -> Mistake:
    key, parent = str(path[-1]), path[:-1]
    names = known or known_keys(data, parent)
    close = nearest(key, names)
    is_free = close is not None and value_at(data, (*parent, close)) is _NOTHING
    return Mistake(
        code="unknown-key",
        message=f"{_named(parent)} has no key `{key}`",
        path=path,
        place=path,
        part="key",
        cut=path,
        label="unknown key",
        help=_as_argument(key, names) if close is None else did_you_mean(key, names, kind="keys"),
        meant=(*parent, close) if close is not None and is_free else (),
    )


def _as_argument(key: str, names: Sequence[str]) -> str:
    """Where something is named by `use`, a key that is none of ours is likely an argument of it."""
    keys = did_you_mean(key, names, kind="keys")
    return f"arguments of what `use` names stand under `with: {{{key}: …}}`; {keys}" if {*names} >= _CALL else keys


def _misspelled(key: str, written: Iterable[str], known: Sequence[str]) -> str | None:
    """The written key that was meant to be `key`, if one is near and means nothing else."""
    return nearest(key, [name for name in written if name not in known])


def _missing_key(error: _Error, data: object) -> Mistake:
    discriminator = str(error.context.get("discriminator", "")).strip("'")
    parent = error.path if discriminator else error.path[:-1]
    key = discriminator or str(error.path[-1])
    written = value_at(data, parent)
    if discriminator and isinstance(written, dict) and (meant := _misspelled(key, written, known_keys(data, parent))):
        return replace(_unknown_key((*parent, meant), data, known=(key,)), cut=owner(parent))
    words = accepted_values(data, (*parent, key))
    return Mistake(
        code="missing-key",
        message=f"{_named(parent)} lacks the key `{key}`",
        path=(*parent, key),
        place=parent,
        part="key",
        cut=owner(parent) or (key,),
        label=f"`{key}` is missing",
        help=f"`{key}` is one of: {', '.join(words)}" if words else description_at(data, (*parent, key)),
    )


def _unknown_word(error: _Error, data: object) -> Mistake:
    discriminator = str(error.context.get("discriminator", "")).strip("'")
    path = (*error.path, discriminator) if discriminator else error.path
    word = value_at(data, path)
    known = accepted_values(data, path)
    is_quoted = isinstance(word, str) and word in known and _is_number(word)
    shown = f'the text `"{word}"`' if is_quoted else _shown(word)
    return Mistake(
        code="unknown-word",
        message=f"`{dotted(path)}` cannot be {shown}",
        path=path,
        place=path,
        part="value",
        cut=owner(error.path),
        label="not one of the accepted words",
        help=f"leave out the quotes: `{word}`" if is_quoted else did_you_mean(str(word), known, kind="accepted"),
    )


def _bad_name(path: Path) -> Mistake:
    return Mistake(
        code="invalid-name",
        message=f"{_shown(path[-1])} is no valid name",
        path=path,
        place=path,
        part="key",
        cut=path,
        label="invalid name",
        help="a name starts with a letter or `_` and holds letters, digits, `_` and `-`, at most 100",
    )


def _wrong_value(error: _Error, data: object) -> Mistake:
    value = value_at(data, error.path)
    kinds = accepted_kinds(data, error.path)
    is_kind = error.kind.endswith("_type") or error.kind in ("union_mismatch", "int_from_float")
    wanted = _either(kinds) if is_kind and kinds else _wanted(error)
    verb, shown = "must be", _shown(value)
    is_quoted = is_kind and isinstance(value, str) and _is_number(value)
    if is_quoted:
        shown = f'the text `"{value}"`'
    if error.kind in ("too_short", "too_long"):
        verb, shown = "must hold", str(len(value)) if isinstance(value, (dict, list)) else shown
    message = f"`{dotted(error.path)}` {verb} {wanted}, not {shown}"
    if error.kind == "string_pattern_mismatch":
        message, wanted = f"`{dotted(error.path)}` cannot be {shown}", ""
    return Mistake(
        code="wrong-type" if is_kind else "wrong-value",
        message=message,
        path=error.path,
        place=error.path,
        part="value",
        cut=owner(error.path),
        label=f"expected {wanted}" if wanted else "",
        help=f"leave out the quotes: `{value}`" if is_quoted else _remedy(error.path, data, kinds if is_kind else ()),
    )


def _remedy(path: Path, data: object, kinds: Sequence[str]) -> str:
    """What the language says of the place, and the value rewritten in the kind it must have, where that is clear."""
    value = value_at(data, path)
    described = description_at(data, path) or (description_at(data, owner(path)) if path != owner(path) else "")
    kinds = tuple(kind for kind in kinds if kind != "nothing")
    if kinds == ("true or false",) and str(value).casefold() in _SWITCHES:
        return f"write `{_SWITCHES[str(value).casefold()]}`: {described}"
    if isinstance(value, str) and kinds == ("a list",):
        return f"write `[{value}]`: {described}"
    keys = known_keys(data, path) if "a mapping" in kinds else ()
    only = next((key for key in ("size", "eq") if key in keys), None)
    if only and isinstance(value, (int, float, str)) and not (isinstance(value, str) and "use" in keys):
        return f"write `{{{only}: {value}}}`" + (f": {described}" if described else "")
    if isinstance(value, str) and "use" in keys and "a number" not in kinds:
        return f"write `{{use: {value}}}`: {described}"
    named = f"keys: {', '.join(keys)}" if 0 < len(keys) <= _MOST_KEYS else ""
    return "; ".join(part for part in (described, named) if part)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and not text[-1:].isalpha()


def _either(kinds: Sequence[str]) -> str:
    """`text, a list or a mapping`; that a key may also be left empty goes without saying."""
    *others, last = [kind for kind in kinds if kind != "nothing"] or list(kinds)
    return f"{', '.join(others)} or {last}" if others else last


def _wanted(error: _Error) -> str:
    context = {name: f"{value:g}" if isinstance(value, float) else value for name, value in error.context.items()}
    bound = context.get("min_length", context.get("max_length"))
    items = f"{'key' if context.get('field_type') == 'Dictionary' else 'item'}{'' if bound == 1 else 's'}"
    phrases = {
        "greater_than": "more than {gt}",
        "greater_than_equal": "{ge} or more",
        "less_than": "less than {lt}",
        "less_than_equal": "{le} or less",
        "too_short": f"at least {{min_length}} {items}",
        "too_long": f"at most {{max_length}} {items}",
        "string_too_short": "text of at least {min_length} character",
        "string_too_long": "text of at most {max_length} characters",
        "finite_number": "a finite number",
    }
    phrase = phrases.get(error.kind)
    return phrase.format_map(context) if phrase else error.message.removeprefix("Input should be ").lower()


def _is_about_key(error: _Error, data: object) -> bool:
    return any(branch == "[key]" for _, branch in error.branches)


def _without_echoes(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """Drop what follows from another mistake.

    That is a missing key where an unknown key beside it is the same key misspelled, and a list that is too
    short because an item of it is wrong.
    """
    unknown: dict[Path, list[str]] = defaultdict(list)
    wrong_inside = {mistake.place[:end] for mistake in mistakes for end in range(len(mistake.place))}
    for mistake in mistakes:
        if mistake.code == "unknown-key":
            unknown[mistake.path[:-1]].append(str(mistake.path[-1]))
    return [
        mistake
        for mistake in mistakes
        if not _is_misspelled(mistake, unknown) and not (mistake.code == "wrong-value" and mistake.path in wrong_inside)
    ]


def _is_misspelled(mistake: Mistake, unknown: Mapping[Path, Sequence[str]]) -> bool:
    if mistake.code != "missing-key":
        return False
    return any(nearest(key, [str(mistake.path[-1])]) for key in unknown.get(mistake.path[:-1], ()))


def owner(path: Path) -> Path:
    """The nearest path that is a mapping's key: list items are cut with their list, so that no index moves."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path


def value_at(data: object, path: Path) -> object:
    """The value at `path`, or a marker that there is none."""
    for step in path:
        data = _value_at(data, step)
    return data


def _value_at(value: object, step: str | int) -> object:
    if isinstance(value, dict):
        return value.get(step, _NOTHING)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return _NOTHING


def _named(path: Path) -> str:
    return f"`{dotted(path)}`" if path else "the spec"


def _shown(value: object) -> str:
    if value is _NOTHING or value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = f"{value}"
    return f"`{text[:57]}…`" if len(text) > 60 else f"`{text}`"
