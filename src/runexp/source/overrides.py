"""`--set path=value`: one value put into the composed tree before references are resolved."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from runexp.diagnostics import Diagnostic, Span, did_you_mean, nearest
from runexp.records import dataclass
from runexp.source.limits import MAX_DEPTH
from runexp.source.nodes import COMMAND_LINE, Entry, MappingNode, Node, SequenceNode, is_null, kind_of
from runexp.source.syntax import parse
from runexp.source.text import SourceText, UnreadableError, checked
from runexp.source.tree import with_entry


@dataclass(frozen=True, slots=True)
class Sections:
    """What an override may name: sections whose names must exist; if given, all there are."""

    named: frozenset[str]
    known: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a dotted path, between two columns of the override."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Override:
    """One `path=value` of the command line, read; `line` is its ordinal."""

    steps: tuple[Step, ...]
    value: Node
    line: int

    def span(self, steps: Sequence[Step] = ()) -> Span:
        """The place of some of its steps; of the whole path by default."""
        taken = steps or self.steps
        return Span(COMMAND_LINE, self.line, taken[0].start + 1, self.line, taken[-1].end + 1)

    def shown(self, n_steps: int | None = None) -> str:
        """The path up to a step, as a user would write it."""
        return ".".join(step.name for step in self.steps[:n_steps])


def shown_file(overrides: Sequence[str]) -> str:
    """The text that stands for the command line in diagnostics: one override a line."""
    return "\n".join(re.sub(r"[\r\n]", " ", override) for override in overrides)


def applied(root: MappingNode, overrides: Sequence[str], sections: Sections) -> tuple[MappingNode, list[Diagnostic]]:
    """The tree with the overrides put in, in order; a wrong one changes nothing."""
    found: list[Diagnostic] = []
    for line, text in enumerate(overrides, 1):
        override = _read(text, line, found)
        if override is None:
            continue
        try:
            root = _put(root, override, sections)
        except UnreadableError as refused:
            found.append(refused.diagnostic)
    return root, found


def _read(text: str, line: int, found: list[Diagnostic]) -> Override | None:
    path, equals, value = text.partition("=")
    whole = Span(COMMAND_LINE, line, 1, line, len(text) + 1)
    steps = tuple(_steps(path))
    joined = "".join(path[step.start : step.end] for step in steps)
    if (
        not equals
        or not 0 < len(steps) <= MAX_DEPTH
        or _SEPARATORS.sub("", path) != joined
        or "\n" in text
        or "\r" in text
    ):
        message = f"`{text}` is not `path=value`" if text.isprintable() else "an override is not `path=value`"
        help = "write `phases.train.epochs=3`; items of lists are `[0]` or `.0`"
        found.append(Diagnostic("bad-override", message, whole, help=help))
        return None
    try:
        # Blank lines and columns before the value give every span its place on the command line.
        checked(value, COMMAND_LINE)
        source = SourceText(COMMAND_LINE, "\n" * (line - 1) + " " * (len(path) + 1) + value)
    except UnreadableError as refused:
        found.append(replace(refused.diagnostic, span=whole))
        return None
    node, mistakes = parse(source)
    found += mistakes
    if node is None:
        return None
    return Override(steps, node, line)


def _steps(path: str) -> list[Step]:
    return [Step(found.group(), found.start(), found.end()) for found in _STEP.finditer(path)]


def _put(root: MappingNode, override: Override, sections: Sections) -> MappingNode:
    _check_sections(root, override, sections)
    changed = _changed(root, override, 0)
    if not isinstance(changed, MappingNode):
        raise TypeError("a mapping with a value put in is a mapping")
    return changed


def _check_sections(root: MappingNode, override: Override, sections: Sections) -> None:
    section = override.steps[0].name
    known = sections.known or frozenset()
    if known and section not in known:
        _refuse(
            override,
            0,
            f"there is no section `{section}`",
            did_you_mean(section, sorted(known), kind="sections"),
        )
    if section not in sections.named or len(override.steps) < 2:
        return
    names = root.get(section)
    there = list(names.keys()) if isinstance(names, MappingNode) else []
    name = override.steps[1].name
    if name not in there:
        close = nearest(name, there)
        rest = "".join(f".{step.name}" for step in override.steps[2:])
        guess = f"did you mean `{section}.{close}{rest}`? " if close else ""
        listed = f"{section}: {', '.join(there[:12])}" if there else f"the spec defines nothing under `{section}`"
        _refuse(override, 1, f"there is no `{name}` under `{section}`", guess + listed)


def _changed(node: Node, override: Override, at: int) -> Node:
    """The node with the override's value put in at its step `at` and those that follow."""
    if at == len(override.steps):
        return override.value
    if isinstance(node, SequenceNode):
        index = _index(node, override, at)
        items = list(node.items)
        items[index] = _changed(items[index], override, at + 1)
        return replace(node, items=tuple(items))
    if is_null(node):
        node = MappingNode((), override.span(override.steps[: at + 1]))
    if not isinstance(node, MappingNode):
        message = f"`{override.shown(at)}` is {kind_of(node)}, so nothing can be set inside it"
        _refuse(override, at, message, "")
    name, after = _key(node, override, at)
    old = node.entry(name)
    here = override.span(override.steps[at:after])
    if old is None:
        empty = MappingNode((), override.span(override.steps[: at + 1]))
        return with_entry(node, Entry(name, here, _changed(empty, override, after)))
    value = _changed(old.value, override, after)
    if after < len(override.steps):
        return with_entry(node, replace(old, value=value))
    return with_entry(node, Entry(name, here, value, (old.value, *old.beat)))


def _key(node: MappingNode, override: Override, at: int) -> tuple[str, int]:
    """The key that is meant, and the step after it: a key such as `torch.nn.Linear` takes several."""
    names = [step.name for step in override.steps[at:]]
    for n_taken in range(1, len(names) + 1):
        joined = ".".join(names[:n_taken])
        if node.entry(joined) is not None:
            return joined, at + n_taken
    return names[0], at + 1


def _index(node: SequenceNode, override: Override, at: int) -> int:
    name = override.steps[at].name
    where = override.shown(at)
    if not name.isdecimal() or len(name) > 6:
        _refuse(override, at, f"`{where}` is a list, and `{name}` is no number", f"write `{where}[0]`")
    if int(name) >= len(node.items):
        count = len(node.items)
        help = f"it has {count} item{'s' if count != 1 else ''}, counted from 0"
        _refuse(override, at, f"`{where}` has no item {name}", help)
    return int(name)


def _refuse(override: Override, at: int, message: str, help: str) -> NoReturn:
    span = override.span(override.steps[at : at + 1])
    raise UnreadableError(Diagnostic("unknown-path", message, span, help=help, path=override.shown()))


_STEP = re.compile(r"[^.\[\]\s]+")
_SEPARATORS = re.compile(r"\.(?=[^.\[\]])|(?<=[^.\[])\[(?=[0-9])|(?<=[0-9])\](?=\[|\.|$)")
