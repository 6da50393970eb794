"""`${…}` in text: what may be written, found and taken apart. Shared by repeats and by the resolving pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from runexp.diagnostics import Diagnostic, Related, Span
from runexp.records import dataclass
from runexp.source.limits import MAX_SCALAR
from runexp.source.nodes import MappingNode, Node, ScalarNode, SequenceNode, kind_of
from runexp.source.tree import shortened


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${…}`: its kind (`vars`, `each`, `env`, `secret`, `classes`, or nothing known) and the names after it."""

    written: str
    kind: str
    names: tuple[str, ...]
    use: ScalarNode


def has_reference(node: Node) -> bool:
    """Whether a node is text with a `${` in it."""
    return isinstance(node, ScalarNode) and isinstance(node.value, str) and "${" in node.value


@dataclass(frozen=True, slots=True)
class Filling:
    """How a pass fills references in: `look_up` gives a value, or None to leave a reference as written.

    The last pass is `final` and turns the escape `$${` into `${`.
    """

    look_up: Callable[[Reference], Node | None]
    report: Callable[[Diagnostic], None]
    final: bool


def filled(node: ScalarNode, filling: Filling) -> Node:
    """The node with its references replaced.

    Text that is one reference and nothing else becomes the value itself, with its type and its place.
    """
    text = str(node.value)
    whole = _TOKEN.fullmatch(text)
    if whole and whole.group() != "$${":
        found = filling.look_up(_reference(whole, node))
        if found is None or found.span == node.span:
            return found or node
        used = Related(node.span, f"used here as `{whole.group()}`")
        return replace(found, chain=shortened((*found.chain, used, *node.chain)))
    return _interpolated(node, text, filling)


def broken(node: ScalarNode) -> ScalarNode:
    """A node whose mistake has been reported."""
    return replace(node, value=None, broken=True)


def _interpolated(node: ScalarNode, text: str, filling: Filling) -> Node:
    parts: list[str] = []
    shown: list[str] = []
    chain = node.chain
    secret = False
    at = 0
    for match in _TOKEN.finditer(text):
        parts.append(text[at : match.start()])
        shown.append(text[at : match.start()])
        at = match.end()
        escape = match.group() == "$${"
        found = None if escape else filling.look_up(_reference(match, node))
        unchanged = "${" if escape and filling.final else match.group()
        written, note = _as_text(found, unchanged, node, filling)
        if written is None:
            return broken(node)
        parts.append(written)
        shown.append(found.secret if isinstance(found, ScalarNode) and found.secret else written)
        secret = secret or (isinstance(found, ScalarNode) and bool(found.secret))
        chain += note
    value = "".join(parts) + text[at:]
    if len(value) > MAX_SCALAR:
        message = f"with its references filled in the text is longer than {MAX_SCALAR // 1024} KiB"
        filling.report(Diagnostic("limit-exceeded", message, node.span))
        return broken(node)
    hidden = "".join(shown) + text[at:] if secret else node.secret
    return node if value == text else replace(node, value=value, text=value, chain=shortened(chain), secret=hidden)


def _as_text(
    found: Node | None, written: str, node: ScalarNode, filling: Filling
) -> tuple[str | None, tuple[Related, ...]]:
    if found is None:
        return written, ()
    if isinstance(found, (MappingNode, SequenceNode)):
        message = f"`{written}` is {kind_of(found)} and cannot be part of a text"
        where = (Related(found.span, "defined here"),)
        filling.report(Diagnostic("bad-reference", message, node.span, related=where))
        return None, ()
    if found.broken:
        return None, ()
    note = () if found.span == node.span else (Related(found.span, f"`{written}` comes from here"),)
    return found.value if isinstance(found.value, str) else found.text or "null", note


def _reference(match: re.Match[str], node: ScalarNode) -> Reference:
    written = match.group()
    shape = _SHAPE.fullmatch(written)
    if shape is None:
        return Reference(written, "", (), node)
    if shape["data"]:
        return Reference(written, "classes", (shape["data"], shape["key"]), node)
    if shape["prefix"]:
        return Reference(written, shape["prefix"], (shape["name"],), node)
    return Reference(written, shape["root"], tuple(shape["path"].split(".")[1:]), node)


class Lines:
    """The lines of files, split when first asked for; finds where in its value a reference stands."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._split: dict[str, list[str]] = {}

    def span_of(self, reference: Reference) -> Span:
        """The place of a reference; the whole value if it runs over lines or holds the reference twice."""
        span, written = reference.use.span, reference.written
        lines = self._split.setdefault(span.file, []) or self._split_file(span.file)
        if span.line != span.end_line or len(lines) < span.line:
            return span
        line = lines[span.line - 1][: span.end_column - 1]
        at = line.find(written, span.column - 1)
        if at < 0 or line.find(written, at + 1) >= 0:
            return span
        return replace(span, column=at + 1, end_column=at + len(written) + 1)

    def _split_file(self, file: str) -> list[str]:
        self._split[file] = self._files.get(file, "").split("\n")
        return self._split[file]


_TOKEN = re.compile(r"\$\$\{|\$\{[^}]*\}?")
_SHAPE = re.compile(
    r"\$\{(?:(?P<prefix>env|secret):(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|classes:(?P<data>[A-Za-z_][A-Za-z0-9_-]*)\.(?P<key>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<root>vars|each)(?P<path>(?:\.[^.\s{}\[\]:$]+)+))\}"
)
