"""Diagnostics as a SARIF 2.1.0 log, for code scanning and editors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from runexp.diagnostics import Diagnostic, Related, Span
from runexp.report.characters import cleaned
from runexp.version import __version__

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif_log(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """One run of runexp; columns are counted in characters, as everywhere in runexp."""
    codes = sorted({one.code for one in diagnostics})
    driver = {"name": "runexp", "version": __version__, "rules": [_rule(code) for code in codes]}
    results = [_result(one, codes.index(one.code)) for one in diagnostics]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    return {"id": code, "help": {"text": f"runexp explain {code}"}}


def _result(one: Diagnostic, rule: int) -> dict[str, Any]:
    text = cleaned(one.message) + (f"\n{cleaned(one.help)}" if one.help else "")
    result: dict[str, Any] = {
        "ruleId": one.code,
        "ruleIndex": rule,
        "level": one.severity.value,
        "message": {"text": text},
    }
    if one.span:
        result["locations"] = [_location(one.span, one.label)]
    if one.related:
        result["relatedLocations"] = [_related(number, related) for number, related in enumerate(one.related)]
    return result


def _related(number: int, related: Related) -> dict[str, Any]:
    return {"id": number, **_location(related.span, ""), "message": {"text": cleaned(related.message)}}


def _location(span: Span, label: str) -> dict[str, Any]:
    region: dict[str, Any] = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    location = {"artifactLocation": {"uri": _uri(span.file)}, "region": region}
    return {"physicalLocation": location, **({"message": {"text": cleaned(label)}} if label else {})}


def _uri(file: str) -> str:
    path = PurePath(cleaned(file))
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
