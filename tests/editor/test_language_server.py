"""A real YAML language server completes, explains and checks specs by the schema.

`RUNEXP_UPDATE_GOLDEN=1` writes docs/editor-session.md anew.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT
from editor.language_server import CURSOR, LanguageServer
from editor.session import STEPS, ask, page

pytestmark = pytest.mark.slow

VERSION = "1.25.0"
PAGE = ROOT / "docs" / "editor-session.md"
MODELINE = "# yaml-language-server: $schema=../schemas/runexp.schema.json\n"
SECONDS = 2.0


@pytest.fixture(scope="module")
def server():
    node, script = shutil.which("node"), _installed()
    with LanguageServer(node, script, ROOT / "specs") as running:
        yield running


def _installed() -> Path:
    """The server, out of npm's registry, in a folder of its own under the cache."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not there")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "runexp-tests" / f"yaml-language-server-{VERSION}"
    script = folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
    if not script.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        package = f"yaml-language-server@{VERSION}"
        options = ["--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund"]
        command = [npm, "install", *options, package]
        outcome = subprocess.run(command, check=False, capture_output=True, text=True, timeout=180)
        if outcome.returncode != 0:
            pytest.skip(f"npm could not install {package}: {outcome.stderr.strip()[-300:]}")
    return script


@pytest.fixture(scope="module")
def answers(server):
    return {name: ask(server, step, MODELINE) for name, step in STEPS.items()}


def test_a_class_offers_its_parameters_in_with(answers):
    for place in ("conv", "layer"):
        offered = answers[place].told
        assert {"in_channels", "out_channels", "kernel_size", "stride", "padding_mode"} <= offered.keys()
        assert offered["kernel_size"] == "Size of the convolving kernel"
        assert offered["in_channels"].endswith("(left out: inferred)")
        assert "inputs" not in offered


def test_the_words_of_a_parameter_are_offered(answers):
    assert list(answers["choice"].told) == ["zeros", "reflect", "replicate", "circular"]


def test_what_is_made_inside_an_argument_offers_its_parameters(answers):
    assert {"C", "kernel", "gamma"} <= answers["nested"].told.keys()


def test_a_group_of_an_optimizer_offers_its_options(answers):
    assert {"lr", "weight_decay"} <= answers["group"].told.keys()
    assert "params" not in answers["group"].told


def test_the_top_level_offers_the_sections(answers):
    assert {"data", "nodes", "losses", "phases", "callbacks", "execution"} <= answers["top"].told.keys()
    assert "name" not in answers["top"].told


def test_a_phase_offers_kinds_then_the_keys_of_its_kind(answers):
    assert answers["kind"].told["fit"] == "closed-form fit"
    assert {"train", "eval", "group"} <= answers["kind"].told.keys()
    assert {"epochs", "losses", "optimizer", "callbacks"} <= answers["phase"].told.keys()
    assert "freeze_after_fit" not in answers["phase"].told


def test_a_loss_offers_the_losses_of_the_catalog(answers):
    offered = answers["loss"].told
    assert {"cross_entropy", "mse", "torch.nn.CrossEntropyLoss"} <= offered.keys()
    assert "cross entropy loss" in offered["cross_entropy"]
    assert "adamw" not in offered


@pytest.mark.parametrize(
    ("step", "texts"),
    [
        ("hover kind", ("iterative training",)),
        ("hover use", ("torch.optim.AdamW", "Implements AdamW")),
        ("hover lr", ("torch.optim.AdamW", "learning rate")),
        ("hover choice", ("torch.nn.Conv1d", "circular")),
    ],
)
def test_hovering_tells_what_a_thing_is(step, texts, answers):
    shown = "\n".join(answers[step].lines)
    assert all(text in shown for text in texts), shown


def test_each_mistake_is_underlined_where_it_is(answers):
    underlined = [line.split("`")[1] for line in answers["wrong"].lines]
    assert sorted(underlined) == ["-1", "many", "paddding", "torch.nn.Linaer", "weigth", "zeroes"]


@pytest.mark.parametrize("spec", sorted(ROOT.glob("specs/*.yaml")), ids=lambda spec: spec.stem)
def test_nothing_is_underlined_in_a_right_spec(spec, server):
    assert server.diagnostics(spec.read_text(encoding="utf-8")) == []


def test_nothing_is_underlined_in_a_spec_that_changes_another(server):
    text = "extends: quickstart.yaml\nphases:\n  train: {epochs: 3}\n  test: null\nlosses: {ce: {weight: 2.0}}\n"
    assert server.diagnostics(MODELINE + text) == []


def test_answers_on_a_spec_of_a_hundred_lines_come_at_once(server):
    node = "    use: conv1d\n    inputs: d.x\n    with:\n      out_channels: 8\n      kernel_size: 3\n"
    text = f"{MODELINE}runexp: 1\nname: a\nnodes:\n" + "".join(f"  n{index}:\n{node}" for index in range(17))
    for _ in range(3):
        server.complete(text + f"  last:\n    use: conv1d\n    with:\n      {CURSOR}\n")
        server.hover(text.replace("out_", f"ou{CURSOR}t_", 1))
    for what in ("completion", "hover"):
        assert statistics.median(server.seconds[what][-3:]) < SECONDS


def test_the_page_shows_this_session(answers):
    text = page(answers, VERSION)
    if os.environ.get("RUNEXP_UPDATE_GOLDEN") == "1":
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text, "run this test with RUNEXP_UPDATE_GOLDEN=1"
