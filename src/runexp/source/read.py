"""`read`: text → Document, in the order compose, override, repeat, resolve."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from runexp.diagnostics import Diagnostic, Span, in_document_order
from runexp.records import dataclass
from runexp.source.compose import Composer
from runexp.source.document import Document
from runexp.source.limits import MAX_BYTES
from runexp.source.nodes import COMMAND_LINE, MappingNode
from runexp.source.overrides import Sections, applied, shown_file
from runexp.source.repeats import expanded
from runexp.source.resolve import Resolution
from runexp.source.text import UnreadableError
from runexp.source.tree import Measure

NAMED_SECTIONS: Final = frozenset(
    (
        "vars",
        "data",
        "nodes",
        "samplers",
        "bindings",
        "losses",
        "metrics",
        "callbacks",
        "experiment_callbacks",
        "phases",
    )
)
STDIN: Final = "<stdin>"

Reading = tuple[Document | None, tuple[Diagnostic, ...]]


@dataclass(frozen=True, slots=True)
class Options:
    """What a reading is told besides the text: overrides, the sections there are, and the environment."""

    overrides: Sequence[str]
    named_sections: frozenset[str]
    known_sections: frozenset[str] | None
    environ: Mapping[str, str]


def read(
    path: Path | str,
    *,
    overrides: Sequence[str] = (),
    named_sections: frozenset[str] = NAMED_SECTIONS,
    known_sections: frozenset[str] | None = None,
    environ: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    texts: dict[str, str] | None = None,
) -> Reading:
    """The document of a file, `-` for standard input, and every mistake found in document order.

    There is no document if a mistake hides the rest. Where there is one beside errors, the values they
    are about are broken nodes, so that later stages can stay silent about them. `texts`, if given, receives
    every text read under the name that spans give, also where there is no document.
    """
    options = Options(overrides, named_sections, known_sections, os.environ if environ is None else environ)
    composer = Composer({} if texts is None else texts)
    shown = os.fspath(path)
    if shown != "-":
        return _finished(composer, composer.file(shown), options)
    data = sys.stdin.buffer.read(MAX_BYTES + 1) if stdin is None else stdin
    return _finished(composer, composer.content(data, STDIN), options)


def read_text(
    text: str | bytes,
    *,
    file: str = "<text>",
    overrides: Sequence[str] = (),
    named_sections: frozenset[str] = NAMED_SECTIONS,
    known_sections: frozenset[str] | None = None,
    environ: Mapping[str, str] | None = None,
    texts: dict[str, str] | None = None,
) -> Reading:
    """The document of a text that is shown as `file`; `extends` is relative to its folder."""
    options = Options(overrides, named_sections, known_sections, os.environ if environ is None else environ)
    composer = Composer({} if texts is None else texts)
    return _finished(composer, composer.content(text, file), options)


def _finished(composer: Composer, root: MappingNode | None, options: Options) -> Reading:
    if root is None or not composer.is_whole:
        return None, _in_order(composer.found, composer)
    try:
        return _passes(composer, root, options)
    except UnreadableError as stopped_at:
        return None, _in_order([*composer.found, stopped_at.diagnostic], composer)
    except RecursionError:
        stopped = Diagnostic("limit-exceeded", "the spec refers to itself too deeply", root.span)
        return None, _in_order([*composer.found, stopped], composer)


def _passes(composer: Composer, root: MappingNode, options: Options) -> Reading:
    files, found = composer.files, composer.found
    if options.overrides:
        files[COMMAND_LINE] = shown_file(options.overrides)
        sections = Sections(options.named_sections, options.known_sections)
        root, mistakes = applied(root, options.overrides, sections)
        found += mistakes
    if _refused(root, found):
        return None, _in_order(found, composer)
    composed = root
    root, mistakes = expanded(root, files)
    found += mistakes
    resolution = Resolution(root, files, options.environ)
    resolved = resolution.root()
    found += resolution.found
    if not isinstance(resolved, MappingNode) or _refused(resolved, found):
        return None, _in_order(found, composer)
    return Document(resolved, files, tuple(resolution.env), composed), _in_order(found, composer)


def _refused(root: MappingNode, found: list[Diagnostic]) -> bool:
    """Whether a tree is past the limits; the first entry at fault is reported."""
    measure = Measure()
    problem = measure.too_large(root)
    if problem:
        worst = max(root.entries, key=lambda entry: measure.of(entry.value))
        found.append(Diagnostic("limit-exceeded", problem, worst.key_span))
    return bool(problem)


def _in_order(found: Sequence[Diagnostic], composer: Composer) -> tuple[Diagnostic, ...]:
    """By file in the order they were read, then by line and column."""
    order = {file: rank for rank, file in enumerate(composer.files)}
    placed = in_document_order(found)
    return tuple(sorted(placed, key=lambda one: order.get(_file(one.span), len(order))))


def _file(span: Span | None) -> str:
    return span.file if span else ""
