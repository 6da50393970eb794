"""TensorBoard: what its own reader finds in the event files of a run."""

import json
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.util.tensor_util import make_ndarray

from runexp.events import EpochFinished
from runexp.observe.event_log import read_events
from runexp.observe.tracking.host import TrackerHost
from runexp.observe.tracking.tensorboard import TensorBoardTracker
from runexp.observe.tracking.tracker import TrackedRun
from tracking.cases import N_BATCHES, run_spec

TRACKED = "tracking: {tensorboard: {per_batch: true, histograms_every_n_epochs: 2}}"
ALL = {"tensors": 0}


def _read(folder):
    found = EventAccumulator(str(folder), size_guidance=ALL)
    found.Reload()
    return found


def _numbers(found, tag):
    return [(event.step, float(make_ndarray(event.tensor_proto))) for event in found.Tensors(tag)]


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    return run_spec(tmp_path_factory.mktemp("tensorboard"), TRACKED)


@pytest.fixture(scope="module")
def found(tracked):
    return _read(tracked.folder / "tensorboard")


def test_epochs_batches_and_final_numbers_are_scalars(tracked, found):
    losses = tracked.results["train"].metrics.series("val_loss").values()
    read = _numbers(found, "train/val_loss")
    assert [step for step, _ in read] == [N_BATCHES, 2 * N_BATCHES, 3 * N_BATCHES]
    assert [value for _, value in read] == pytest.approx(losses)
    batches = _numbers(found, "train/batch/loss")
    assert [step for step, _ in batches] == list(range(1, 3 * N_BATCHES + 1))
    ((_, accuracy),) = _numbers(found, "test/accuracy")
    assert accuracy == pytest.approx(tracked.results["test"].numbers["accuracy"])


def test_histograms_of_weights_and_gradients_come_every_second_epoch(found):
    for kind in ("weights", "gradients"):
        (event,) = found.Tensors(f"train/{kind}/head.weight")
        rows = make_ndarray(event.tensor_proto)
        assert event.step == 1
        assert rows.shape[1] == 3
        assert rows[:, 2].sum() == 160
        assert found.summary_metadata[f"train/{kind}/head.weight"].plugin_data.plugin_name == "histograms"


def test_the_spec_is_text_and_its_choices_are_hyperparameters(found):
    text = make_ndarray(found.Tensors("spec/text_summary")[0].tensor_proto)[0].decode()
    assert "name: digits" in text
    content = found.summary_metadata[hparams.SESSION_START_INFO_TAG].plugin_data.content
    started = hparams.parse_session_start_info_plugin_data(content)
    assert started.hparams["vars.lr"].number_value == 0.003
    assert started.hparams["phases.train.epochs"].number_value == 3
    ended = found.summary_metadata[hparams.SESSION_END_INFO_TAG].plugin_data.content
    assert hparams.parse_session_end_info_plugin_data(ended).status == 1


def test_the_confusion_matrix_is_a_picture(tracked, found):
    told = json.loads((tracked.folder / "artifacts" / "confusion" / "test.json").read_text())
    assert sum(map(sum, told["counts"])) == sum(row[i] for i, row in enumerate(told["counts"])) + round(
        (1 - tracked.results["test"].numbers["accuracy"]) * sum(map(sum, told["counts"]))
    )
    width, height, png = make_ndarray(found.Tensors("confusion/test")[0].tensor_proto)
    assert png.startswith(b"\x89PNG")
    assert int(width) == int(height) > 400


def test_a_resumed_run_repeats_no_point(tracked, tmp_path):
    events = list(read_events(tracked.folder / "events.jsonl"))
    half = next(index for index, stamped in enumerate(events) if isinstance(stamped.event, EpochFinished)) + 1
    for told, is_resumed in ((events[:half], False), (events, True)):
        run = TrackedRun("digits", "1", tmp_path, is_resumed=is_resumed)
        host = TrackerHost("TensorBoard", TensorBoardTracker, run, per_batch=True)
        for stamped in told:
            if type(stamped.event) in host.wants:
                host.receive(stamped)
        host.settle() if not is_resumed else host.finish("completed")
        assert host.problem == ""
    read = _read(tmp_path / "tensorboard")
    assert [step for step, _ in _numbers(read, "train/batch/loss")] == list(range(1, 3 * N_BATCHES + 1))
    assert len(_numbers(read, "train/val_loss")) == 3
    assert len(read.Tensors("spec/text_summary")) == 1


def test_a_torn_event_file_stops_nothing(tracked, tmp_path):
    for file in (tracked.folder / "tensorboard").glob("*tfevents*"):
        target = tmp_path / "tensorboard" / file.name
        target.parent.mkdir()
        target.write_bytes(file.read_bytes()[:-7])
    run = TrackedRun("digits", "1", tmp_path, is_resumed=True)
    known = TensorBoardTracker().start(run)
    assert known["train/val_loss"] == 3 * N_BATCHES


def test_each_fold_has_a_folder_of_its_own(tmp_path):
    run = run_spec(tmp_path, "tracking: {tensorboard: true}\ncv: {folds: 2, data: {digits: {pool: [train, val]}}}")
    for fold in ("fold-0", "fold-1"):
        assert len(_numbers(_read(run.folder / "tensorboard" / fold), "train/val_loss")) == 3


def test_tracking_with_tensorboard_needs_no_torch(run_python):
    done = run_python(
        "-c",
        "import runexp.observe.tracking.tensorboard as t, sys; t.TensorBoardTracker(); print('torch' in sys.modules)",
    )
    assert done.stdout == "False\n", done.stderr
    assert "torch" in sys.modules
