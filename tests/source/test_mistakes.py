"""Each file of `specs/` is wrong in the ways its comments say: `# error: code line:column words of the help`."""

import re
from pathlib import Path

import pytest

from runexp.source import read

SPECS = sorted((Path(__file__).parent / "specs").glob("*.yaml"))
EXPECTED = re.compile(r"# (error|warning): (\S+) (\d+):(\d+)(?: (.*))?")


@pytest.mark.parametrize("path", SPECS, ids=[path.stem for path in SPECS])
def test_a_spec_is_wrong_just_where_it_says(path):
    expected = [match.groups() for match in EXPECTED.finditer(path.read_text())]
    _, found = read(path, environ={})
    told = [(one.severity.value, one.code, str(one.span.line), str(one.span.column)) for one in found]
    assert told == [wrong[:4] for wrong in expected]
    for one, (*_, words) in zip(found, expected, strict=True):
        assert (words or "") in one.help


def test_there_are_specs_to_try():
    assert len(SPECS) >= 12
