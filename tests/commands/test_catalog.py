"""`runexp catalog`: an overview, a search, one entry."""

from __future__ import annotations

import json

import pytest

from runexp.catalog import KINDS, lookup, names
from runexp.report.catalog import KIND_SUMMARIES, render_entry
from runexp.report.catalog_example import example
from runexp.source import read_text


def test_without_a_name_every_kind_is_shown_with_its_count(call):
    outcome = call("catalog")
    assert outcome.exit_code == 0
    for kind in (kind for kind in KINDS if names(kind)):
        assert f"{kind}  {len(names(kind))}  {KIND_SUMMARIES[kind]}" in outcome.stdout


def test_an_entry_shows_parameters_what_is_inferred_short_names_and_an_example(call):
    text = call("catalog", "torch.nn.Conv1d").stdout
    assert "short name  conv1d" in text
    assert "inferred from the input  in_channels" in text
    assert "`zeros`, `reflect`, `replicate` or" in text
    rows = {line.split()[0]: line for line in text.splitlines() if line and not line.startswith(" ")}
    assert "required" in rows["kernel_size"]
    assert "a whole number of at least 1" in rows["out_channels"]
    assert "use: conv1d, with: {out_channels: 8, kernel_size: 8}" in text


def test_a_short_name_and_its_dotted_path_show_the_same_entry(call):
    assert call("catalog", "adamw").stdout == call("catalog", "torch.optim.AdamW").stdout


def test_what_runexp_gives_by_itself_is_no_row(call):
    text = call("catalog", "adamw").stdout
    assert "given by runexp  params" in text
    assert not [line for line in text.splitlines() if line.startswith("params")]
    assert "given by runexp  return_X_y, as_frame" in call("catalog", "sklearn.datasets.load_digits").stdout


def test_a_name_of_several_kinds_shows_each_and_kind_picks_one(call):
    assert {entry["kind"] for entry in json.loads(call("catalog", "linear", "--format", "json").stdout)["entries"]} == {
        "module",
        "schedule",
    }
    only = call("catalog", "linear", "--kind", "schedule", "--format", "json")
    assert [entry["kind"] for entry in json.loads(only.stdout)["entries"]] == ["schedule"]


def test_an_unknown_name_offers_the_nearest_and_exits_2(call):
    outcome = call("catalog", "torch.nn.Convd1")
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert "`torch.nn.Conv1d`" in outcome.stderr


def test_an_unknown_kind_offers_the_kinds_and_exits_2(call):
    outcome = call("catalog", "--kind", "losses")
    assert outcome.exit_code == 2
    assert "did you mean `loss`?" in outcome.stderr


def test_a_search_looks_in_names_and_summaries(call):
    found = json.loads(call("catalog", "--search", "principal component", "--format", "json").stdout)["entries"]
    assert "sklearn.decomposition.PCA" in {entry["name"] for entry in found}
    assert "sklearn.decomposition.PCA" in call("catalog", "--search", "pca", "--kind", "transform").stdout


def test_a_kind_lists_every_entry_once(call):
    text = call("catalog", "--kind", "dataset").stdout
    heads = [
        line.split()[0] for line in text.splitlines() if line[:1].isalpha() and line.split()[0] in names("dataset")
    ]
    assert sorted(heads) == sorted(names("dataset"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if names(kind)])
def test_the_example_of_every_entry_is_yaml_that_uses_it(kind):
    for name in names(kind):
        entry = lookup(name, kind)
        document, found = read_text(example(entry))
        assert not found, (name, found)
        assert f"use: {min(entry.short, key=len) if entry.short else entry.name}" in str(document.plain()).replace(
            "'", ""
        )


@pytest.mark.parametrize("width", [40, 100])
def test_no_line_is_wider_than_the_terminal(width):
    for name in ("torch.nn.Conv1d", "sklearn.decomposition.PCA", "adamw", "cosine"):
        text = render_entry(lookup(name), console_width=width, color=False)
        assert max(map(len, text.splitlines())) <= width


def test_the_catalog_imports_no_heavy_library(run_python):
    code = """
import sys
from typer.testing import CliRunner
from runexp.cli.app import app
for arguments in (["catalog"], ["catalog", "conv1d"], ["catalog", "--search", "entropy"]):
    assert CliRunner().invoke(app, arguments).exit_code == 0
sys.exit(str({"torch", "sklearn", "numpy"} & set(sys.modules) or ""))
"""
    assert run_python("-c", code).stderr.strip() == ""
