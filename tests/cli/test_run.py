"""`runexp run`: what it prints, what it leaves behind, and how it ends when something goes wrong on the way."""

from __future__ import annotations

import csv
import json

import pytest

ONE_EPOCH = ["--set", "phases.train.epochs=1"]


def only_run(tmp_path):
    (folder,) = (tmp_path / "runs").glob("*/*")
    return folder


def test_a_run_prints_its_results_and_leaves_a_folder(cli, quickstart, tmp_path):
    ended = cli("run", quickstart, *ONE_EPOCH)
    assert ended.exit_code == 0
    assert ended.stdout.startswith("quickstart  completed in ")
    assert "f1_macro" in ended.stdout
    assert "phase train: train on train, 1258 rows" in ended.stderr
    assert "\x1b" not in ended.output
    folder = only_run(tmp_path)
    assert folder.parent.name == "quickstart"
    shown = ended.stdout.replace("\n", "")
    assert f"run folder  {folder}" in shown or str(folder.name) in shown
    names = {path.name for path in folder.iterdir()}
    assert names >= {"spec.yaml", "resolved.yaml", "plan.json", "lock.json", "events.jsonl", "status.json"}
    assert names >= {"metrics.csv", "metrics.parquet", "summary.json", "checkpoints"}
    with open(quickstart) as spec:
        assert (folder / "spec.yaml").read_text() == spec.read()
    assert "epochs: 1" in (folder / "resolved.yaml").read_text()


def test_quiet_leaves_only_the_results(cli, quickstart):
    ended = cli("run", quickstart, *ONE_EPOCH, "--quiet", "--run-dir", "here")
    assert ended.exit_code == 0
    assert "epoch 1" not in ended.output


def test_json_is_one_event_a_line_and_the_folder_at_the_end(cli, quickstart, tmp_path):
    ended = cli("run", quickstart, *ONE_EPOCH, "--format", "json", "--run-dir", tmp_path / "here")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert lines[0]["event"] == "RunStarted"
    assert lines[-2]["event"] == "RunFinished"
    assert lines[-1] == {"run": str(tmp_path / "here"), "status": "completed"}


def test_a_folder_that_holds_something_is_not_used(cli, quickstart, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.txt").write_text("keep me")
    ended = cli("run", quickstart, *ONE_EPOCH, "--run-dir", tmp_path / "here")
    assert ended.exit_code == 2
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["mine.txt"]


def test_seed_and_device_beat_the_spec(cli, quickstart, tmp_path):
    cli("run", quickstart, *ONE_EPOCH, "--seed", "99", "--device", "cpu")
    assert json.loads((only_run(tmp_path) / "lock.json").read_text())["seed"] == 99


def test_a_spec_from_standard_input_is_kept(cli, quickstart, tmp_path):
    with open(quickstart) as spec:
        text = spec.read()
    assert cli("run", "-", *ONE_EPOCH, stdin=text).exit_code == 0
    assert (only_run(tmp_path) / "spec.yaml").read_text() == text


NEGATIVE = """\
runexp: 1
name: failing
data:
  d:
    source: sklearn.datasets.load_diabetes
    features: {x: [age, bmi]}
    targets: {y: target}
    splits: {train: 0.8, test: 0.2}
    transforms: [{on: y, use: standard_scaler}]
nodes: {head: {inputs: d.x, use: torch.nn.Linear, with: {out_features: 1}, init: zeros}}
losses: {mse: {node: head, use: mse}}
phases:
  train: {kind: train, epochs: 1, losses: [mse], optimizer: {use: sgd, with: {lr: 0.1}}}
  test: {kind: eval, split: test, losses: [mse], metrics: [scaled]}
metrics: {scaled: {use: sklearn.metrics.mean_poisson_deviance, node: head, units: transformed}}
"""


@pytest.fixture
def failing(tmp_path):
    """A metric that only takes positive predictions is given others: the test phase fails, after training."""
    path = tmp_path / "failing.yaml"
    path.write_text(NEGATIVE)
    return path


def test_a_run_that_fails_ends_with_1_and_its_folder_tells_why(cli, failing, tmp_path):
    ended = cli("run", failing.name, *ONE_EPOCH)
    assert ended.exit_code == 1
    assert "the metric `scaled` cannot be computed: Mean Tweedie deviance" in ended.stderr
    assert "--> failing.yaml:15:11" in ended.stderr
    assert "Traceback" not in ended.output
    folder = only_run(tmp_path)
    status = json.loads((folder / "status.json").read_text())
    assert (status["state"], status["error"]["where"]) == ("failed", "test")
    assert "Mean Tweedie deviance" in status["error"]["message"]
    assert json.loads((folder / "summary.json").read_text())["status"] == "failed"
    with (folder / "metrics.csv").open() as table:
        assert any(row["name"] == "train_loss" for row in csv.DictReader(table))


def test_data_that_cannot_work_is_found_before_anything_is_written(cli, quickstart, tmp_path):
    """Ten classes do not fit three outputs: only building tells."""
    ended = cli("run", quickstart, "--set", "nodes.head.with.out_features=3")
    assert ended.exit_code == 2
    assert "error[" in ended.stderr
    assert "Traceback" not in ended.output
    assert list(tmp_path.iterdir()) == []
