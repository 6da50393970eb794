"""What must hold of every spec whatever it holds: no exception, every message at a place, in time."""

from __future__ import annotations

import time

from runexp.api.checking import Checked, check
from runexp.report.diagnostics import render

# Two seconds is the promise, on a machine that does nothing else; here it only has to be told from a hang.
HANG_S = 8


def judged(text: str | bytes) -> Checked:
    """The spec checked as `validate -` checks it; raises `AssertionError` where a promise is broken."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    start = time.process_time()
    checked = check("-", stdin=data)
    shown = [render(checked.diagnostics, checked.files, format=form) for form in ("text", "json", "sarif", "github")]
    assert time.process_time() - start < HANG_S
    assert all(isinstance(one, str) for one in shown)
    assert checked.is_valid or any(one.is_error for one in checked.diagnostics)
    lines = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for one in checked.diagnostics:
        assert one.span is not None and one.message, one
        assert 1 <= one.span.line <= len(lines) and one.span.line <= one.span.end_line <= len(lines) + 1, one
        assert 1 <= one.span.column <= len(lines[one.span.line - 1]) + 1, one
    return checked
