"""Diagnostics → what a terminal, a script, a code-scanning service or a pull request shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from runexp.diagnostics import Diagnostic, Related, Span
from runexp.report.characters import cleaned
from runexp.report.sarif import sarif_log
from runexp.report.snippets import Painter, block, summary

Format: TypeAlias = Literal["text", "json", "sarif", "github"]

MAX_SHOWN = 20
MAX_CHARACTERS = 64 * 1024


def render(
    diagnostics: Sequence[Diagnostic],
    files: Mapping[str, str],
    *,
    format: Format = "text",
    color: bool = False,
    width: int = 100,
    also: Mapping[str, Any] | None = None,
) -> str:
    """All diagnostics in one form; text shows the first twenty with their lines and counts the rest.

    `files` holds the texts by the names that spans give; `width` is the terminal's, in columns.
    `also` holds further members of the JSON document.
    """
    if format == "json":
        return json.dumps(_document(diagnostics) | dict(also or {}), ensure_ascii=False, indent=2) + "\n"
    if format == "sarif":
        return json.dumps(sarif_log(diagnostics), ensure_ascii=False, indent=2) + "\n"
    if format == "github":
        return "".join(_annotation(one) for one in diagnostics[:MAX_SHOWN])
    return _text(diagnostics, files, color=color, width=max(width, 40))


def _text(diagnostics: Sequence[Diagnostic], files: Mapping[str, str], *, color: bool, width: int) -> str:
    """Errors in their order, then warnings, then the count."""
    if not diagnostics:
        return ""
    painter = Painter(color)
    lines = {file: text.split("\n") for file, text in files.items()}
    ordered = sorted(diagnostics, key=lambda one: not one.is_error)
    blocks: list[str] = []
    size = 0
    for one in ordered[:MAX_SHOWN]:
        shown = block(one, lines, painter, width)
        size += len(shown)
        if size > MAX_CHARACTERS - 1024:
            break
        blocks.append(shown)
    return "\n".join([*blocks, summary(diagnostics, len(blocks), painter)])


def _document(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    n_errors = sum(one.is_error for one in diagnostics)
    return {
        "version": 1,
        "n_errors": n_errors,
        "n_warnings": len(diagnostics) - n_errors,
        "diagnostics": [_as_json(one) for one in diagnostics],
    }


def _as_json(one: Diagnostic) -> dict[str, Any]:
    return {
        "code": one.code,
        "severity": one.severity.value,
        "message": cleaned(one.message),
        "path": cleaned(one.path),
        "span": _span_as_json(one.span),
        "label": cleaned(one.label),
        "help": cleaned(one.help),
        "related": [_related_as_json(related) for related in one.related],
    }


def _related_as_json(related: Related) -> dict[str, Any]:
    return {"message": cleaned(related.message), "span": _span_as_json(related.span)}


def _span_as_json(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {
        "file": cleaned(span.file),
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _annotation(one: Diagnostic) -> str:
    """A workflow command of GitHub Actions; what stands on the command line has no file to annotate."""
    properties = {"title": one.code}
    if one.span and not one.span.file.startswith(("--", "<")):
        properties = {
            "file": cleaned(one.span.file),
            "line": str(one.span.line),
            "endLine": str(one.span.end_line),
            "col": str(one.span.column),
            "endColumn": str(max(one.span.end_column - 1, 1)),
            **properties,
        }
    shown = ",".join(f"{name}={_escaped(value, ',:')}" for name, value in properties.items())
    message = cleaned(one.message) + (f"\n{cleaned(one.help)}" if one.help else "")
    return f"::{one.severity.value} {shown}::{_escaped(message)}\n"


def _escaped(text: str, also: str = "") -> str:
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
