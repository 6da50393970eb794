"""Every bad spec of the tables gives the codes it must give, where it must, and nothing else."""

from __future__ import annotations

import pytest

from corpus.tables import GOOD, Place, families
from runexp.api.checking import check
from runexp.report.diagnostics import render

FAMILIES = families()
CASES = [pytest.param(case, id=case.title) for cases in FAMILIES.values() for case in cases]


@pytest.mark.parametrize("name", GOOD)
def test_the_good_specs_are_good(name):
    assert check(GOOD[name]).diagnostics == ()


def test_there_are_enough_bad_specs_and_no_two_are_alike():
    assert len(CASES) >= 300
    texts = [case.text for cases in FAMILIES.values() for case in cases]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("case", CASES)
def test_a_bad_spec_gives_its_diagnostics_and_no_others(case):
    checked = check("-", stdin=case.text.encode())
    # What the language has and cannot run yet is told besides; those messages go as it comes to life.
    announced = [code for _, code, _ in case.expected]
    found = [one for one in checked.diagnostics if one.code != "not-yet-supported" or one.code in announced]
    told = [(one.severity.value, one.code, _place(one.span, at)) for one, at in _paired(found, case)]
    assert told == list(case.expected), "\n" + render(found, checked.files, color=False, width=110)
    assert case.words in f"{found[-1].message}\n{found[-1].help}"


def _paired(found, case):
    """Diagnostics with the places they should have; surplus ones have none."""
    return [(one, case.expected[n][2] if n < len(case.expected) else None) for n, one in enumerate(found)]


def _place(span, at):
    """Where a diagnostic points, said as far as the case says it."""
    whole = Place(span.line, span.column, span.end_line, span.end_column)
    return whole if at is None or at.end_line else Place(span.line, span.column)
