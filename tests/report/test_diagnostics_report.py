"""Diagnostics as they are shown: golden files for text, fields for machines, nothing of a stranger's tricks."""

import json
import re
from pathlib import Path

import pytest

from runexp.diagnostics import Diagnostic, Related, Severity, Span
from runexp.report.diagnostics import render
from runexp.source import read_text

GOLDEN = Path(__file__).parent / "golden"
LONG = "k: " + "x" * 300 + ' "${vars.nope}" ' + "y" * 300 + "\n"
SPECS = {
    "duplicate-key": "a: 1\nb: 2\na: 3\nc: yes\n",
    "near-and-far": "a: [1,\n  2\n\n\n\nb: 3\n",
    "long-line": LONG,
    "wide-characters": "名前: 値値 ${vars.x} z\n",
    "tab-in-line": 'a:\t"x" y\n',
    "empty": "",
    "through-a-variable": "vars: {a: '${vars.b}', b: '${vars.a}'}\n",
}


@pytest.mark.parametrize("name", SPECS)
def test_text_is_drawn_as_the_golden_file_shows(name):
    _, found = read_text(SPECS[name], file="specs/digits.yaml")
    assert render(found, {"specs/digits.yaml": SPECS[name]}, width=80) == (GOLDEN / f"{name}.txt").read_text()


def test_a_diagnostic_looks_as_the_contract_says():
    text = "\n" * 30 + "    node: haed\n"
    message = "loss `ce` is on node `haed`, which is not defined"
    span = Span("specs/digits.yaml", 31, 11, 31, 15)
    help = "did you mean `head`? nodes: encoder, head, pca"
    one = Diagnostic("unknown-node", message, span, label="no such node", help=help)
    assert render([one], {span.file: text}) == (
        "error[unknown-node]: loss `ce` is on node `haed`, which is not defined\n"
        "  --> specs/digits.yaml:31:11\n"
        "   |\n"
        "31 |     node: haed\n"
        "   |           ^^^^ no such node\n"
        "   = help: did you mean `head`? nodes: encoder, head, pca\n"
        "   = note: runexp explain unknown-node\n"
        "\n"
        "1 error\n"
    )


def test_places_in_other_files_have_their_own_arrow():
    one = Diagnostic("x", "m", Span("--set", 1, 4, 1, 5), related=(Related(Span("a.yaml", 2, 1, 2, 2), "used here"),))
    shown = render([one], {"--set": "lr=3", "a.yaml": "\nb: 1"})
    assert " --> --set:1:4\n" in shown and " ::: a.yaml:2:1\n" in shown and "- used here\n" in shown


def test_errors_come_before_warnings_and_both_are_counted():
    found = [
        Diagnostic("w", "later", severity=Severity.WARNING),
        Diagnostic("e", "first"),
        Diagnostic("f", "second"),
    ]
    shown = render(found, {})
    assert shown.index("error[e]") < shown.index("error[f]") < shown.index("warning[w]")
    assert shown.endswith("\n2 errors, 1 warning\n")


def test_at_most_twenty_are_shown_and_the_rest_counted():
    shown = render([Diagnostic("e", f"number {n}") for n in range(50)], {})
    assert shown.count("error[e]") == 20 and shown.endswith("50 errors (30 not shown)\n")


def test_a_flood_of_text_stays_under_64_kib():
    flood = "word " * 20_000
    found = [Diagnostic("e", flood, Span("f", 1, 1, 1, 90_000), label=flood, help=flood) for _ in range(20)]
    assert len(render(found, {"f": flood}, width=10_000)) <= 64 * 1024


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_no_control_character_of_a_user_reaches_the_screen(form):
    evil = "a\x1b[31m\u202eb\x00\x9b\u200b\r\n::error::c"
    related = (Related(Span(evil, 1, 1, 1, 2), evil),)
    one = Diagnostic("e", evil, Span(evil, 1, 1, 1, 3), evil, evil, related, path=evil)
    shown = render([one], {evil: evil}, format=form)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e]", shown)
    assert form != "github" or shown.count("\n") == 1


def test_color_changes_nothing_but_color():
    text = SPECS["duplicate-key"]
    _, found = read_text(text, file="f")
    colored = render(found, {"f": text}, color=True)
    assert "\x1b[1;31m" in colored and re.sub("\x1b\\[[0-9;]*m", "", colored) == render(found, {"f": text})


def test_json_carries_every_span():
    text = "a: 1\na: 2\n"
    _, found = read_text(text, file="f.yaml")
    told = json.loads(render(found, {"f.yaml": text}, format="json"))
    assert (told["n_errors"], told["n_warnings"]) == (1, 0)
    (one,) = told["diagnostics"]
    assert one["span"] == {"file": "f.yaml", "line": 2, "column": 1, "end_line": 2, "end_column": 2}
    assert one["related"][0]["span"]["line"] == 1 and one["severity"] == "error"


def test_sarif_has_rules_levels_and_regions():
    _, found = read_text("a: 1\na: yes\n", file="my specs/f.yaml")
    log = json.loads(render(found, {}, format="sarif"))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == ["duplicate-key", "yaml-1.1-word"]
    assert [result["level"] for result in run["results"]] == ["error", "warning"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "my%20specs/f.yaml"
    assert place["region"] == {"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 2}


def test_github_annotates_the_file_and_escapes_what_it_must():
    one = Diagnostic("e", "50% of `a`", Span("x,y.yaml", 3, 2, 3, 5), help="mend it")
    expected = "::error file=x%2Cy.yaml,line=3,endLine=3,col=2,endColumn=4,title=e::50%25 of `a`%0Amend it\n"
    assert render([one], {}, format="github") == expected
