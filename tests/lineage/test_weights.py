"""Weights from an earlier run, and from an earlier phase of the same (S-14)."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

from resume.runs import Interrupting, assert_same, begin, go_on
from runexp.api.checking import check
from runexp.api.deep import check_deep
from runexp.api.previewing import Length, Preview
from runexp.api.running import Place, run
from runexp.cli.app import app
from runexp.diagnostics import SpecError
from runexp.engine.control import Control

FIRST = """\
runexp: 1
name: first
seed: 1
data:
  iris:
    source: sklearn.datasets.load_iris
    features: {x: ["sepal *", "petal *"]}
    targets: {y: target}
    splits: {train: 0.6, val: 0.4}
nodes:
  body: {inputs: iris.x, use: torch.nn.Linear, with: {out_features: 6}}
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy}}
callbacks: {validate: {use: evaluation, split: val}}
phases:
  train:
    kind: train
    epochs: 3
    batches: {size: 30}
    losses: [ce]
    optimizer: {use: adam, with: {lr: 0.05}}
    callbacks: [validate]
    checkpoints: {monitor: val_loss, mode: max}
"""
SECOND = FIRST.replace("name: first", "name: second").replace("seed: 1", "seed: 2")
TAKING = "use: torch.nn.Linear, with: {out_features: 6}, freeze: true, weights: {WEIGHTS}}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with one run of `first`."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "first.yaml").write_text(FIRST)
    run(check(folder / "first.yaml"), Place(folder / "runs"), watch=lambda live: ())
    return folder / "runs"


@pytest.fixture
def first(runs):
    (folder,) = (runs / "first").iterdir()
    return folder


def second(folder, weights):
    """A spec whose body takes weights."""
    text = SECOND.replace("use: torch.nn.Linear, with: {out_features: 6}}", TAKING.replace("WEIGHTS", weights))
    (folder / "second.yaml").write_text(text)
    return folder / "second.yaml"


def tensors(folder, name="final"):
    return load_file(folder / "checkpoints" / name / "weights.safetensors")


SOURCES = {
    "from: run:ID": "final",
    "from: run:last": "final",
    "from: run:first": "final",
    "from: run:first/last": "final",
    "from: run:first/best": "train/epoch-0000",
    "from: run:first/last/train/epoch-1": "train/epoch-0001",
    "from: run:ID, checkpoint: best": "train/epoch-0000",
    "from: run:ID, checkpoint: train/last": "train/epoch-0002",
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_node_begins_with_the_weights_of_an_earlier_run(source, first, runs, tmp_path):
    """S-14: by id and checkpoint; what they were is on record."""
    spec = second(tmp_path, source.replace("ID", first.name))
    run(check(spec, overrides=["phases.train.epochs=1"]), Place(runs, tmp_path / "run"), watch=lambda live: ())
    given, taken = tensors(first, SOURCES[source]), tensors(tmp_path / "run")
    assert (given["body.weight"] == taken["body.weight"]).all()
    (told,) = json.loads((tmp_path / "run/lock.json").read_text())["lineage"]
    assert (told["node"], told["run"], told["checkpoint"]) == ("body", first.name, SOURCES[source])
    file = first / "checkpoints" / SOURCES[source] / "weights.safetensors"
    assert told["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_node_there_may_have_another_name(first, runs, tmp_path):
    """S-14: whole or by name."""
    spec = second(tmp_path, "from: run:first, node: head, strict: false")
    with pytest.raises(SpecError, match=r"`weight` of `body` has the shape \(3, 6\) in `run first \(head\)`"):
        run(check(spec), Place(runs, tmp_path / "run"), watch=lambda live: ())


WRONG = {
    "from: run:frist": "no run `frist`",
    "from: run:first, checkpoint: bets": "did you mean `best`?",
    "from: run:first/epoch-7": "there is no checkpoint `epoch-7`; checkpoints: last, ",
    "from: run:first, node: bodi": "lacks weights of `body`: `weight`, `bias`",
}


@pytest.mark.parametrize("source", WRONG)
def test_what_there_is_not_is_told_at_its_line_before_anything_starts(source, runs, tmp_path, monkeypatch):
    """Located, with the nearest; `validate --deep` tells it too."""
    monkeypatch.setenv("RUNEXP_RUNS", str(runs))
    spec = second(tmp_path, source)
    with pytest.raises(SpecError) as caught:
        run(check(spec), Place(runs, tmp_path / "run"), watch=lambda live: ())
    (found,) = caught.value.diagnostics
    assert (found.code, found.span.line) == ("wrong-weights", 11)
    assert WRONG[source] in found.message + found.help
    assert not (tmp_path / "run").exists()
    assert "wrong-weights" in [one.code for one in check_deep(check(spec)).checked.diagnostics]


def test_a_damaged_checkpoint_is_not_taken(runs, first, tmp_path):
    spec = second(tmp_path, "from: run:last")
    file = first / "checkpoints/final/weights.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with pytest.raises(SpecError, match="is damaged"):
            run(check(spec), Place(runs, tmp_path / "run"), watch=lambda live: ())
    finally:
        file.write_bytes(whole)


def test_show_tells_where_weights_are_from(runs, first, tmp_path):
    spec = second(tmp_path, "from: run:first/best")
    run(check(spec, overrides=["phases.train.epochs=1"]), Place(runs, tmp_path / "run"), watch=lambda live: ())
    page = CliRunner().invoke(app, ["show", str(tmp_path / "run")], env={"COLUMNS": "200"}).stdout
    assert f"body ← first/{first.name}, train/epoch-0000" in page


def test_a_run_that_took_weights_goes_on_though_what_it_took_them_from_is_gone(runs, tmp_path):
    """S-40: they lie in its own state by then."""
    (tmp_path / "first.yaml").write_text(FIRST)
    earlier, spec = tmp_path / "earlier", second(tmp_path, "from: run:EARLIER".replace("EARLIER", "demo"))
    begin(tmp_path / "first.yaml", tmp_path / "runs" / "demo" / "one")
    for name in ("whole", "run"):
        after = 4 if name == "run" else 0
        run_in(tmp_path, spec, name, after)
    (tmp_path / "runs" / "demo").rename(earlier)
    assert go_on(tmp_path / "run").status == "completed"
    assert_same(tmp_path / "run", tmp_path / "whole")


def run_in(folder, spec, name, after):
    control = Control()
    watch = lambda live: [Interrupting(control, after)] if after else []  # noqa: E731 - it is one expression
    run(check(spec), Place(folder / "runs", folder / name), watch=watch, control=control)


STAGES = """\
  student: {inputs: iris.x, use: torch.nn.Linear, with: {out_features: 6}, weights: {WEIGHTS}}
  top: {inputs: student, use: torch.nn.Linear, with: {out_features: 3}}
