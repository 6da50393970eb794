"""Mistakes are found where they stand: fixtures say on each line what is wrong with it, and from which column to which.

`# error: [code] 14-17 text`: one diagnostic of that code on this line, its first and last column, and a text that its
message or help holds. Several stand one after the other. What no comment announces must not be reported.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runexp.api.checking import check

FIXTURES = sorted(Path(__file__).with_name("fixtures").glob("*.yaml"))
EXPECTED = re.compile(r"# (error|warning): \[([a-z-]+)\] (\d+)(?:-(\d+))? ?([^#\n]*)")


def announced(path):
    """What a fixture says of itself: (line, first column, last column, severity, code) → text."""
    return {
        (number, int(first), int(last or first), severity, code): text.strip()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for severity, code, first, last, text in EXPECTED.findall(line)
    }


def found(path):
    diagnostics = check(path).diagnostics
    assert {one.span.file for one in diagnostics} <= {str(path)}
    return {
        (one.span.line, one.span.column, one.span.end_column - 1, one.severity.value, one.code): one
        for one in diagnostics
    }


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_spec_gives_the_diagnostics_it_announces_and_no_others(path):
    expected, actual = announced(path), found(path)
    assert sorted(actual) == sorted(expected)
    assert len(check(path).diagnostics) == len(expected)
    for place, text in expected.items():
        assert text in f"{actual[place].message}\n{actual[place].help}"


def test_ten_mistakes_give_ten_diagnostics_in_document_order():
    found = check(Path(__file__).with_name("fixtures") / "ten_mistakes.yaml").diagnostics
    assert len(found) == 10
    assert list(found) == sorted(found, key=lambda one: one.span)


def test_every_code_that_checking_can_give_has_a_fixture(root):
    announced_codes = {code for path in FIXTURES for *_, code in announced(path)}
    source = "".join(
        path.read_text() for room in ("spec", "compiler") for path in (root / "src/runexp" / room).glob("*.py")
    )
    codes = set(re.findall(r'\.error\(\s*"([a-z-]+)"', source)) | set(re.findall(r'code="([a-z-]+)"', source))
    kinds = re.findall(r'\.unknown\(\s*"([a-z ]+)"', source)
    codes |= {f"unknown-{kind.replace(' ', '-')}" for kind in kinds}
    assert len(codes) > 25
    assert codes - announced_codes == set()


def test_a_section_that_is_missing_is_one_mistake(tmp_path):
    spec = tmp_path / "short.yaml"
    spec.write_text("runexp: 1\nname: short\ndata: {}\nnodes: {}\n")
    codes = [(one.code, one.message) for one in check(spec).diagnostics]
    assert ("missing-key", "the spec lacks the key `phases`") in codes
    assert {code for code, _ in codes} == {"missing-key"}
