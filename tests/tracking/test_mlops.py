"""The checklist of a training loop in production, line by line, as one spec, and the model loaded back."""

import json

import mlflow
import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_digits

import runexp
from resume.runs import Interrupting
from run_store.conftest import call
from runexp.api.checking import check
from runexp.api.resuming import open_run, resume
from runexp.api.running import Place
from runexp.api.running import run as run_checked
from runexp.engine.control import Control
from runexp.events import CheckpointSaved, RunFinished, WarningRaised
from runexp.observe.event_log import read_events

UNTRACKED = ["tracking.mlflow=false", "tracking.resources=false"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("mlops")


@pytest.fixture(scope="module")
def finished(root, runs):
    return runexp.compile(runexp.load(root / "specs" / "mlops_digits.yaml")).run(runs=runs)


@pytest.fixture(scope="module")
def client(runs, finished):
    return mlflow.MlflowClient(f"sqlite:///{runs}/mlflow.db", f"sqlite:///{runs}/mlflow.db")


@pytest.fixture(scope="module")
def tracked(client):
    (run,) = client.search_runs([client.get_experiment_by_name("mlops-digits").experiment_id])
    return run


def test_parameters_and_both_kinds_of_metrics_are_tracked(finished, client, tracked):
    assert tracked.data.params["vars.lr"] == "0.003"
    assert tracked.data.params["phases.train.schedule.warmup_steps"] == "20"
    batches = client.get_metric_history(tracked.info.run_id, "train/batch/loss")
    n_epochs = finished.results["train"].n_epochs
    assert [point.step for point in batches] == list(range(1, 20 * n_epochs + 1))
    epochs = client.get_metric_history(tracked.info.run_id, "train/val_loss")
    assert [point.value for point in epochs] == finished.results["train"].metrics.series("val_loss").values()
    assert {"train/cpu_percent", "train/memory_mb", "train/samples_per_second"} <= tracked.data.metrics.keys()
    assert tracked.data.metrics["test/accuracy"] == finished.results["test"].numbers["accuracy"]


def test_best_last_and_periodic_checkpoints_are_artifacts(finished, client, tracked):
    kept = {file.path for file in client.list_artifacts(tracked.info.run_id, "checkpoints/train")}
    own = {f"checkpoints/train/{path.name}" for path in (finished.folder / "checkpoints/train").iterdir()}
    assert kept == own
    assert "checkpoints/train/pointers.json" in kept
    assert len(kept) >= 3


def test_the_model_in_the_registry_predicts_what_the_run_did(finished, runs, client, tracked):
    assert finished.notes == ("registered as `digits`, version 1 (champion)",)
    version = client.get_model_version_by_alias("digits", "champion")
    assert version.run_id == tracked.info.run_id
    model = runexp.load_model("models:/digits@champion", runs=runs)
    pixels, labels = load_digits(return_X_y=True, as_frame=True)
    splits = pq.read_table(finished.folder / "splits.parquet").to_pandas()
    test = splits[splits["split"] == "test"]["row"].to_numpy(int)
    found = model.predict(pixels.iloc[test]).only
    accuracy = float(np.mean(found.labels == labels.to_numpy()[test]))
    assert accuracy == finished.results["test"].numbers["accuracy"]
    own = runexp.load_model(finished.folder).predict(pixels.iloc[test]).only
    assert (found.values == own.values).all()
    assert (found.probabilities == own.probabilities).all()


def test_mlflow_knows_its_signature(runs, client):
    mlflow.set_registry_uri(f"sqlite:///{runs}/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{runs}/mlflow.db")
    signature = mlflow.models.get_model_info("models:/digits@champion").signature
    assert signature.inputs.input_names()[:2] == ["pixel_0_0", "pixel_0_1"]
    assert signature.outputs.inputs[0].shape == (-1, 10)


def untracked(spec, folder, *overrides, control=None, watch=lambda live: ()):
    """The same spec without MLflow, which takes seconds to start."""
    checked = check(spec, overrides=[*UNTRACKED, *overrides])
    return run_checked(checked, Place(at=folder), watch=watch, control=control)


@pytest.fixture(scope="module")
def spec(root):
    return root / "specs" / "mlops_digits.yaml"


@pytest.fixture(scope="module")
def alone(spec, tmp_path_factory):
    return untracked(spec, tmp_path_factory.mktemp("alone") / "run")


def test_guardrails_thresholds_are_judged_and_on_record(finished):
    """Guardrails: limits on time and resources, thresholds on quality."""
    assert finished.missed == () and len(finished.requirements) == 3
    told = json.loads((finished.folder / "summary.json").read_text())["requirements"]
    assert {one["number"] for one in told} == {"test.accuracy", "test.f1_macro", "test.loss"}
    assert all(one["met"] for one in told)
    guards = json.loads((finished.folder / "plan.json").read_text())["guards"]
    assert [guards[name]["written"] for name in ("time", "memory", "disk")] == ["30 min", "8 GiB", "2 GB"]


def test_guardrails_a_missed_threshold_is_exit_code_1_and_registers_nothing(spec, tmp_path):
    """Governance: a model that was not approved stays out of the registry."""
    changes = [*UNTRACKED, "phases.train.epochs=1", "vars.lr=1e-5"]
    words = [word for change in changes for word in ("--set", change)]
    done = call("run", spec, "--run-dir", tmp_path / "run", "-q", *words)
    assert done.exit_code == 1 and "test.accuracy >= 0.9: missed with" in done.output
    told = json.loads((tmp_path / "run" / "registered.json").read_text())
    assert told["version"] == "" and told["reasons"]


def test_alerting_a_loss_that_does_not_fall_is_told_and_a_limit_ends_the_run(spec, tmp_path):
    """Monitoring: alerting thresholds, loss not decreasing and resource limits exceeded."""
    changes = ("vars.lr=3.0", "callbacks.stop.patience=20", "guards.loss_not_decreasing.epochs=1")
    high = untracked(spec, tmp_path / "high", *changes)
    alerts = [one.event for one in read_events(high.folder / "events.jsonl") if isinstance(one.event, WarningRaised)]
    assert any("val_loss" in alert.message for alert in alerts)
    full = untracked(spec, tmp_path / "full", "guards.disk='60 KB'")
    assert full.status == "failed" and "guards.disk" in str(full.error)


def test_checkpointing_a_run_that_was_broken_off_ends_as_one_that_was_not(spec, alone, tmp_path):
    """Checkpointing and recovery; disaster recovery: S-40."""
    control = Control()
    stopped = untracked(spec, tmp_path / "run", control=control, watch=lambda live: [Interrupting(control, 130)])
    assert stopped.status == "interrupted"
    ended = resume(open_run(stopped.folder), watch=lambda live: ())
    assert ended.results.summary() == alone.results.summary()


def test_checkpointing_the_interval_the_best_and_the_last_are_kept(alone):
    """The diagram: a checkpoint at the interval and at the end, the best by validation."""
    events = [one.event for one in read_events(alone.folder / "events.jsonl")]
    saved = [event.epoch for event in events if isinstance(event, CheckpointSaved) and event.epoch >= 0]
    assert saved[:3] == [4, 9, 14] and isinstance(events[-1], RunFinished)
    pointers = json.loads((alone.folder / "checkpoints/train/pointers.json").read_text())
    assert set(pointers) == {"best", "last"}


def test_security_nothing_that_was_kept_is_a_pickle(alone):
    kinds = {path.suffix for path in alone.folder.rglob("*") if path.is_file()}
    assert kinds <= {".json", ".jsonl", ".yaml", ".csv", ".parquet", ".safetensors", ".skops", ""}
    assert {".safetensors", ".skops"} <= kinds


def test_data_handling_splits_do_not_meet_and_the_data_has_a_fingerprint(alone):
    rows = pq.read_table(alone.folder / "splits.parquet").to_pandas()
    assert not rows.duplicated(["row"]).any() and set(rows["split"]) == {"train", "val", "test"}
    assert json.loads((alone.folder / "lock.json").read_text())["sources"]["digits"]


def test_reproducibility_the_lock_has_seed_versions_and_data_and_the_numbers_come_again(alone, finished):
    lock = json.loads((alone.folder / "lock.json").read_text())
    assert lock["seed"] == 7 and {"torch", "scikit-learn", "numpy"} <= lock["packages"].keys()
    assert finished.results.summary() == alone.results.summary()


def test_rollback_an_older_version_is_loaded_back_when_a_newer_one_became_champion(root, runs, finished, client):
    """Runs last: it registers a second version."""
    changed = runexp.load(root / "specs" / "mlops_digits.yaml", overrides={"vars.width": 32})
    again = runexp.compile(changed).run(runs=runs)
    assert again.notes == ("registered as `digits`, version 2 (champion)",)
    pixels = load_digits(return_X_y=True, as_frame=True)[0].iloc[:20]
    champion = runexp.load_model("models:/digits@champion", runs=runs).predict(pixels).only
    assert (champion.values == runexp.load_model(again.folder).predict(pixels).only.values).all()
    older = runexp.load_model("models:/digits/1", runs=runs).predict(pixels).only
    assert (older.values == runexp.load_model(finished.folder).predict(pixels).only.values).all()
