"""Mistakes that are known by their address alone, and where they are shown."""

from __future__ import annotations

from dataclasses import replace

from runexp.api.checking import Checked
from runexp.api.redaction import redacted_text
from runexp.diagnostics import Diagnostic
from runexp.runtime.explaining import asked_for


def in_document(found: Diagnostic, checked: Checked) -> Diagnostic:
    """What is known by its address alone, at the place that address was written; code may have told a secret."""
    found = replace(found, message=redacted_text(found.message, checked.document))
    if found.span is not None or not found.path or checked.document is None:
        return found
    return replace(found, span=checked.document.span_of(tuple(found.path.split("."))))


def too_large(error: Exception) -> Diagnostic:
    """Memory that could not be had before the first step."""
    wanted = asked_for(error)
    more = f": {wanted} more could not be had" if wanted else ""
    hint = "fewer columns, a smaller dtype, or `stream: true` for data; smaller layers for the graph"
    message = f"out of memory before the first step, while data were read and the graph was built{more}"
    return Diagnostic("too-large", message, help=hint, path="data")
