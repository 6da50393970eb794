"""`extends`: a file over its bases."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

from runexp.diagnostics import Diagnostic, Related, Span
from runexp.source.files import read_bytes
from runexp.source.limits import MAX_BYTES, MAX_FILES
from runexp.source.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, is_null, kind_of
from runexp.source.syntax import parse
from runexp.source.text import SourceText, UnreadableError, checked, decode
from runexp.source.tree import noted, without


class Composer:
    """Reads a file and what it extends; keeps the texts and the mistakes of all of them.

    `is_whole` tells whether every base could be read: where one could not, what seems to be missing is no news.
    """

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.is_whole = True
        self.found: list[Diagnostic] = []
        self._loads = self._bytes = 0

    def file(self, path: str) -> MappingNode | None:
        """The composed tree of a file; nothing if it cannot be read."""
        try:
            data = read_bytes(path)
        except OSError as error:
            self.found.append(Diagnostic("cannot-read", f"cannot read `{path}`: {error}", Span(path, 1, 1, 1, 1)))
            return None
        return self.content(data, path, (os.path.realpath(path),))

    def content(self, data: bytes | str, file: str, trail: tuple[str, ...] = ()) -> MappingNode | None:
        """The composed tree of a text shown as `file`; `trail` holds the real paths that lead to it."""
        try:
            source = decode(data, file) if isinstance(data, bytes) else checked(data, file)
        except UnreadableError as stopped:
            self.found.append(stopped.diagnostic)
            self.files[file] = _for_snippets(data)
            return None
        self._loads += 1
        self._bytes += len(source.text)
        self.files[file] = source.text
        node, found = parse(source)
        self.found += found
        if node is None:
            return None
        if not isinstance(node, MappingNode):
            self.found.append(_no_mapping(node, source))
            return None
        return self._over_bases(node, file, trail)

    def _over_bases(self, node: MappingNode, file: str, trail: tuple[str, ...]) -> MappingNode:
        extends = node.get("extends")
        if extends is None:
            return node
        own = without(node, "extends")
        base: MappingNode | None = None
        for written in self._names(extends):
            loaded = self._base(written, file, trail)
            if loaded is None:
                self.is_whole = False
            else:
                note = Related(written.span, "extended here")
                base = loaded if base is None else merged(base, loaded, note)
                base = base if base is not loaded else _all_noted(loaded, note)
        return own if base is None else merged(base, own)

    def _names(self, extends: Node) -> Iterable[ScalarNode]:
        for item in extends.items if isinstance(extends, SequenceNode) else (extends,):
            if isinstance(item, ScalarNode) and isinstance(item.value, str) and item.value:
                yield item
            elif not (isinstance(item, ScalarNode) and item.broken):
                message = f"`extends` takes the path of a spec or a list of them, not {kind_of(item)}"
                self.found.append(Diagnostic("bad-extends", message, item.span))
                self.is_whole = False

    def _base(self, written: ScalarNode, file: str, trail: tuple[str, ...]) -> MappingNode | None:
        path = os.path.normpath(os.path.join(os.path.dirname(file), str(written.value)))
        real = os.path.realpath(path)
        if real in trail:
            self._refuse(written, "extends-cycle", f"`{path}` extends itself through this file")
        elif self._loads >= MAX_FILES or self._bytes > MAX_BYTES:
            what = f"more than {MAX_FILES} files or {MAX_BYTES // 1024} KiB"
            self._refuse(written, "limit-exceeded", f"the spec and what it extends are {what}")
        else:
            try:
                return self.content(read_bytes(path), path, (*trail, real))
            except OSError as error:
                self._refuse(written, "cannot-read", f"cannot read `{path}`: {error}")
        return None

    def _refuse(self, written: ScalarNode, code: str, message: str) -> None:
        help = "paths in `extends` are relative to the file that says it" if code == "cannot-read" else ""
        self.found.append(Diagnostic(code, message, written.span, help=help, path="extends"))


def merged(base: MappingNode, own: MappingNode, note: Related | None = None) -> MappingNode:
    """`own` over `base`: mappings merge by key, lists and scalars replace, `null` removes.

    `note` is put into the story of what comes from `own`.
    """
    entries = {entry.key: entry for entry in base.entries}
    for entry in own.entries:
        below = entries.get(entry.key)
        if below is None:
            entries[entry.key] = _entry_noted(entry, note)
        elif is_null(entry.value) and not _broken(entry.value):
            del entries[entry.key]
        else:
            entries[entry.key] = _over(below, entry, note)
    return replace(own, entries=tuple(entries.values()))


def _over(below: Entry, entry: Entry, note: Related | None) -> Entry:
    if isinstance(below.value, MappingNode) and isinstance(entry.value, MappingNode):
        return replace(entry, value=merged(below.value, entry.value, note), beat=below.beat)
    winner = _entry_noted(entry, note)
    return replace(winner, beat=(*winner.beat, below.value, *below.beat))


def _entry_noted(entry: Entry, note: Related | None) -> Entry:
    return replace(entry, value=noted(entry.value, note)) if note else entry


def _all_noted(mapping: MappingNode, note: Related) -> MappingNode:
    return replace(mapping, entries=tuple(_entry_noted(entry, note) for entry in mapping.entries))


def _broken(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.broken


def _no_mapping(node: Node, source: SourceText) -> Diagnostic:
    if is_null(node) and not source.text[: source.text.find("\n") + 1].startswith("null"):
        return Diagnostic(
            "empty-spec",
            f"`{source.file}` holds no spec",
            source.span(0, 0),
            help="`runexp init` writes one to start from",
        )
    message = f"a spec is a mapping of sections, and this is {kind_of(node)}"
    return Diagnostic("not-a-mapping", message, node.span, help="begin with `runexp: 1`")


def _for_snippets(data: bytes | str) -> str:
    return data[:MAX_BYTES].decode("utf-8", "replace") if isinstance(data, bytes) else data[:MAX_BYTES]
