"""`runexp validate`, `schema`, `--help` and `--version`: what they print and how they end."""

from __future__ import annotations

import json

import pytest


def test_a_right_spec_is_said_to_be_valid(cli, quickstart, tmp_path):
    ended = cli("validate", quickstart)
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, f"{quickstart}: valid\n", "")
    assert list(tmp_path.iterdir()) == []


def test_quiet_says_nothing_of_a_right_spec(cli, quickstart):
    ended = cli("validate", "--quiet", quickstart)
    assert (ended.exit_code, ended.output) == (0, "")


def test_a_mistake_is_shown_where_it_stands_and_ends_with_2(cli, bad):
    ended = cli("validate", bad.name)
    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(
        "error[unknown-key]: the spec has no key `sede`\n --> bad.yaml:4:1\n  |\n4 | sede: 7\n  | ^^^^ unknown key\n"
    )
    assert "did you mean `seed`?" in ended.stderr
    assert ended.stderr.endswith("\n1 error\n")


def test_several_files_are_all_read(cli, bad, quickstart):
    ended = cli("validate", quickstart, bad.name, "no_such.yaml")
    assert ended.exit_code == 2
    assert f"{quickstart}: valid" in ended.stdout
    assert "--> bad.yaml:4:1" in ended.stderr
    assert "no_such.yaml" in ended.stderr
    assert ended.stderr.endswith("\n2 errors\n")


def test_a_file_that_is_not_there_is_a_wrong_command_line(cli):
    ended = cli("validate", "no_such.yaml")
    assert ended.exit_code == 2
    assert "there is no such file" in ended.stderr


def test_a_dash_reads_standard_input(cli, bad, quickstart):
    with open(quickstart) as spec:
        assert cli("validate", "-", stdin=spec.read()).exit_code == 0
    ended = cli("validate", "-", stdin=bad.read_text())
    assert ended.exit_code == 2
    assert ":4:1" in ended.stderr


def test_an_override_is_checked_like_the_file(cli, quickstart):
    ended = cli("validate", quickstart, "--set", "phases.train.epochs=many")
    assert ended.exit_code == 2
    assert "error[wrong-type]: `phases.train.epochs` must be a whole number, not `many`" in ended.stderr
    assert "--> --set:1:" in ended.stderr
    assert "phases.train.epochs=many" in ended.stderr


def test_an_override_of_a_path_that_does_not_exist_names_the_nearest(cli, quickstart):
    ended = cli("validate", quickstart, "--set", "phases.train.epohcs=3")
    assert ended.exit_code == 2
    assert "epochs" in ended.stderr.partition("did you mean")[2]


def test_json_tells_the_same_places(cli, bad):
    ended = cli("validate", bad.name, "--format", "json")
    document = json.loads(ended.stdout)
    assert (ended.exit_code, document["n_errors"], document["n_warnings"]) == (2, 1, 0)
    found = document["diagnostics"][0]
    assert (found["code"], found["severity"]) == ("unknown-key", "error")
    assert found["span"] == {"file": "bad.yaml", "line": 4, "column": 1, "end_line": 4, "end_column": 5}


def test_sarif_tells_the_same_places(cli, bad):
    log = json.loads(cli("validate", bad.name, "--format", "sarif").stdout)
    assert log["version"] == "2.1.0"
    (result,) = log["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("unknown-key", "error")
    region = result["locations"][0]["physicalLocation"]["region"]
    assert (region["startLine"], region["startColumn"], region["endColumn"]) == (4, 1, 5)


def test_github_annotations_tell_the_same_places(cli, bad):
    ended = cli("validate", bad.name, "--format", "github")
    assert ended.stdout.startswith("::error file=bad.yaml,line=4,endLine=4,col=1,endColumn=4,title=unknown-key::")


def test_a_narrow_terminal_is_kept_to(cli, bad):
    ended = cli("validate", bad.name, COLUMNS="40")
    drawn = [line for line in ended.stderr.splitlines() if not line.startswith(" -->")]
    assert max(map(len, drawn)) <= 40


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}, {"COLUMNS": "40"}], ids=str)
def test_a_pipe_gets_no_colours(cli, bad, env):
    assert "\x1b" not in cli("validate", bad.name, **env).output


@pytest.mark.parametrize("args", [["validate"], ["validate", "--frob", "x.yaml"], ["frobnicate"], ["run"]], ids=str)
def test_a_wrong_command_line_ends_with_2(cli, args):
    assert cli(*args).exit_code == 2


@pytest.mark.parametrize("verb", ["run", "validate", "preview", "plan", "schema"])
def test_every_verb_has_a_page_of_help(cli, verb):
    ended = cli(verb, "--help", COLUMNS="100")
    assert ended.exit_code == 0
    assert f"runexp {verb}" in ended.stdout.replace("root ", "runexp ")
    assert verb in cli("--help").stdout


def test_help_tells_the_exit_codes(cli):
    words = " ".join(cli("--help", COLUMNS="100").stdout.replace("│", " ").split())
    for told in ("0 done", "1 it ran and failed", "2 the spec", "3 a fault of runexp", "130, 143 interrupted"):
        assert told in words


def test_the_version_is_told(cli):
    ended = cli("--version")
    assert ended.exit_code == 0
    assert ended.stdout.startswith("runexp ")


def test_schema_goes_where_it_is_sent(cli, tmp_path):
    printed = cli("schema", "--output", "-")
    written = cli("schema", "--output", "deep/schema.json")
    assert (printed.exit_code, written.exit_code) == (0, 0)
    assert json.loads(printed.stdout) == json.loads((tmp_path / "deep" / "schema.json").read_text())
