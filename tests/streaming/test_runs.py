"""Runs on streamed data: the numbers of memory, bounded evaluations, fits by rows, and what goes wrong on the way."""

from __future__ import annotations

import os
import re
import threading

import pytest
import torch

from runexp.api.checking import check
from runexp.api.previewing import Length, Preview
from runexp.api.running import Place, run
from runexp.compiler import streams
from runexp.diagnostics import SpecError
from runexp.engine.experiment import Experiment
from runexp.events import PhaseFinished, RunFinished
from runexp.runtime.deep import deep_check
from runexp.runtime.streaming import judging
from runexp.runtime.streaming.prefetching import ahead
from streaming.streams import runtime, write, written

DATA = """
source: rows.parquet
features: {x: [x1, x2]}
targets: {y: y, word: word, number: x0, far: kind}
splits: {column: part}
stream: %s
"""
NODES = """
nodes:
  body: {inputs: t.x, layers: [{torch.nn.Linear: {out_features: 5}}, torch.nn.ReLU]}
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 3}}
  line: {inputs: body, use: torch.nn.Linear, with: {out_features: 1}}
losses:
  ce: {node: head, use: cross_entropy, inputs: [outputs, targets.word]}
  near: {node: line, use: mse, inputs: [outputs, targets.number], weight: 0.5}
"""
PHASES = (
    NODES
    + """
metrics: {right: {use: accuracy, node: head, inputs: [outputs, targets.word]}}
callbacks: {validate: {use: evaluation, split: val, losses: [ce, near], metrics: [right]}}
phases:
  train:
    {kind: train, epochs: 2, batches: {size: 16, shuffle: %s}, losses: [ce, near], optimizer: {use: adam},
     callbacks: [validate]}
  test: {kind: eval, split: test, batch_size: 7, losses: [ce, near]}
"""
)


def finished(plan, made):
    """What every phase ended with, and the weights."""
    experiment = Experiment(plan, made)
    numbers = {event.phase: dict(event.metrics) for event in experiment.run() if isinstance(event, PhaseFinished)}
    if experiment.error:
        raise experiment.error
    return numbers, {name: module.state_dict() for name, module in made.graph.modules.items()}


def test_in_order_a_stream_trains_and_evaluates_to_the_numbers_of_memory_bit_for_bit(tmp_path):
    write(tmp_path / "rows.parquet", 333)
    one, other = (finished(*runtime(tmp_path, DATA % how, PHASES % "false")) for how in ("{buffer: 40}", "false"))
    assert one[0] == other[0]
    for name, weights in one[1].items():
        assert all(torch.equal(value, other[1][name][key]) for key, value in weights.items())


def test_a_shuffled_stream_runs_to_the_same_bits_again(tmp_path):
    """S-50."""
    write(tmp_path / "rows.parquet", 333)
    one, other = (finished(*runtime(tmp_path, DATA % "{buffer: 40}", PHASES % "true")) for _ in range(2))
    assert one[0] == other[0]


def test_losses_of_more_outputs_than_are_held_are_summed_exactly(tmp_path, monkeypatch):
    """S-19."""
    write(tmp_path / "rows.parquet", 333)
    phases = NODES + "phases: {test: {kind: eval, split: test, batch_size: 7, losses: [ce, near]}}"
    whole, _ = finished(*runtime(tmp_path, DATA % "true", phases))
    monkeypatch.setattr(judging, "HELD_BYTES", 100)
    summed, _ = finished(*runtime(tmp_path, DATA % "true", phases))
    assert summed["test"] == pytest.approx(whole["test"], rel=1e-6)


def test_metrics_of_more_outputs_than_are_held_are_refused_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(judging, "HELD_BYTES", 100)
    write(tmp_path / "rows.parquet", 333)
    with pytest.raises(SpecError) as caught:
        runtime(tmp_path, DATA % "true", PHASES % "true")
    (found,) = caught.value.diagnostics
    assert (found.code, found.path) == ("too-large", "callbacks.validate")


def test_classes_outside_the_outputs_are_found_in_rows_far_behind(tmp_path):
    write(tmp_path / "rows.parquet", 333)
    rest = NODES.replace("targets.word", "targets.far") + (
        "phases: {train: {kind: train, epochs: 1, losses: [ce], optimizer: {use: adam}}}"
    )
    with pytest.raises(SpecError, match="labels from 0 to 3"):
        runtime(tmp_path, DATA % "true", rest)


def test_estimators_with_partial_fit_are_fitted_as_rows_come(tmp_path):
    """S-24: a scaler, components on it, and a classifier on those."""
    write(tmp_path / "rows.parquet", 333)
    rest = """
    nodes:
      scale: {inputs: t.x, use: sklearn.preprocessing.StandardScaler}
      pca: {inputs: scale, use: sklearn.decomposition.IncrementalPCA, with: {n_components: 2}}
      words: {inputs: pca, use: sklearn.linear_model.SGDClassifier, with: {loss: log_loss}, method: predict_proba}
    phases:
      fit: {kind: fit, split: train, targets: {words: targets.word}}
    """
    plan, made = runtime(tmp_path, DATA % "{buffer: 40}", rest)
    finished(plan, made)
    assert made.graph.estimators["scale"].n_samples_seen_ == 201
    assert made.graph.estimators["pca"].components_.shape == (2, 2)
    assert made.graph.estimators["words"].classes_.tolist() == [0, 1, 2]


