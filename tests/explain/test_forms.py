"""What diagnostics look like elsewhere: narrow and wide terminals, SARIF, GitHub."""

from __future__ import annotations

import re
from contextlib import chdir
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from jsonschema import Draft7Validator

from explain.pages import LATE, example, sections, tried
from runexp.report.characters import columns
from runexp.report.diagnostics import render
from runexp.report.explanations import explanations
from runexp.report.sarif import sarif_log

EARLY = [page for page in explanations() if page.area not in LATE]
# Of the schema of SARIF 2.1.0 what a log of ours can hold; names and limits as the standard has them (3.27 to 3.30).
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
NATURAL = {"type": "integer", "minimum": 1}
REGION = {
    "type": "object",
    "required": ["startLine"],
    "additionalProperties": False,
    "properties": dict.fromkeys(("startLine", "startColumn", "endLine", "endColumn"), NATURAL),
}
ARTIFACT = {"type": "object", "properties": {"uri": {"type": "string", "pattern": r"^[^\s\\<>\"{}|^`]+$"}}}
LOCATION = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "id": {"type": "integer", "minimum": -1},
        "message": TEXT,
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "additionalProperties": False,
            "properties": {"artifactLocation": ARTIFACT, "region": REGION},
        },
    },
}
LOCATIONS = {"type": "array", "uniqueItems": True, "items": LOCATION}
RESULT = {
    "type": "object",
    "required": ["message"],
    "additionalProperties": False,
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": -1},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": TEXT,
        "locations": LOCATIONS,
        "relatedLocations": LOCATIONS,
    },
}
RULE = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "help": TEXT}}
DRIVER = {
    "type": "object",
    "required": ["name"],
    "properties": {"rules": {"type": "array", "uniqueItems": True, "items": RULE}},
}
RUN = {
    "type": "object",
    "required": ["tool"],
    "additionalProperties": False,
    "properties": {
        "tool": {"type": "object", "required": ["driver"], "properties": {"driver": DRIVER}},
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "results": {"type": "array", "items": RESULT},
    },
}
LOG = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {"$schema": {"type": "string"}, "version": {"const": "2.1.0"}, "runs": {"items": RUN}},
}


@cache
def checked(page):
    """What checking finds in the bad example of a page, and the texts."""
    chosen = example(sections(page.text)["Wrong"])
    with TemporaryDirectory() as folder, chdir(folder):
        chosen.write(Path(folder))
        return tried(chosen, Path(folder))


@pytest.fixture(params=EARLY, ids=lambda page: page.code)
def wrong(request):
    return checked(request.param)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(wrong, width):
    text = render(*wrong, width=width)
    too_wide = [line for line in text.splitlines() if columns(line) > width]
    assert [line for line in too_wide if not is_one_word(line)] == []


def is_one_word(line):
    """A single long name or path is not torn."""
    return len(re.sub(r"^(error|warning)\[\S+\]:|^\s*=? ?(help|note)?:?|^\s*(-->|:::)", "", line).split()) <= 1


def test_color_is_paint_and_nothing_else(wrong):
    plain, painted = (render(*wrong, width=80, color=color) for color in (False, True))
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain != painted


def test_sarif_is_as_the_standard_says(wrong):
    log = sarif_log(wrong[0])
    assert [error.message for error in Draft7Validator(LOG).iter_errors(log)] == []
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == len(wrong[0])
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])


def test_github_gets_one_command_a_line(wrong):
    lines = render(*wrong, format="github").splitlines()
    assert len(lines) == min(len(wrong[0]), 20)
    for line, one in zip(lines, wrong[0], strict=False):
        command = re.fullmatch(r"::(error|warning) ([^:]*)::(.+)", line)
        assert command is not None
        properties = dict(pair.split("=", 1) for pair in command[2].split(","))
        assert properties["title"] == one.code
        if "file" in properties:
            assert int(properties["line"]) <= int(properties["endLine"])
            assert properties["line"] != properties["endLine"] or int(properties["col"]) <= int(properties["endColumn"])
