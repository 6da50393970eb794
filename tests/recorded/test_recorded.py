"""What `record:` keeps: of every row what is said of it, of every update the norms of its gradients."""

from __future__ import annotations

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from recorded.runs import SPEC, ran, written
from resume.runs import begin, go_on
from runexp.api.checking import check
from runexp.api.opening import StoredRun
from runexp.api.previewing import Length, Preview
from runexp.report.plan import render_plan
from runexp.results.lookup import UnknownNameError
from streaming.streams import write
from streaming.streams import written as streaming_spec


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A run that recorded everything."""
    folder = tmp_path_factory.mktemp("recorded")
    return ran(written(folder, "gradients, outputs", "predictions, outputs"), folder / "run")


def weights_of(stored):
    """The weights that a run ended with."""
    return load_file(stored.folder / "checkpoints/final/weights.safetensors")


@pytest.fixture(scope="module")
def lines(stored):
    """The table as it was written, the rows of `test`."""
    with open(stored.folder.parent / "table.csv") as file:
        return [line for line in csv.DictReader(file) if line["part"] == "test"]


def test_predictions_tell_the_row_its_tags_and_its_targets(stored, lines):
    """S-44: in the words and units that were read."""
    found = stored.predictions("test").to_arrow().to_pydict()
    assert found["id"] == [line["id"] for line in lines]
    assert found["row"] == [int(line["number"]) for line in lines]
    assert set(found["split"]) == {"test"}
    assert set(found["data"]) == {"t"}
    assert found["tags.where"] == [line["where"] for line in lines]
    assert found["tags.number"] == [int(line["number"]) for line in lines]
    assert found["targets.kind"] == [line["kind"] for line in lines]
    assert found["targets.y"] == pytest.approx([float(line["y"]) for line in lines], rel=1e-6)


def test_predictions_agree_with_the_numbers_of_the_phase(stored):
    """S-03, S-19: classes with the accuracy, values with the error in the target's own units."""
    table, numbers = stored.predictions(), stored.summary()["test"]
    assert np.mean(table["head.class"] == table["targets.kind"]) == pytest.approx(numbers["accuracy"])
    assert np.mean((table["line"] - table["targets.y"]) ** 2) == pytest.approx(numbers["mse"], rel=1e-6)
    assert np.allclose(table["head.probabilities"].sum(axis=1), 1)
    assert table.columns[-3:] == ("head.class", "head.probabilities", "line")


def test_outputs_of_every_node_are_those_of_the_weights_that_are_kept(stored, lines):
    """S-42: in the shapes of the nodes, and the probabilities of classes follow from them."""
    table = stored.outputs("test")
    weights = weights_of(stored)
    x = torch.tensor([[float(line["x0"]), float(line["x1"])] for line in lines])
    body = torch.tanh(functional.linear(x, weights["body.0.weight"], weights["body.0.bias"]))
    head = functional.linear(body, weights["head.weight"], weights["head.bias"])
    assert table["body"].shape == (len(lines), 4)
    assert np.allclose(table["body"], body, atol=1e-6)
    assert np.allclose(table["head"], head, atol=1e-6)
    assert np.allclose(stored.predictions()["head.probabilities"], head.softmax(1), atol=1e-6)


def test_outputs_of_a_train_phase_come_batch_by_batch_with_their_rows(stored):
    """S-07: every row once an epoch, in the order of the batches."""
    found = stored.outputs("train").to_pandas()
    assert found.groupby("epoch").size().tolist() == [27, 27]
    assert found.groupby(["epoch", "batch"]).size().tolist() == [8, 8, 8, 3] * 2
    rows = [row for row in range(40) if row % 3 != 2]
    assert sorted(found.loc[found.epoch == 0, "row"]) == sorted(found.loc[found.epoch == 1, "row"]) == rows
    assert stored.outputs("train")["head"].shape == (54, 3)