def test_a_run_records_which_row_is_in_which_split_and_a_preview_says_how_rows_come(tmp_path):
    write(tmp_path / "rows.parquet", 333)
    checked = check(written(tmp_path, DATA % "{buffer: 40}", PHASES % "true"))
    done = run(checked, Place(tmp_path / "runs"), watch=lambda live: [])
    assert done.status == "completed"
    assert (done.folder / "splits.parquet").stat().st_size > 0
    (page,) = Preview(checked, "train").facts(Length())
    assert page.n_rows == 201
    assert page.notes == (
        "t is streamed: 7 groups of rows in 1 file, mixed in windows of up to 40 rows, 2 windows read ahead",
    )


def test_a_deep_check_looks_at_the_first_rows(tmp_path):
    write(tmp_path / "rows.parquet", 9000, group=5000)
    checked = check(written(tmp_path, DATA % "{buffer: 40}", PHASES % "true"))
    deep = deep_check(checked.linked, folder=tmp_path)
    assert deep.diagnostics == ()
    assert "`t` is large: the first 4,096 of its 9,000 rows were looked at" in deep.notes


@pytest.mark.parametrize("harm", ["truncated", "gone", "replaced"])
def test_a_file_harmed_in_the_middle_of_an_epoch_ends_the_run_as_failed_and_says_which(tmp_path, harm):
    for index, name in enumerate("abc"):
        write(tmp_path / f"rows/{name}.parquet", 200, first=200 * index)
    data = (DATA % "{buffer: 16, prefetch: 1}").replace("rows.parquet", "rows/")
    plan, made = runtime(tmp_path, data, PHASES % "false")
    experiment = Experiment(plan, made)
    path = tmp_path / "rows/c.parquet"
    events = []
    for number, event in enumerate(experiment.run()):
        events.append(event)
        if number == 2:
            _harm(path, harm)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].status == "failed"
    assert isinstance(experiment.error, SpecError)
    (found,) = experiment.error.diagnostics
    assert (found.code, found.path) == ("unreadable-file", "data.t.source")
    assert "`c.parquet`" in found.message
    assert not _readers()


def _harm(path, harm):
    if harm == "truncated":
        os.truncate(path, path.stat().st_size // 2)
    elif harm == "gone":
        path.unlink()
    else:
        write(path, 180)


def test_damage_inside_a_file_is_located_by_its_row(tmp_path):
    path = write(tmp_path / "rows.parquet", 333)
    plan, made = runtime(tmp_path, DATA % "{buffer: 16}", PHASES % "false")
    stamp = path.stat()
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 400] = bytes(400)
    path.write_bytes(content)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # as a disk that rots: nobody wrote
    with pytest.raises(SpecError, match=r"`rows\.parquet` cannot be read from row \d+ on"):
        finished(plan, made)


def _readers():
    return [thread for thread in threading.enumerate() if thread.name == "runexp-reader"]


def test_the_reader_ends_with_whoever_takes_from_it():
    made = ahead(lambda: iter(range(10**9)), 2)
    assert [next(made) for _ in range(3)] == [0, 1, 2]
    assert _readers()
    made.close()
    assert not _readers()


def test_what_the_reader_meets_is_raised_where_it_is_taken_after_what_came_before():
    def items():
        yield 1
        raise OSError("gone")

    made = ahead(items, 3)
    assert next(made) == 1
    with pytest.raises(OSError, match="gone"):
        next(made)
    assert not _readers()


def test_large_parquet_is_streamed_by_itself_and_the_plan_says_so(tmp_path, monkeypatch):
    write(tmp_path / "rows/a.parquet", 333)
    data = (DATA % "null").replace("rows.parquet", "rows/")
    assert check(written(tmp_path, data, PHASES % "true")).linked.data[0].stream is None
    monkeypatch.setattr(streams, "LARGEST_HELD", 1000)
    linked = check(written(tmp_path, data, PHASES % "true")).linked
    assert (linked.data[0].stream.buffer, linked.data[0].stream.prefetch) == (100_000, 2)
    assert check(written(tmp_path, data.replace("null", "false"), PHASES % "true")).linked.data[0].stream is None


def test_plan_shows_how_rows_come(tmp_path, run_python):
    write(tmp_path / "rows.parquet", 333)
    written(tmp_path, DATA % "{buffer: 4000}", PHASES % "true")
    shown = run_python("-m", "runexp", "plan", "spec.yaml")
    assert re.search(r"rows +streamed, mixed in windows of 4,000", shown.stdout)
