"""What a page tells of a run's surroundings: the machine, guards, checkpoints, earlier runs, trackers (S-44)."""

from __future__ import annotations

import json

import pytest

from run_store.test_report import page_of
from runexp.events import NonFiniteLossMet, NumbersLogged, PhaseFinished, StopRequested, WarningRaised
from runexp.observe.event_log import encode, read_events
from runexp.observe.sink import Stamped
from runexp.plan.values import FrozenMap
from runexp.results.phases import RESOURCES


def measured(numbers):
    return NumbersLogged("train", RESOURCES, "", 0, 0, 1, FrozenMap(numbers))


LOOKS = [
    measured({"cpu_percent": 40.0, "memory_mb": 500.0, "gpu_0_percent": 90.0, "gpu_0_memory_mb": 2000.0}),
    measured({"samples_per_second": 12000.0, "steps_per_second": 200.0, "data_wait_percent": 4.0}),
    measured({"cpu_percent": 60.0, "memory_mb": 700.0, "gpu_0_percent": 70.0, "gpu_0_memory_mb": 3000.0}),
    measured({"samples_per_second": 14000.0, "steps_per_second": 220.0, "data_wait_percent": 6.0}),
]


def tell(folder, *events):
    """Put events into the log before the train phase ends, a tenth of a second apart."""
    told = []
    for stamped in read_events(folder / "events.jsonl"):
        if isinstance(stamped.event, PhaseFinished) and stamped.event.phase == "train":
            told += [(told[-1][0] + 0.1 * (index + 1), event) for index, event in enumerate(events)]
        told.append((stamped.time, stamped.event))
    lines = [encode(Stamped(number, time, event)) for number, (time, event) in enumerate(told)]
    (folder / "events.jsonl").write_bytes(b"".join(lines))


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_was_measured_of_the_machine_is_a_table_and_a_chart_each_over_time(folders):
    tell(folders[0], *LOOKS)
    page = page_of(folders[0])
    for said in ("50 %", "700 MB", "80 %", "3 GB", "13,000", "210", "5 %"):
        assert said in page.text, said
    drawn = [one["aria-label"] for one in page.all("svg") if one.get("class") == "chart"]
    shown = [label for label in drawn if " of the run: train" in label]
    assert len(shown) == 6
    assert any(label.startswith("CPU, % of one core over the seconds") and "mean 50" in label for label in shown)


def test_a_run_whose_machine_was_not_measured_says_nothing_of_it(folders):
    assert "Resources" not in page_of(folders[0]).text


def test_alerts_have_their_time_and_what_came_of_them(folders):
    nan = NonFiniteLossMet("train", 1, 4, "ce", float("nan"), "skip", FrozenMap({}))
    alert = WarningRaised("train", "no lower train_loss in 3 epochs")
    tell(folders[0], nan, alert, StopRequested("train", 2, 9, "stop", "no better val_loss"))
    page = page_of(folders[0])
    assert "ce was nan in epoch 1, batch 4; guards.on_nan: skip" in page.text
    assert "no lower train_loss in 3 epochs" in page.text and "stop: no better val_loss" in page.text


def test_guards_tell_the_limits_the_run_was_held_to(folders):
    resolved = folders[0] / "resolved.yaml"
    resolved.write_text(resolved.read_text() + "guards: {time: 90 min, memory: 8 GiB, on_nan: warn}\n")
    page = page_of(folders[0])
    assert "90 min" in page.text and "8 GiB" in page.text and "it is told, the step is taken" in page.text
    assert "No alert was raised" in page.text


def test_checkpoints_tell_their_role_epoch_and_size(folders):
    page = page_of(folders[0])
    assert "checkpoints in the run folder" in page.text
    assert "train/epoch-0002" in page.text.replace("\u200b", "") and "best, last" in page.text


@pytest.fixture
def well_connected(folders):
    """A run that began with the weights of another, and was sent to two trackers."""
    ancestor = {"node": "head", "run": "20260101-000000-abcd", "name": "wine", "folder": "/gone", "of": "body"}
    lineage = [ancestor | {"checkpoint": "train/epoch-0001", "sha256": "f" * 64}]
    extends = {"name": "wine", "run": "20260102-000000-beef", "changes": "phases.train.epochs: 9"}
    rewrite(folders[0] / "lock.json", lineage=lineage, extends=extends)
    mlflow = {"complete": False, "problem": "it is away", "uri": "http://track:5000", "experiment": "w", "run": "1f2e"}
    told = {"TensorBoard": {"complete": True, "problem": "", "uri": "tensorboard"}, "MLflow": mlflow}
    (folders[0] / "tracking.json").write_text(json.dumps(told))
    model = {"name": "wine", "version": "3", "alias": "champion", "registry": "mlflow", "reasons": []}
    (folders[0] / "registered.json").write_text(json.dumps(model))
    return folders[0]


def test_a_page_tells_where_weights_came_from_and_where_the_run_was_sent(well_connected):
    text = page_of(well_connected).text
    assert "wine/20260101-000000-abcd" in text and "train/epoch-0001" in text and "f" * 16 in text
    assert "wine/20260102-000000-beef" in text and "phases.train.epochs: 9" in text
    assert "http://track:5000" in text and "1f2e" in text and "incomplete: it is away" in text
    assert "The model is wine, version 3 (champion), in the registry of MLflow." in text


def test_files_of_another_shape_do_not_keep_the_page_from_being_made(well_connected):
    (well_connected / "tracking.json").write_text('{"MLflow": 3}')
    (well_connected / "registered.json").write_text("[]")
    rewrite(well_connected / "lock.json", lineage={"a": 1}, extends="no")
    assert "Origins" not in page_of(well_connected).text
