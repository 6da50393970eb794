"""The checklist of a training loop in production, as one spec, and the model loaded back from the registry."""

import mlflow
import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_digits

import runexp

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
