"""What folds of a cross-validation send: histograms, confusion matrices, hyperparameters, how fast they learn."""

import json

import mlflow
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.util.tensor_util import make_ndarray

from tracking.cases import run_spec

pytestmark = pytest.mark.slow

TRACKED = """
tracking:
  tensorboard: {histograms_every_n_epochs: 1}
  mlflow: true
  resources: true
  every_seconds: 0.01
cv: {folds: 2, execution: EXECUTION, data: {digits: {pool: [train, val]}}}
"""
FOLDS = ("fold-0", "fold-1")


@pytest.fixture(scope="module", params=["sequential", "processes", "vectorized"])
def tracked(request, tmp_path_factory):
    """The same two folds, run in three ways; those that train at once cannot be looked into at every batch."""
    spec = TRACKED.replace("EXECUTION", request.param)
    if request.param == "vectorized":
        spec = spec.replace("{histograms_every_n_epochs: 1}", "true")
    return run_spec(tmp_path_factory.mktemp(request.param), spec)


def read(folder):
    found = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    found.Reload()
    return found


def test_each_fold_has_its_histograms_beside_its_numbers(tracked):
    assert tracked.status == "completed", tracked.error
    if "histograms_every_n_epochs: 1" not in (tracked.folder / "spec.yaml").read_text():
        return
    for fold in FOLDS:
        found = read(tracked.folder / "tensorboard" / fold)
        for kind in ("weights", "gradients"):
            events = found.Tensors(f"train/{kind}/head.weight")
            assert [event.step for event in events] == [0, 1, 2]
            assert make_ndarray(events[0].tensor_proto)[:, 2].sum() == 160
    assert not [tag for tag in read(tracked.folder / "tensorboard").Tags()["tensors"] if "weights" in tag]


def test_each_fold_has_its_confusion_matrix_and_the_run_their_sum(tracked):
    each = []
    for fold in FOLDS:
        told = json.loads((tracked.folder / "artifacts" / fold / "confusion" / "test.json").read_text())
        counts = np.array(told["counts"])
        accuracy = tracked.results.cv.get_fold(fold)["test"].numbers["accuracy"]
        assert counts.trace() / counts.sum() == pytest.approx(accuracy)
        (event,) = read(tracked.folder / "tensorboard" / fold).Tensors("confusion/test")
        assert make_ndarray(event.tensor_proto)[2].startswith(b"\x89PNG")
        each.append(counts)
    whole = json.loads((tracked.folder / "artifacts" / "confusion" / "test.json").read_text())
    assert (np.array(whole["counts"]) == sum(each)).all()
    assert len(read(tracked.folder / "tensorboard").Tensors("confusion/test")) == 1


def test_the_sessions_of_folds_are_one_group_with_the_values_of_the_run(tracked):
    groups = set()
    for place in (".", *FOLDS):
        found = read(tracked.folder / "tensorboard" / place)
        content = found.summary_metadata[hparams.SESSION_START_INFO_TAG].plugin_data.content
        started = hparams.parse_session_start_info_plugin_data(content)
        assert started.hparams["vars.lr"].number_value == 3e-3
        groups.add(started.group_name)
        ended = found.summary_metadata[hparams.SESSION_END_INFO_TAG].plugin_data.content
        assert hparams.parse_session_end_info_plugin_data(ended).status == 1
    assert len(groups) == 1


def test_folds_tell_how_fast_they_learn_and_how_long_they_wait_for_rows(tracked):
    for fold in FOLDS:
        found = tracked.results.cv.get_fold(fold)["train"].resources
        assert found.keys() >= {"samples_per_second", "steps_per_second", "data_wait_percent"}
        assert all(0 <= value <= 100 for value in found["data_wait_percent"])
        assert all(value > 0 for value in found["samples_per_second"])
        assert "train/data_wait_percent" in read(tracked.folder / "tensorboard" / fold).Tags()["tensors"]


def test_mlflow_has_the_matrices_as_files_and_the_waiting_as_a_metric_of_each_fold(tracked):
    client = mlflow.MlflowClient(f"sqlite:///{tracked.folder.parent.parent}/mlflow.db")
    found = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    (parent,) = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    files = {file.path for file in client.list_artifacts(parent.info.run_id, "fold-0/confusion")}
    assert files == {"fold-0/confusion/test.json"}
    children = {run.info.run_name: run for run in found if run is not parent}
    assert set(children) == set(FOLDS)
    assert all("train/data_wait_percent" in run.data.metrics for run in children.values())
