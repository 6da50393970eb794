"""`runexp plan` and `runexp preview`: what they show, and that they leave nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_plan_is_a_tree_with_every_default(cli, quickstart, tmp_path):
    ended = cli("plan", quickstart, COLUMNS="100")
    assert ended.exit_code == 0
    assert ended.stdout.startswith("quickstart  seed 7\n")
    for part in ("digits", "encoder", "head", "adamw", "val_loss"):
        assert part in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_plan_as_json_has_a_digest_that_follows_what_matters(cli, quickstart):
    plain = json.loads(cli("plan", quickstart, "--format", "json").stdout)
    again = json.loads(cli("plan", quickstart, "--format", "json").stdout)
    other = json.loads(cli("plan", quickstart, "--format", "json", "--set", "phases.train.epochs=3").stdout)
    assert plain == again
    assert plain["digest"] != other["digest"]


def test_the_graph_is_drawn_for_mermaid(cli, quickstart):
    ended = cli("plan", quickstart, "--format", "mermaid")
    assert ended.stdout.startswith("flowchart LR\n")
    assert "digits.pixels" in ended.stdout


@pytest.mark.parametrize("verb", [["plan"], ["preview", "--phase", "train"], ["run"]], ids=lambda verb: verb[0])
def test_a_wrong_spec_ends_every_verb_with_2_and_leaves_nothing(cli, bad, tmp_path, verb):
    ended = cli(*verb, bad.name)
    assert ended.exit_code == 2
    assert "error[unknown-key]" in ended.stderr
    assert ended.stdout == ""
    assert list(tmp_path.iterdir()) == [bad]


def test_an_unknown_phase_names_the_nearest(cli, quickstart):
    ended = cli("preview", quickstart, "--phase", "trian")
    assert ended.exit_code == 2
    assert "no phase is labelled `trian`; did you mean `train`?" in ended.stderr


def test_a_dry_preview_tells_of_the_phase_and_runs_nothing(cli, quickstart, tmp_path):
    ended = cli("preview", quickstart, "--phase", "train", "--dry")
    assert ended.exit_code == 0
    words = " ".join(ended.stdout.split())
    for told in ("1,258 rows", "20 batches", "600 steps in all", "batch x 64", "cross_entropy", "adamw(lr=0.003)"):
        assert told in words
    assert "completed" not in ended.output
    assert list(tmp_path.iterdir()) == []


def test_a_preview_runs_the_phase_and_leaves_nothing(cli, quickstart, tmp_path):
    ended = cli("preview", quickstart, "--phase", "train", "--steps", "3")
    assert ended.exit_code == 0
    assert "val_loss" in ended.output
    assert "nothing was written" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_phase_that_waits_for_an_earlier_one_says_so(cli):
    spec = ROOT / "specs" / "pca_hybrid.yaml"
    ended = cli("preview", spec, "--phase", "train", "--steps", "2")
    assert ended.exit_code == 2
    assert "waits for pca to be fitted; add --with-earlier" in ended.stderr
    ended = cli("preview", spec, "--phase", "train", "--steps", "2", "--with-earlier")
    assert ended.exit_code == 0
    assert "fitted pca" in ended.output
