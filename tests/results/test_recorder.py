import json
import subprocess
import sys
from array import array

import pytest

from results.story import N_ROWS, REASON, digits_run, epoch_mean, grouped_run, train_events, val_loss
from runexp.events import BatchesRecorded, PhaseStarted, RunFinished, RunStarted, dump_event, load_event
from runexp.plan.values import FrozenMap
from runexp.results import GroupResults, Recorder, UnknownNameError, record

NODES = {"train": {"ce": "head"}, "test": {"ce": "head"}}


def test_a_run_is_summed_up_by_phase():
    run = record(digits_run())
    assert (run.name, run.seed, run.device, run.status) == ("digits-hybrid", 7, "cpu", "completed")
    assert list(run.results) == ["reduce", "train", "test"]
    assert run.summary()["test"] == {"loss": 0.1234, "ce": 0.1234, "accuracy": 0.975, "f1_macro": 0.9744}
    assert run.summary()["train"]["val_loss"] == val_loss(17)
    assert run.warnings == ("the split `val` is smaller than one batch",)
    json.dumps(run.summary())


def test_a_train_phase_knows_how_it_went():
    train = record(digits_run()).results.get_train_result()
    assert (train.n_epochs, train.n_planned_epochs, train.status) == (18, 30, "stopped")
    assert (train.stopped_by, train.stop_reason) == ("stop", REASON)
    assert train.epoch_indices == tuple(range(18))
    assert train.best == (12, "val_loss", val_loss(12), True)
    assert train.metrics.best("val_loss", "min").epoch == 12
    assert [event.epoch for event in train.evaluations] == list(range(18))
    assert len(train.metrics.history("val_loss")) == 18


def test_the_mean_over_batches_is_the_logged_mean_of_the_epoch():
    train = record(digits_run()).results.get_train_result()
    means = train.losses("ce").collapse("batch", "mean")
    for epoch in train.epoch_indices:
        assert means.at(epoch=epoch) == pytest.approx(train.metrics.at("train_ce", epoch))
        assert means.at(epoch=epoch) == pytest.approx(epoch_mean(epoch))


def test_losses_are_found_by_loss_by_node_and_as_the_total():
    train = record(digits_run(), loss_nodes=NODES).results.get_train_result()
    assert train.losses("head").values() == train.losses("ce").values() == train.losses("loss").values()
    assert train.losses("ce") is train.losses("ce")
    assert train.losses().axes == ("epoch", "batch", "label")
    assert train.losses().axis_values("label") == ("ce",)
    assert train.learning_rate().at(epoch=0, batch=3) == 3e-3
    with pytest.raises(UnknownNameError, match="did you mean `head`"):
        train.losses("haed")


def test_a_node_with_two_losses_keeps_the_axis_of_labels():
    columns = {"ce": array("d", [1.0, 2.0]), "mse": array("d", [3.0, 4.0]), "loss": array("d", [4.0, 6.0])}
    events = [
        PhaseStarted("train", "train", "train", 2, 1, 2, 2),
        BatchesRecorded("train", 0, 0, array("q", [1, 1]), columns),
    ]
    train = record(events, loss_nodes={"train": {"ce": "head", "mse": "head"}}).results.get_train_result()
    losses = train.losses("head")
    assert losses.axes == ("epoch", "batch", "label")
    assert losses.collapse("label", "sum").values() == [4.0, 6.0]
    assert losses.where(label="mse", epoch=0).select() == [3.0, 4.0]


def test_an_epoch_recorded_in_blocks_is_one_epoch():
    part = {"ce": array("d", [1.0, 2.0])}
    events = [
        PhaseStarted("train", "train", "train", 2, 1, 4, 4),
        BatchesRecorded("train", 0, 0, array("q", [1, 1]), part),
        BatchesRecorded("train", 0, 2, array("q", [1, 1]), part),
        BatchesRecorded("train", 0, 3, array("q", [3, 1]), {"ce": array("d", [9.0, 8.0])}),
    ]
    train = record(events).results.get_train_result()
    assert train.losses("ce").select(epoch=0) == [1.0, 2.0, 1.0, 9.0, 8.0]
    gap = BatchesRecorded("train", 0, 9, array("q", [1]), {"ce": array("d", [0.0])})
    with pytest.raises(ValueError, match="gap before batch 9"):
        record([*events, gap]).results.get_train_result().losses("ce")


