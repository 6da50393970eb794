"""`runexp init`: templates that are valid and run, and what it refuses."""

from __future__ import annotations

import pytest

from runexp.api.checking import check
from runexp.api.running import Place, run
from runexp.api.templates import templates

NAMES = (
    "tabular-classification",
    "tabular-regression",
    "cross-validation",
    "hybrid",
    "multi-task",
    "sweep",
    "staged",
    "char-lm",
)


def test_the_templates_are_listed_with_what_they_are(call):
    outcome = call("init", "--list")
    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines()[::2] == list(templates())
    assert set(templates()) == set(NAMES)
    assert all(len(line) > 40 for line in outcome.stdout.splitlines()[1::2])


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_valid_without_a_warning_and_runs(call, tmp_path, name):
    outcome = call("init", name)
    assert outcome.exit_code == 0
    verb = "sweep" if name == "sweep" else "run"
    assert f"next: runexp {verb} {name}.yaml" in outcome.stderr
    assert check(f"{name}.yaml").diagnostics == ()
    checked = check(f"{name}.yaml", overrides=[f"phases.{label}.epochs=1" for label in _trained(f"{name}.yaml")])
    finished = run(checked, Place(tmp_path / "runs"), watch=lambda live: ())
    assert finished.status == "completed"
    assert finished.results.summary()


@pytest.mark.parametrize("name", NAMES)
def test_a_template_teaches_in_comments_and_leads_editors_to_the_schema(call, tmp_path, name):
    call("init", name, "--output", "specs/deep/a.yaml")
    lines = (tmp_path / "specs" / "deep" / "a.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# yaml-language-server: $schema=../../schemas/runexp.schema.json"
    assert sum("#" in line for line in lines) >= 6


def test_a_name_is_the_name_of_experiment_and_file(call, tmp_path):
    call("init", "hybrid", "--name", "mine")
    assert "\nname: mine\n" in (tmp_path / "mine.yaml").read_text(encoding="utf-8")


def test_a_file_that_exists_is_replaced_only_when_forced(call, tmp_path):
    (tmp_path / "hybrid.yaml").write_text("mine\n", encoding="utf-8")
    refused = call("init", "hybrid")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert (tmp_path / "hybrid.yaml").read_text(encoding="utf-8") == "mine\n"
    assert call("init", "hybrid", "--force").exit_code == 0
    assert (tmp_path / "hybrid.yaml").read_text(encoding="utf-8") != "mine\n"


def test_a_dash_writes_to_standard_output(call, tmp_path):
    assert call("init", "hybrid", "--output", "-").stdout.startswith("# yaml-language-server")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["hibrid"], "did you mean `hybrid`?", id="an unknown template"),
        pytest.param([], "name one", id="nothing"),
        pytest.param(["hybrid", "--from-data", "a.csv"], "two ways", id="both ways"),
        pytest.param(["--from-data", "a.csv"], "--target", id="no target"),
        pytest.param(["hybrid", "--target", "y"], "--from-data", id="a target without data"),
        pytest.param(["hybrid", "--name", "a b"], "cannot be a name", id="a name that is none"),
        pytest.param(["--from-data", "a.csv", "--target", "y"], "there is no file `a.csv`", id="no such table"),
    ],
)
def test_a_wrong_command_line_exits_2_and_writes_nothing(call, tmp_path, arguments, message):
    outcome = call("init", *arguments)
    assert outcome.exit_code == 2
    assert message in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def _trained(path):
    return [label for label, phase in check(path).spec.phases.items() if phase.kind == "train"]