def test_gradients_are_the_norms_of_a_loop_written_by_hand(stored):
    """S-20: of every parameter at every update, before clipping."""
    table, rows = stored.gradients("train"), stored.outputs("train").to_pandas()
    weights = {name: value.clone() for name, value in _first(stored).items()}
    with open(stored.folder.parent / "table.csv") as file:
        lines = list(csv.DictReader(file))
    y = torch.tensor([float(line["y"]) for line in lines])
    train = torch.tensor([line["part"] == "train" for line in lines])
    y = (y - y[train].mean()) / y[train].std(correction=0)
    x = torch.tensor([[float(line["x0"]), float(line["x1"])] for line in lines])
    kind = torch.tensor([("ant", "bee", "cat").index(line["kind"]) for line in lines])
    for update, (_, batch) in enumerate(rows.groupby(["epoch", "batch"])):
        at = torch.tensor(batch.row.to_numpy())
        for value in weights.values():
            value.requires_grad_(True)
        body = torch.tanh(functional.linear(x[at], weights["body.0.weight"], weights["body.0.bias"]))
        head = functional.linear(body, weights["head.weight"], weights["head.bias"])
        line = functional.linear(body, weights["line.weight"], weights["line.bias"])
        loss = functional.cross_entropy(head, kind[at]) + functional.mse_loss(line[:, 0], y[at])
        gradients = dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))
        for name, gradient in gradients.items():
            assert table[name][update] == pytest.approx(gradient.norm().item(), rel=1e-4), name
        assert table["norm"][update] == pytest.approx(
            sum(gradient.norm() ** 2 for gradient in gradients.values()).sqrt().item(), rel=1e-4
        )
        weights = {name: (value - 0.1 * gradients[name]).detach() for name, value in weights.items()}
    assert update == len(table) - 1 == 7


def _first(stored):
    """The weights before the first update: those of a run without one."""
    folder = stored.folder.parent
    overrides = ("phases.train.optimizer.with.lr=1e-20", "phases.train.epochs=1")
    return weights_of(ran(folder / "spec.yaml", folder / "start", *overrides))


def test_recording_changes_no_bit_of_what_is_learned(stored, tmp_path):
    """S-50: nor does it leave anything where nobody asks for it."""
    plain = ran(written(tmp_path), tmp_path / "run")
    assert plain.summary() == stored.summary()
    mine, others = (weights_of(one) for one in (plain, stored))
    assert all(torch.equal(mine[name], others[name]) for name in mine)
    assert plain.tables == ()
    assert {found.name for found in stored.tables} == {
        "gradients/train",
        "outputs/test",
        "outputs/train",
        "predictions/test",
    }