def test_eval_and_fit_phases_give_losses_and_nodes():
    results = record(digits_run()).results
    assert results.get_eval_result().aggregated_losses() == {"loss": 0.1234, "ce": 0.1234}
    assert results.get_eval_result().metrics.latest("accuracy") == 0.975
    assert results.get_fit_result().nodes == {"pca": 1079}


def test_groups_have_the_shape_of_the_experiment():
    results = record(grouped_run()).results
    assert list(results) == ["warm", "test"]
    assert isinstance(results["warm"], GroupResults)
    assert results["warm"]["inner"]["test"] is results["warm/inner/test"]
    assert list(results.flatten()) == ["warm/train", "warm/inner/test", "test"]
    assert results.get_train_result().label == "warm/train"
    assert results["warm"].get_eval_result().label == "warm/inner/test"


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        pytest.param(lambda r: r.get_eval_result(), "there are 2 eval phases, ask for one by its label", id="many"),
        pytest.param(lambda r: r.get_fit_result(), "there is no fit phase; phases: `warm/train`", id="none"),
        pytest.param(lambda r: r["tset"], "did you mean `test`?", id="unknown"),
        pytest.param(lambda r: r["test/inner"], "no phase or group `test/inner`", id="below a phase"),
        pytest.param(lambda r: r["warm"]["iner/test"], "did you mean `inner/test`?", id="unknown below a group"),
    ],
)
def test_a_wrong_label_says_what_there_is(ask, says):
    with pytest.raises(KeyError) as caught:
        ask(record(grouped_run()).results)
    assert says in str(caught.value)
    assert record(grouped_run()).results.get("nothing") is None


def test_a_log_read_back_gives_the_same_results():
    events = digits_run()
    read = [load_event(json.loads(json.dumps(dump_event(event)))) for event in events]
    told, log = record(events), record(read)
    assert log.summary() == told.summary()
    first, second = (run.results.get_train_result() for run in (told, log))
    assert first.losses("ce").to_dict() == second.losses("ce").to_dict()
    assert repr(first.metrics) == repr(second.metrics)


def test_results_can_be_asked_at_any_time_and_stay_as_they_were():
    recorder = Recorder()
    events = digits_run()
    for index, event in enumerate(events):
        recorder.receive(event, time=index * 0.5)
        if index == 8:
            early = recorder.results()
    assert early.status == early.results.get_train_result().status == "running"
    assert early.results.get_train_result().n_epochs == 1
    done = recorder.results()
    assert done.timings.run == (len(events) - 1) * 0.5
    assert list(done.timings.phases) == ["reduce", "train", "test"]
    assert early.results.get_train_result().n_epochs == 1


def test_a_phase_cut_short_ends_as_its_run_did():
    events = [
        RunStarted("a", 1, "", "cpu", ("train",)),
        *train_events()[:5],
        RunFinished("failed", "boom", "train"),
    ]
    run = record(events)
    assert (run.status, run.error, run.where) == ("failed", "boom", "train")
    assert run.results.get_train_result().status == "failed"
    assert run.results.get_train_result().numbers["train_loss"] == pytest.approx(epoch_mean(0))


def test_without_times_there_are_no_timings():
    timings = record(digits_run()).timings
    assert timings.run is None
    assert timings.phases == {}


def test_metrics_that_are_not_finite_survive():
    events = train_events(n_epochs=1)[:-1]
    run = record([*events, type(events[4])("train", 1, 34, FrozenMap({"val_loss": float("nan")}))])
    assert run.results.get_train_result().metrics.best("val_loss", "min").epoch == 0
    assert len(N_ROWS) == 17


def test_numbers_need_no_library():
    code = (
        "import sys, runexp.results\n"
        "heavy = ('torch', 'numpy', 'pandas', 'sklearn', 'pyarrow', 'rich', 'pydantic')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