losses:
  ce: {node: head, use: cross_entropy}
  ce2: {node: top, use: cross_entropy}
"""


def staged(folder, weights, checkpoints="{monitor: val_loss, mode: max}"):
    """A second training of another node, which takes weights of the first."""
    text = FIRST.replace("losses: {ce: {node: head, use: cross_entropy}}\n", STAGES.replace("WEIGHTS", weights))
    text = text.replace("{monitor: val_loss, mode: max}", checkpoints)
    text += "  then: {kind: train, nodes: [top], epochs: 1, losses: [ce2], optimizer: {use: sgd, with: {lr: 0.1}}}\n"
    (folder / "staged.yaml").write_text(text)
    return folder / "staged.yaml"


@pytest.mark.parametrize(
    ("weights", "name", "checkpoints"),
    [
        ("from: phase:train, node: body", "train/epoch-0002", "{monitor: val_loss, mode: max}"),
        ("from: phase:train/best, node: body", "train/epoch-0000", "{monitor: val_loss, mode: max}"),
        ("from: phase:train, checkpoint: epoch-1, node: body", "train/epoch-0001", "{}"),
        ("from: phase:train, checkpoint: best, node: body", "", "{monitor: val_loss, mode: max, where: memory}"),
    ],
)
def test_a_node_takes_the_weights_of_an_earlier_phase(weights, name, checkpoints, first, tmp_path):
    """S-14: those it ended with, or those of a checkpoint, also of one in memory; a resumed run does the same."""
    spec = staged(tmp_path, weights, checkpoints)
    begin(spec, tmp_path / "whole")
    given = tensors(tmp_path / "whole", name) if name else tensors(first, "train/epoch-0000")
    assert (tensors(tmp_path / "whole")["student.weight"] == given["body.weight"]).all()
    begin(spec, tmp_path / "run", after=11)
    assert go_on(tmp_path / "run").status == "completed"
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_weights_of_a_phase_that_cannot_fit_are_told_before_anything_starts(tmp_path):
    spec = staged(tmp_path, "from: phase:train, node: head")
    with pytest.raises(SpecError, match=r"`weight` of `student` has the shape") as caught:
        run(check(spec), Place(at=tmp_path / "run"), watch=lambda live: ())
    assert caught.value.diagnostics[0].span.line == 13


def test_a_preview_takes_the_weights_the_phase_ends_with(tmp_path):
    tried = Preview(check(staged(tmp_path, "from: phase:train/best, node: body")), "train")
    assert tried.run(Length(n_epochs=1), watch=lambda live: ()).status == "completed"


def invoke(*given):
    return CliRunner().invoke(app, [str(one) for one in given])


def test_a_run_made_again_takes_what_it_took_though_last_means_another_by_now(runs, tmp_path):
    """S-14: the lock pins what was really taken."""
    place = tmp_path / "runs"
    shutil.copytree(runs, place)
    (begun,) = (place / "first").iterdir()
    taking = run(check(second(tmp_path, "from: run:first/last")), Place(place), watch=lambda live: ())
    (tmp_path / "first.yaml").write_text(FIRST.replace("seed: 1", "seed: 5"))
    run(check(tmp_path / "first.yaml"), Place(place), watch=lambda live: ())
    made = invoke("reproduce", taking.folder, "--runs", place, "--quiet")
    assert made.exit_code == 0, made.output
    assert "the same, bit for bit" in made.stdout
    newest = max((place / "second").iterdir(), key=lambda folder: (folder / "lock.json").stat().st_mtime_ns)
    (lineage,) = json.loads((newest / "lock.json").read_text())["lineage"]
    assert (lineage["run"], lineage["reference"]) == (begun.name, "first/last")
    shutil.rmtree(begun)
    gone = invoke("reproduce", taking.folder, "--runs", place, "--quiet")
    assert gone.exit_code == 2
    assert f"what it began with, first/{begun.name}, final" in " ".join(gone.stderr.split())


def test_what_was_taken_is_found_where_the_runs_were_moved_to(runs, tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    shutil.copytree(runs, before)
    taking = run(check(second(tmp_path, "from: run:last")), Place(before), watch=lambda live: ())
    before.rename(after)
    moved = after / taking.folder.relative_to(before)
    made = invoke("reproduce", moved, "--runs", after, "--quiet")
    assert made.exit_code == 0, made.output


def test_trials_take_weights_of_the_run_that_was_meant_and_never_of_another_trial(runs, tmp_path, monkeypatch):
    """S-48: `last` is the newest run when the first trial begins."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(runs, tmp_path / "runs")
    (meant,) = (tmp_path / "runs" / "first").iterdir()
    spec = second(tmp_path, "from: run:last")
    swept = invoke("run", spec, "--replicates", "2", "--quiet")
    assert swept.exit_code == 0, swept.output
    locks = list((tmp_path / "runs" / "second").rglob("lock.json"))
    assert len(locks) == 2
    assert {json.loads(lock.read_text())["lineage"][0]["run"] for lock in locks} == {meant.name}
