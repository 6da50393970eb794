"""The callbacks that runexp brings (S-36)."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree

import pytest
from safetensors.numpy import load

from callbacks.specs import SPEC, found_in, of, ran, weights
from runexp.runtime.callbacks.curves import panels, picture


def epochs(events):
    return [event["metrics"] for event in of("EpochFinished", events)]


def changed(folder, other):
    """The nodes whose weights differ."""
    one, two = load(weights(folder)), load(weights(other))
    return {name.partition(".")[0] for name in one if (one[name] != two[name]).any()}


REPORTS = "learning_rate_monitor", "norms", "histograms", "model_summary", "throughput"
IDLE = [
    *(f"{{use: {name}}}" for name in REPORTS),
    "{use: nan_guard}",
    "{use: nan_guard, on_nan: skip}",
    "{use: time_limit, minutes: 60}",
    "{use: memory_limit, gigabytes: 999}",
    "{use: loss_not_decreasing}",
    "{use: save_best, monitor: train_loss}",
]


def test_callbacks_that_only_watch_change_no_bit(home):
    """S-36."""
    ran(home, "", name="plain")
    ran(home, ", ".join(IDLE), name="run")
    assert weights(home / "run") == weights(home / "plain")


def test_rates_norms_and_speed_stand_among_the_numbers_of_the_epoch(home):
    _, events = ran(home, "{use: learning_rate_monitor}, {use: norms, by_node: true}, {use: throughput}")
    first = epochs(events)[0]
    assert first["lr_0"] == 0.05
    assert math.isclose(
        first["weight_norm"], math.hypot(first["weight_norm_body"], first["weight_norm_head"]), rel_tol=1e-5
    )
    assert first["gradient_norm"] > 0
    assert first["rows_per_second"] > 0
    assert first["memory_mb"] > 1


def test_histograms_count_every_weight(home):
    ran(home, "{use: histograms, bins: 5, every_n_epochs: 2}")
    lines = [json.loads(line) for line in (home / "run/callbacks/train/histograms/histograms.jsonl").open()]
    assert [(line["epoch"], line["of"]) for line in lines] == [
        (epoch, kind) for epoch in (1, 3) for kind in ("weights", "gradients") for _ in range(4)
    ]
    assert [sum(line["counts"]) for line in lines[:4]] == [32, 8, 24, 3]


def test_the_summary_of_the_model_counts_its_parameters(home):
    _, events = ran(home, "{use: model_summary}")
    assert "67" in (home / "run/callbacks/train/model_summary/model.txt").read_text().splitlines()[-1]
    assert of("CallbackReturned", events)[0]["result"] == {"parameters": 67, "trained": 67}


def test_the_best_weights_are_written(home):
    _, events = ran(home, "validate, {use: save_best, monitor: val_loss}")
    told = json.loads((home / "run/callbacks/train/save_best/best.json").read_text())
    assert told["value"] == min(numbers["val_loss"] for numbers in epochs(events))
    assert (home / "run/callbacks/train/save_best/weights.safetensors").is_file()


@pytest.mark.parametrize("average", ["{use: ema, decay: 0.9}", "{use: swa, from_epoch: 1}"])
def test_evaluations_take_the_average_and_training_goes_on_with_its_own_weights(home, average):
    """Swapped back bit for bit: the losses of training are those without it."""
    _, plain = ran(home, "validate", name="plain")
    _, events = ran(home, f"validate, {average}")
    assert [one["train_loss"] for one in epochs(events)] == [one["train_loss"] for one in epochs(plain)]
    assert epochs(events)[-1]["val_loss"] != epochs(plain)[-1]["val_loss"]
    assert weights(home / "run") != weights(home / "plain")


def test_the_phase_ends_with_the_average_that_was_evaluated(home):
    spec = SPEC.replace("split: test, losses", "split: val, losses")
    _, events = ran(home, "validate, {use: ema, decay: 0.9}", spec=spec)
    assert of("PhaseFinished", events)[1]["metrics"]["loss"] == epochs(events)[-1]["val_loss"]


def test_an_average_that_forgets_at_once_is_the_last_weights(home):
    ran(home, "validate", name="plain")
    ran(home, "validate, {use: ema, decay: 0.0}")
    assert weights(home / "run") == weights(home / "plain")


def test_the_best_that_early_stopping_restores_is_the_average_that_was_measured(home):
    spec = SPEC.replace("split: test, losses", "split: val, losses")
    stop = "{use: early_stopping, monitor: val_loss, mode: max, patience: 3, restore_best: true}"
    _, events = ran(home, f"validate, {stop}, {{use: ema, decay: 0.5}}", spec=spec)
    assert of("WeightsRestored", events)
    assert of("PhaseFinished", events)[1]["metrics"]["loss"] == max(one["val_loss"] for one in epochs(events))


def test_freezing_and_unfreezing_hold_weights_for_part_of_a_phase(home):
    short = SPEC.replace("epochs: 4", "epochs: 2")
    none = SPEC.replace("epochs: 4", "epochs: 2").replace("lr: 0.05", "lr: 1.0e-30")
    ran(home, "", spec=none, name="untrained")
    ran(home, "{use: unfreeze, nodes: [body], epoch: 2}", spec=short, name="held")
    ran(home, "{use: freeze, nodes: [body], epoch: 0}", spec=short, name="frozen")
    ran(home, "{use: unfreeze, nodes: [body], epoch: 1}", spec=short, name="late")
    ran(home, "{use: gradual_unfreezing}", spec=short, name="gradual")
    assert changed(home / "held", home / "untrained") == {"head"}
    assert weights(home / "held") == weights(home / "frozen")
    assert changed(home / "late", home / "untrained") == {"head", "body"}
    assert weights(home / "gradual") == weights(home / "late")


def test_a_time_limit_stops_after_the_batch(home):
    _, events = ran(home, "{use: time_limit, minutes: 1.0e-9}")
    assert of("PhaseFinished", events)[0]["by"] == "time_limit"
    assert len(of("BatchesRecorded", events)[0]["n_rows"]) == 1


def test_a_memory_limit_stops_after_the_epoch(home):
    _, events = ran(home, "{use: memory_limit, gigabytes: 0.001}")
    assert of("PhaseFinished", events)[0]["n_epochs"] == 1


def test_a_loss_that_stands_still_is_told_once(home):
    spec = SPEC.replace("lr: 0.05", "lr: 1.0e-30")
    _, events = ran(home, "{use: loss_not_decreasing, patience: 2, min_delta: 0.5}", spec=spec)
    assert [event["message"][:29] for event in of("WarningRaised", events)] == ["no better train_loss in 2 epo"]


HUGE = SPEC.replace("lr: 0.05", "lr: 1.0e+25").replace("epochs: 4", "epochs: 2")


def test_a_guard_stops_at_the_batch_with_its_rows(home):
    finished, _ = ran(home, "{use: nan_guard}", spec=HUGE)
    assert finished.status == "failed"
    assert "NonFiniteLoss" in finished.finished.error
    assert "in the order drawn" in finished.finished.error


@pytest.mark.parametrize("on_nan", ["warn", "skip"])
def test_a_guard_that_does_not_stop_counts_the_batches(home, on_nan):
    finished, events = ran(home, f"{{use: nan_guard, on_nan: {on_nan}}}", spec=HUGE)
    assert finished.status == "completed"
    assert sum(numbers["nan_batches"] for numbers in epochs(events)) > 0
    assert of("WarningRaised", events)
    assert all(math.isfinite(value) for value in load(weights(home / "run"))["head.weight"].flat) == (on_nan == "skip")


@pytest.mark.parametrize(
    ("callback", "code"),
    [
        ("{use: emaa}", "unknown-word"),
        ("{use: ema, decay: 1.5}", "wrong-value"),
        ("{use: ema, decai: 0.5}", "unknown-key"),
        ("{use: freeze, nodes: [boddy], epoch: 1}", "unknown-node"),
        ("{use: freeze, nodes: [body], epoch: 9}", "idle-callback"),
        ("{use: save_best, monitor: val_los}", "unknown-monitor"),
        ("{use: ema}, {use: swa, from_epoch: 1}", "exclusive-options"),
        ("{use: swa}", "missing-key"),
        ("{use: time_limit, minutes: 0}", "wrong-value"),
    ],
)
def test_options_are_checked_without_running(home, callback, code):
    assert [found[0] for found in found_in(home, f"validate, {callback}")] == [code]


def test_the_rates_of_several_optimizers_are_all_reported(home):
    """S-36."""
    several = SPEC.replace(
        "    optimizer: {use: adamw, with: {lr: 0.05}}\n",
        "    optimizers:\n"
        "      one: {use: adamw, with: {lr: 0.05}, nodes: [body], losses: [ce]}\n"
        "      two: {use: sgd, with: {lr: 0.01}, nodes: [head], losses: [ce]}\n",
    )
    _, events = ran(home, "{use: learning_rate_monitor}", spec=several)
    assert (epochs(events)[0]["lr_0"], epochs(events)[0]["lr_1"]) == (0.05, 0.01)


def test_curves_of_every_epoch_are_drawn_with_the_numbers_of_later_callbacks(home):
    """S-36."""
    ran(home, "{use: curves}, validate, {use: norms}")
    drawing = ElementTree.parse(home / "run/callbacks/train/curves/curves.svg").getroot()
    texts = [one.text for one in drawing.iter("{http://www.w3.org/2000/svg}text")]
    lines = [one.get("points").split() for one in drawing.iter("{http://www.w3.org/2000/svg}polyline")]
    titles = ["loss", "ce", "gradient_norm", "weight_norm", "accuracy"]
    assert sorted(text for text in texts if text in titles) == sorted(titles)
    assert {len(points) for points in lines} == {4}
    assert sum(text.startswith(("train_loss", "val_loss")) for text in texts) == 2


def test_curves_leave_out_what_is_not_finite_and_escape_names(home):
    drawn = picture(
        "a <phase>", panels({"train_x": [(0, 1.0), (1, math.nan), (2, 3.0)], "a&b": [(0, 2.0)]}, ["train_"])
    )
    lines = [one.get("points") for one in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(points.split()) for points in lines] == [2, 1]


def test_curves_of_a_number_that_nothing_measures_are_refused(home):
    found = found_in(home, "validate, {use: curves, metrics: [val_los]}")
    assert [(code, "did you mean `val_loss`" in hint) for code, _, hint in found] == [("unknown-monitor", True)]


def test_norms_of_a_node_and_learning_rates_can_be_watched(home):
    measuring = "validate, {use: norms, by_node: true}, {use: learning_rate_monitor}"
    watching = "{use: save_best, monitor: gradient_norm_body}, {use: curves, metrics: [lr_0, lr_1, weight_norm_head]}"
    assert found_in(home, f"{measuring}, {watching}") == []
    assert [code for code, _, _ in found_in(home, "validate, {use: curves, metrics: [lr_0]}")] == ["unknown-monitor"]
