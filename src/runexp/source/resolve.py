"""The last pass over a tree: every `${…}` gives way to its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runexp.diagnostics import Diagnostic, Related, did_you_mean, nearest
from runexp.source import values
from runexp.source.limits import MAX_DEPTH, MAX_DIAGNOSTICS, MAX_REFERENCES
from runexp.source.nodes import MappingNode, Node, ScalarNode, SequenceNode
from runexp.source.references import Filling, Lines, Reference, broken, filled, has_reference
from runexp.source.text import UnreadableError
from runexp.source.tree import with_children


class Resolution:
    """Resolves the references of one tree; `env` collects the names of environment variables it read."""

    def __init__(self, root: MappingNode, files: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self.found: list[Diagnostic] = []
        self.env: dict[str, None] = {}
        self._root = root
        self._n_filled = 0
        self._vars = _variables(root)
        self._lines = Lines(files)
        self._names: dict[int, dict[str, Node]] = {}  # by identity: the names in a mapping
        self._kept: list[Node] = []  # what was looked up by identity stays alive
        self._filling = Filling(self._value, self._report, final=True)
        self._environ = environ
        self._done: dict[int, Node] = {}  # by identity: what is shared is resolved once
        self._open: list[tuple[int, str]] = []  # the variables being resolved, outermost first
        self._reported: set[tuple[object, str]] = set()
        self._first: dict[str, int] = {}  # what is told once for all places: message → where in `found`

    def root(self) -> Node:
        """The whole tree, resolved; raises `UnreadableError` past the limit of references."""
        return self._resolved(self._root)

    def _resolved(self, node: Node) -> Node:
        done = self._done.get(id(node))
        if done is None:
            done = self._fresh(node)
            self._done[id(node)] = done
        return done

    def _fresh(self, node: Node) -> Node:
        if not isinstance(node, ScalarNode):
            return with_children(node, self._resolved)
        if not has_reference(node):
            return node
        self._n_filled += 1
        if self._n_filled > MAX_REFERENCES:
            message = f"the spec holds more than {MAX_REFERENCES:,} values with references"
            raise UnreadableError(Diagnostic("limit-exceeded", message, node.span))
        return filled(node, self._filling)

    def _value(self, reference: Reference) -> Node | None:
        if reference.kind == "classes":
            return None  # the data say how many, once they are read
        if reference.kind == "vars":
            return self._variable(reference)
        if reference.kind in ("env", "secret"):
            return self._environment(reference)
        message = f"`{reference.written}` is not a reference"
        if reference.kind == "each":
            message = f"`{reference.written}` stands outside a `repeat`"
        self._report(Diagnostic("bad-reference", message, self._lines.span_of(reference), help=_ALLOWED))
        return broken(reference.use)

    def _variable(self, reference: Reference) -> Node:
        node = self._vars
        for name in reference.names:
            if node is not None and has_reference(node):
                node = self._entered(node, reference)
            inside = node
            node = self._child(node, name)
            if node is None:
                return self._unknown(reference, name, inside)
        return reference.use if node is None else self._entered(node, reference)

    def _entered(self, node: Node, reference: Reference) -> Node:
        """A variable's value, resolved; a cycle is reported where it closes and breaks everything on it."""
        shown = ".".join(("vars", *reference.names))
        if any(identity == id(node) for identity, _ in self._open):
            names = [name for _, name in self._open] + [shown]
            path = " → ".join(f"`{name}`" for name in names[names.index(shown) :])
            where = (Related(node.span, "defined here"),)
            message = f"variables refer to each other in a circle: {path}"
            self._report(Diagnostic("variable-cycle", message, self._lines.span_of(reference), related=where))
            return broken(reference.use)
        if len(self._open) >= MAX_DEPTH:
            message = f"variables refer to each other more than {MAX_DEPTH} deep"
            self._report(Diagnostic("limit-exceeded", message, self._lines.span_of(reference)))
            return broken(reference.use)
        self._open.append((id(node), shown))
        value = self._resolved(node)
        self._open.pop()
        return value

    def _unknown(self, reference: Reference, name: str, inside: Node | None) -> Node:
        if not (isinstance(inside, ScalarNode) and inside.broken):
            shown = ".".join(reference.names)
            known = list(inside.keys()) if isinstance(inside, MappingNode) else []
            help = did_you_mean(name, known, kind="variables") or "define it under `vars`"
            message = f"there is no variable `{shown}`"
            self._report(Diagnostic("unknown-variable", message, self._lines.span_of(reference), help=help))
        return broken(reference.use)

    def _environment(self, reference: Reference) -> Node:
        name = reference.names[0]
        self.env[name] = None
        text = self._environ.get(name)
        if text is None:
            message = f"the environment variable `{name}` is not set"
            self._report(
                Diagnostic("missing-env", message, self._lines.span_of(reference), help=f"set it: `export {name}=…`")
            )
            return broken(reference.use)
        try:
            value = values.resolve(text)
        except values.NotOfTypeError:
            value = text
        is_url = "://" in str(reference.use.value) or "://" in text  # which may hold a password
        secret = reference.written if reference.kind == "secret" or is_url else ""
        return ScalarNode(value, reference.use.span, reference.use.chain, text, secret)

    def _child(self, node: Node | None, name: str) -> Node | None:
        if isinstance(node, MappingNode):
            names = self._names.get(id(node))
            if names is None:
                names = self._names[id(node)] = {entry.key: entry.value for entry in node.entries}
                self._kept.append(node)
            return names.get(name)
        if isinstance(node, SequenceNode) and name.isdecimal() and len(name) < 7:
            return node.items[int(name)] if int(name) < len(node.items) else None
        return None

    def _report(self, diagnostic: Diagnostic) -> None:
        """Note a mistake once, although aliases and repeats may meet it again."""
        key = (diagnostic.span, diagnostic.message)
        if key in self._reported:
            return
        self._reported.add(key)
        first = self._first.get(diagnostic.message)
        if first is not None:
            self._add_place(first, diagnostic)
        elif len(self.found) < MAX_DIAGNOSTICS:
            if diagnostic.code in _TOLD_ONCE:
                self._first[diagnostic.message] = len(self.found)
            self.found.append(diagnostic)

    def _add_place(self, first: int, diagnostic: Diagnostic) -> None:
        known = self.found[first]
        if diagnostic.span is not None and len(known.related) < _MOST_PLACES:
            self.found[first] = replace(known, related=(*known.related, Related(diagnostic.span, "used here too")))


def _variables(root: MappingNode) -> Node | None:
    """The value of `vars`, or of the section that was meant to be it: that it is misspelled is told elsewhere."""
    there = root.get("vars")
    if there is not None:
        return there
    return next((entry.value for entry in root.entries if nearest(entry.key, ["vars"])), None)


_TOLD_ONCE = frozenset({"unknown-variable", "missing-env"})
_MOST_PLACES = 20
_ALLOWED = (
    "`${vars.x}`, `${env:NAME}`, `${secret:NAME}`, `${classes:data.key}` and, inside a repeat, `${each.x}` are known; "
    "there are no expressions; `$${` gives `${`"
)