def test_a_preview_records_nothing_that_stays(tmp_path):
    """S-30."""
    preview = Preview(check(written(tmp_path, "gradients, outputs", "predictions")), "train")
    before = {path.name for path in tmp_path.rglob("*")}
    assert preview.run(Length(n_steps=3), watch=lambda live: ()).status == "completed"
    assert {path.name for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("after", [3, 6])
def test_what_was_recorded_before_an_interrupt_is_not_lost(after, stored, tmp_path):
    """S-40: amid the first epoch and the second; a file is there when its phase is over, and not before."""
    spec = written(tmp_path, "gradients, outputs", "predictions, outputs")
    assert begin(spec, tmp_path / "run", after=after).status == "interrupted"
    assert StoredRun(tmp_path / "run").tables == ()
    assert go_on(tmp_path / "run").status == "completed"
    again = StoredRun(tmp_path / "run")
    assert {found.name for found in again.tables} == {found.name for found in stored.tables}
    for found in stored.tables:
        file = f"{found.name}.parquet"
        assert pq.read_table(again.folder / file).equals(pq.read_table(stored.folder / file))
    assert not list(again.folder.rglob(".*.parts"))


def test_of_folds_every_row_is_told_by_the_fold_that_has_not_seen_it(tmp_path):
    """S-46: each fold has a file under its label, and they are read as one."""
    path = written(tmp_path, "", "predictions")
    folds = "cv: {folds: 2, data: {t: {pool: [train, test]}}}\n"
    path.write_text(path.read_text().replace("split: test", "split: val") + folds)
    found = ran(path, tmp_path / "run")
    table = found.predictions("test").to_pandas()
    assert sorted(table.row) == list(range(40))
    assert table.fold.tolist() == sorted(table.fold)
    whole = found.predictions("out_of_fold").to_pandas()
    assert table[["fold", "row", "head.class"]].equals(whole[["fold", "row", "head.class"]])
    assert len(found.predictions("fold-1/test")) == (table.fold == 1).sum()


def test_a_stream_is_told_row_by_row_with_tags_that_are_words(tmp_path):
    """S-19: nothing of the split is held for it."""
    write(tmp_path / "rows.parquet", 230, group=40)
    data = """
        source: rows.parquet
        features: {x: [x0, x1]}
        targets: {word: word}
        tags: {part: part, kind: kind}
        splits: {column: part}
        stream: %s
    """
    rest = """
        nodes: {head: {inputs: t.x, use: torch.nn.Linear, with: {out_features: 3}}}
        losses: {ce: {node: head, use: cross_entropy}}
        phases: {test: {kind: eval, split: val, losses: [ce], batch_size: 7, record: [predictions, outputs]}}
    """
    streamed = ran(streaming_spec(tmp_path, data % "true", rest), tmp_path / "streamed")
    held = ran(streaming_spec(tmp_path, data % "false", rest), tmp_path / "held")
    assert streamed.predictions()["row"].tolist() == list(range(3, 230, 5))
    assert set(streamed.predictions()["tags.part"]) == {"val"}
    assert streamed.predictions().to_pandas().equals(held.predictions().to_pandas())
    assert np.array_equal(streamed.outputs()["head"], held.outputs()["head"])


def test_rows_drawn_in_roles_are_told_role_by_role(tmp_path):
    """S-06: a pair has two rows, two ids, two outputs."""
    path = written(tmp_path, "", "outputs")
    text = path.read_text()
    head, _, _ = text.partition("losses:\n")
    path.write_text(
        head + "samplers:\n"
        "  twos: {use: pairs, data: t, match: {kind: {same: true}}, roles: [left, right], size: 4}\n"
        "losses:\n"
        "  near: {node: body, use: mse, inputs: [outputs.left, outputs.right]}\n"
        "phases:\n"
        "  test: {kind: eval, split: test, sampler: twos, losses: [near], record: [outputs]}\n"
    )
    table = ran(path, tmp_path / "run").outputs("test")
    with open(tmp_path / "table.csv") as file:
        x = {int(line["number"]): line for line in csv.DictReader(file)}
    left, right = table["row.left"], table["row.right"]
    assert [x[one]["kind"] for one in left] == [x[one]["kind"] for one in right]
    assert table["body.left"].shape == table["body.right"].shape == (len(left), 4)
    assert table["id.left"][0] == f"r{left[0]}"


def test_outputs_of_rows_that_come_together_are_refused_at_their_line(tmp_path):
    """S-49: and so are they of several optimizers, with what can be done instead."""
    path = written(tmp_path, "outputs")
    one, two = "one: {use: sgd, nodes: [body, head], losses: [ce]}", "two: {use: sgd, nodes: [line], losses: [error]}"
    several = f"optimizers: {{{one}, {two}}}"
    path.write_text(path.read_text().replace("optimizer: {use: sgd, with: {lr: 0.1}}", several))
    (found,) = check(path).diagnostics
    assert (found.code, found.path) == ("wrong-value", "phases.train.record[0]")
    assert "several optimizers" in found.message


def test_a_table_that_nobody_recorded_is_named_with_the_nearest(stored):
    """S-44."""
    with pytest.raises(UnknownNameError, match="did you mean `test`"):
        stored.predictions("tst")
    with pytest.raises(UnknownNameError, match=r"head\.class"):
        stored.predictions("test")["head.clas"]


def test_the_plan_shows_what_is_recorded(tmp_path):
    """S-20."""
    plan = check(written(tmp_path, "gradients", "predictions")).linked
    text = render_plan(plan)
    assert "records  predictions of every row" in text
    assert "record gradients" in text
    assert SPEC.count("record:") == 2
