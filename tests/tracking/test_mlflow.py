"""MLflow: what its own client finds in a database and on a server after a run."""

import json
import os
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import mlflow
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from resume.runs import Interrupting
from runexp.api.checking import check
from runexp.api.resuming import open_run, resume
from runexp.api.running import Place, run
from runexp.engine.control import Control
from runexp.observe.event_log import read_events
from runexp.observe.tracking.host import TrackerHost
from runexp.observe.tracking.mlflow import MLflowTracker, Server
from runexp.observe.tracking.tracker import TrackedRun
from tracking.cases import N_BATCHES, run_spec, write_spec

pytestmark = pytest.mark.slow


def _only_run(client, experiment="digits", **tags):
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    (run,) = [one for one in found if "mlflow.parentRunId" not in one.data.tags]
    return run


def _steps(client, run, name):
    return [point.step for point in client.get_metric_history(run.info.run_id, name)]


@pytest.fixture
def server(tmp_path):
    """A real server on loopback, with a database and artifacts of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", f"{tmp_path}/artifacts",
    ]  # fmt: skip
    around = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(
        command, env=around, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    uri = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 180
        while True:
            try:
                with urlopen(f"{uri}/health", timeout=5):
                    break
            except (URLError, OSError):
                assert time.monotonic() < deadline, "the server did not start"
                assert process.poll() is None, "the server ended"
                time.sleep(0.5)
        yield uri
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def test_a_database_in_the_folder_of_runs_has_parameters_metrics_and_files(tmp_path):
    run = run_spec(tmp_path, "tracking: {mlflow: {per_batch: true}}")
    assert run.notes == ()
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db")
    kept = _only_run(client)
    where = {"uri": f"sqlite:///{tmp_path}/runs/mlflow.db", "experiment": "digits", "run": kept.info.run_id}
    told = json.loads((run.folder / "tracking.json").read_text())
    assert told == {"MLflow": {"complete": True, "problem": ""} | where}
    assert kept.info.status == "FINISHED"
    assert kept.data.params["phases.train.optimizer.with.lr"] == "0.003"
    assert kept.data.params["vars.lr"] == "0.003"
    assert _steps(client, kept, "train/batch/loss") == list(range(1, 3 * N_BATCHES + 1))
    assert _steps(client, kept, "train/val_loss") == [N_BATCHES, 2 * N_BATCHES, 3 * N_BATCHES]
    assert kept.data.metrics["test/accuracy"] == run.results["test"].numbers["accuracy"]
    files = {file.path for file in client.list_artifacts(kept.info.run_id)}
    assert {"spec.yaml", "resolved.yaml", "plan.json", "lock.json", "summary.json", "checkpoints"} <= files
    assert client.list_artifacts(kept.info.run_id, "checkpoints/final")


def test_each_fold_is_a_nested_run(tmp_path):
    run_spec(tmp_path, "tracking: {mlflow: true}\ncv: {folds: 2, data: {digits: {pool: [train, val]}}}")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db")
    parent = _only_run(client)
    found = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert {one.info.run_name for one in found} == {"fold-0", "fold-1"}
    assert all(len(_steps(client, one, "train/val_loss")) == 3 for one in found)
    assert all(one.info.status == "FINISHED" for one in found)


def test_a_run_that_goes_on_is_the_same_run_without_repeated_points(tmp_path):
    told = list(read_events(run_spec(tmp_path).folder / "events.jsonl"))
    for number, events in enumerate((told[: len(told) // 2], told)):
        run = TrackedRun("digits", "1", tmp_path, {"lr": "1"}, is_resumed=number > 0)
        host = TrackerHost("MLflow", lambda: MLflowTracker(Server("", tmp_path), "digits"), run, per_batch=True)
        for stamped in events:
            if type(stamped.event) in host.wants:
                host.receive(stamped)
        host.settle() if number == 0 else host.finish("completed")
        assert host.problem == ""
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    kept = _only_run(client)
    assert _steps(client, kept, "train/batch/loss") == list(range(1, 3 * N_BATCHES + 1))
    assert _steps(client, kept, "train/val_loss") == [N_BATCHES, 2 * N_BATCHES, 3 * N_BATCHES]


def test_a_run_that_was_interrupted_goes_on_in_both_trackers(tmp_path):
    """S-40."""
    spec = write_spec(tmp_path, "tracking: {mlflow: {per_batch: true}, tensorboard: {per_batch: true}}")
    folder = tmp_path / "runs" / "digits" / "20260101-000000-abcd"
    control = Control()
    first = run(
        check(spec), Place(at=folder), watch=lambda live: [Interrupting(control, N_BATCHES + 2)], control=control
    )
    assert first.status == "interrupted"
    assert resume(open_run(folder), watch=lambda live: ()).status == "completed"
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db")
    kept = _only_run(client)
    assert kept.info.status == "FINISHED"
    assert _steps(client, kept, "train/batch/loss") == list(range(1, 3 * N_BATCHES + 1))
    assert _steps(client, kept, "train/val_loss") == [N_BATCHES, 2 * N_BATCHES, 3 * N_BATCHES]
    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"tensors": 0})
    found.Reload()
    assert [event.step for event in found.Tensors("train/batch/loss")] == list(range(1, 3 * N_BATCHES + 1))


def test_runs_of_a_group_stand_below_one(tmp_path):
    for number in range(2):
        run = TrackedRun("digits", f"trial-{number}", tmp_path, group="sweep-1")
        MLflowTracker(Server("", tmp_path), "digits").start(run)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    parent = _only_run(client)
    assert parent.info.run_name == "sweep-1"


def test_a_server_takes_a_run_and_its_address_stays_off_the_disk(tmp_path, server, monkeypatch):
    monkeypatch.setenv("TRACKING", server.replace("http://", "http://me:secretword@"))
    run = run_spec(tmp_path, 'tracking: {mlflow: {uri: "${env:TRACKING}", experiment: ours}}')
    assert run.notes == ()
    client = mlflow.MlflowClient(server)
    kept = _only_run(client, "ours")
    assert kept.data.metrics["test/accuracy"] == run.results["test"].numbers["accuracy"]
    assert "summary.json" in {file.path for file in client.list_artifacts(kept.info.run_id)}
    assert not (tmp_path / "runs" / "mlflow.db").exists()
    for file in run.folder.rglob("*"):
        assert file.is_dir() or b"secretword" not in file.read_bytes(), file
    assert "secretword" not in json.dumps(kept.data.params)


def test_a_server_that_is_away_changes_nothing_but_a_warning(tmp_path):
    run = run_spec(tmp_path, 'tracking: {mlflow: {uri: "http://127.0.0.1:9"}}')
    assert run.status == "completed"
    (note,) = run.notes
    assert note.startswith("MLflow lacks a part of the run: ")
    assert any("MLflow does not take the numbers" in message for message in run.results.warnings)
    assert json.loads((run.folder / "tracking.json").read_text())["MLflow"]["complete"] is False
