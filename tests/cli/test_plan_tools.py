"""`runexp plan`: what differs between two plans, and where a value came from."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from runexp.cli.app import app

RUNNER = CliRunner()


def _plan(root, *arguments):
    spec = str(root / "specs/quickstart.yaml")
    return RUNNER.invoke(app, ["plan", spec, *arguments])


def test_the_difference_of_two_plans_names_what_changed_and_nothing_else(root):
    done = _plan(root, "--then-set", "phases.train.epochs=20", "--then-set", "nodes.head.with.bias=false")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "~ phases.train.n_epochs: 30 → 20",
        "+ nodes.head.calls.torch.nn.Linear.arguments.bias: false",
    ]


def test_equal_plans_say_so_and_json_lists_changes(root):
    assert _plan(root, str(root / "specs/quickstart.yaml")).stdout == "the plans are the same\n"
    changes = json.loads(_plan(root, "--then-set", "seed=8", "--format", "json").stdout)
    assert changes == [{"address": "seed", "before": 7, "after": 8}]


def test_why_tells_where_the_winning_value_was_written_and_what_it_beat(root):
    shown = _plan(root, "--set", "phases.train.epochs=20", "--why", "phases.train.epochs").stdout.splitlines()
    assert shown[0] == "phases.train.epochs = 20"
    assert shown[1] == "  written at --set:1:21"
    assert shown[2].startswith("  beats 30 at ")


def test_why_shows_the_default_of_a_value_that_was_left_out(root):
    shown = _plan(root, "--why", "phases.train.accumulate").stdout
    assert shown == "phases.train.accumulate = 1\n  left out: this is the default\n"


def test_why_of_an_unknown_address_offers_the_nearest(root):
    done = _plan(root, "--why", "phases.tran.epochs")
    assert done.exit_code == 2
    assert "did you mean `phases.train.epochs`?" in done.stderr
