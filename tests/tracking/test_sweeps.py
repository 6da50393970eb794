"""Trackers of sweeps: trials below one run of MLflow, and as one table of hyperparameters in TensorBoard (S-48)."""

import json

import mlflow
import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
from tensorboard.plugins.hparams import metadata as hparams

from runexp.api.checking import check
from runexp.api.sweeping import SweepPlace, run_replicates, run_sweep
from runexp.api.trials import Unwatched
from tracking.cases import write_spec

pytestmark = pytest.mark.slow

EXTRA = """
tracking: {mlflow: true, tensorboard: true}
register: {name: digits}
sweep:
  sampler: grid
  parameters: {vars.lr: [1e-3, 1e-2], "nodes.encoder.layers[1]": [torch.nn.ReLU, torch.nn.Tanh]}
  objective: test.accuracy
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("sweeps")


@pytest.fixture(scope="module")
def swept(place):
    """A sweep of four trials, run to its end and then called for again."""
    checked = check(write_spec(place, EXTRA))
    where = SweepPlace(place / "runs")
    run_sweep(checked, where, watcher=Unwatched())
    return run_sweep(checked, where, watcher=Unwatched())


@pytest.fixture(scope="module")
def client(place, swept):
    address = f"sqlite:///{place}/runs/mlflow.db"
    return mlflow.MlflowClient(address, registry_uri=address)


def runs_of(client):
    experiment = client.get_experiment_by_name("digits")
    found = client.search_runs([experiment.experiment_id])
    parents = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    return parents, [run for run in found if run not in parents]


def test_trials_are_nested_runs_below_the_one_of_the_sweep_also_when_it_goes_on(swept, client):
    (parent,), children = runs_of(client)
    assert parent.info.run_name == swept.folder.name and parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert {run.info.run_name for run in children} == {trial.id for trial in swept.trials}
    by_name = {run.info.run_name: run for run in children}
    for trial in swept.trials:
        run = by_name[trial.id]
        assert run.info.status == "FINISHED"
        assert run.data.params["vars.lr"] == str(trial.changes["vars.lr"])
        assert run.data.metrics["test/accuracy"] == trial.metrics["test.accuracy"]


def test_the_run_of_a_sweep_has_the_objective_trial_by_trial_and_the_best(swept, client):
    (parent,), _ = runs_of(client)
    told = client.get_metric_history(parent.info.run_id, "test/accuracy")
    assert [(point.step, point.value) for point in told] == [(trial.number, trial.values[0]) for trial in swept.trials]
    assert parent.data.metrics["best/test/accuracy"] == swept.best.values[0]
    assert parent.data.metrics["best/trial"] == swept.best.number
    assert parent.data.params["sweep.sampler"] == "grid"
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"sweep.json", "best.yaml", "spec.yaml"} <= files


def test_the_folder_tells_where_the_sweep_was_sent(swept, client, place):
    (parent,), _ = runs_of(client)
    told = json.loads((swept.folder / "tracking.json").read_text())
    assert told["TensorBoard"]["complete"] and told["MLflow"]["complete"], told
    assert told["MLflow"]["run"] == parent.info.run_id
    assert told["MLflow"]["uri"] == f"sqlite:///{place}/runs/mlflow.db"
    assert not list(swept.folder.rglob("mlflow.db"))


def test_no_trial_registers_a_model(swept, client):
    assert client.search_registered_models() == []
    assert not list(swept.folder.rglob("registered.json"))


def test_tensorboard_shows_the_trials_as_a_table_of_what_varies(swept):
    """Read as the plug-in HParams itself reads a folder of logs."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(swept.folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(swept.folder))
    context = backend_context.Context(TBContext(data_provider=provider))
    request = RequestContext()
    found = context.experiment_from_metadata(
        request, "", include_metrics=True, hparams_run_to_tag_to_content=context.hparams_metadata(request, ""),
        data_provider_hparams=(),
    )  # fmt: skip
    assert {info.name for info in found.hparam_infos} == {"vars.lr", "nodes.encoder.layers[1]"}
    assert [info.name.tag for info in found.metric_infos] == ["test/accuracy"]
    columns = [
        api_pb2.ColParams(hparam="vars.lr", include_in_result=True),
        api_pb2.ColParams(metric=api_pb2.MetricName(tag="test/accuracy"), include_in_result=True),
    ]
    statuses = [api_pb2.STATUS_SUCCESS, api_pb2.STATUS_RUNNING, api_pb2.STATUS_UNKNOWN]
    asked = api_pb2.ListSessionGroupsRequest(
        experiment_name="", col_params=columns, allowed_statuses=statuses, slice_size=10
    )
    listed = list_session_groups.Handler(request, context, "", asked).run()
    shown = {
        (group.hparams["vars.lr"].number_value, round(group.metric_values[0].value, 5))
        for group in listed.session_groups
    }
    assert len(listed.session_groups) == 4
    assert shown == {(trial.changes["vars.lr"], round(trial.metrics["test.accuracy"], 5)) for trial in swept.trials}


def test_each_trial_has_a_session_with_its_own_values(swept):
    for trial in swept.trials:
        found = EventAccumulator(str(swept.folder / "trials" / trial.id / "tensorboard"))
        found.Reload()
        content = found.summary_metadata[hparams.SESSION_START_INFO_TAG].plugin_data.content
        started = hparams.parse_session_start_info_plugin_data(content)
        assert started.hparams["vars.lr"].number_value == trial.changes["vars.lr"]
        layer = started.hparams["nodes.encoder.layers[1]"].string_value
        assert layer == trial.changes["nodes.encoder.layers[1]"]


def test_repeats_are_nested_runs_too(tmp_path):
    checked = check(write_spec(tmp_path, "tracking: {mlflow: true}"))
    results = run_replicates(checked, 2, SweepPlace(tmp_path / "runs"), watcher=Unwatched())
    (parent,), children = runs_of(mlflow.MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db"))
    assert parent.info.run_name == results.folder.name and len(children) == 2


def test_a_server_that_is_away_stops_no_trial_and_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("TRACK", "http://127.0.0.1:9")
    extra = EXTRA.replace("mlflow: true, tensorboard: true", 'mlflow: {uri: "${env:TRACK}"}').replace(
        "[1e-3, 1e-2]", "[1e-3]"
    )
    results = run_sweep(check(write_spec(tmp_path, extra)), SweepPlace(tmp_path / "runs"), watcher=Unwatched())
    assert results.status == "completed" and len(results.completed) == 2
    told = json.loads((results.folder / "tracking.json").read_text())["MLflow"]
    assert told["complete"] is False and told["problem"]
    assert "127.0.0.1:9" not in (results.folder / "tracking.json").read_text()
