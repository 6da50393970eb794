"""What a loss that is not finite does: stop, warn or skip (S-51)."""

from __future__ import annotations

import pytest
from safetensors.numpy import load_file

from guards.specs import of, ran, write_table
from runexp.engine.finite import NonFiniteLoss


def state(folder, name="train/epoch-0000"):
    """The bits of weights, buffers and optimizer of a checkpoint."""
    found = folder / "checkpoints" / name
    return {
        (part, key): value.tobytes()
        for part in ("weights", "optimizer")
        for key, value in load_file(found / f"{part}.safetensors").items()
    }


def test_a_run_ends_before_the_step_and_names_loss_batch_rows_and_checkpoint(tmp_path):
    """S-51. The losses up to there are on record."""
    write_table(tmp_path, broken=[9])
    finished, events = ran(tmp_path)
    assert isinstance(finished.error, NonFiniteLoss)
    message = finished.finished.error
    assert "the loss `fit` is inf in epoch 0, batch 1 of `train`" in message
    assert "rows: d r8, r9, r10, r11, r12, r13, r14, r15" in message
    assert "`phases.train`" in " ".join(finished.error.__notes__)
    assert len(of("BatchesRecorded", events)[0]["columns"]["fit"]) == 2
    assert finished.status == "failed"


def test_the_weights_of_a_run_that_ends_are_those_before_the_step(tmp_path):
    write_table(tmp_path, broken=[39])
    ran(tmp_path)
    ran(tmp_path, name="short", replaced={"epochs: 4": "steps: 4"})
    final = [load_file(tmp_path / name / "checkpoints/final/weights.safetensors") for name in ("run", "short")]
    assert {key for key in final[0] if (final[0][key] != final[1][key]).any()} <= {
        "body.1.running_mean", "body.1.running_var", "body.1.num_batches_tracked",
    }  # fmt: skip


def test_the_last_checkpoint_is_named(tmp_path):
    write_table(tmp_path)
    growing = {"use: mse}": "use: mse, weight: {use: step, start: 1.0, end: 1.0e+39, epochs: 2}}"}
    finished, _ = ran(tmp_path, replaced=growing)
    assert "the last checkpoint is `train/epoch-000" in finished.finished.error


@pytest.mark.parametrize(
    "optimizer", ["adam, with: {lr: 0.05}", "sgd, with: {lr: 0.05, momentum: 0.9, weight_decay: 0.1}"]
)
def test_a_step_that_is_skipped_moves_no_bit_of_weights_buffers_and_optimizer(tmp_path, optimizer):
    """S-51. The only broken row is in the last batch: its epoch ends as one without that batch."""
    write_table(tmp_path, broken=[37])
    changes = {"adam, with: {lr: 0.05}": optimizer, "epochs: 4": "epochs: 1"}
    _, events = ran(tmp_path, "{on_nan: skip}", replaced=changes)
    ran(tmp_path, name="short", replaced={**changes, "epochs: 4": "steps: 4"})
    assert state(tmp_path / "run") == state(tmp_path / "short")
    (met,) = of("NonFiniteLossMet", events)
    assert (met["loss"], met["value"], met["epoch"], met["batch"], met["action"]) == ("fit", "Infinity", 0, 4, "skip")
    assert met["rows"] == {"d": [f"r{row}" for row in range(32, 40)]}
    numbers = of("EpochFinished", events)[0]["metrics"]
    assert numbers["nan_batches"] == 1
    assert numbers["train_loss"] < 1000


def test_a_batch_that_is_skipped_spoils_the_whole_step_it_is_accumulated_in(tmp_path):
    write_table(tmp_path, broken=[17])
    changes = {"epochs: 4": "epochs: 1", "losses: [fit]": "losses: [fit]\n    accumulate: 2"}
    ran(tmp_path, "{on_nan: skip}", replaced=changes)
    found = load_file(tmp_path / "run/checkpoints/train/epoch-0000/optimizer.safetensors")
    assert {value.item() for key, value in found.items() if key.endswith("step")} == {2.0}  # of three


def test_several_optimizers_are_spared_too(tmp_path):
    write_table(tmp_path, broken=[37])
    several = """optimizers:
      first: {use: adam, with: {lr: 0.05}, nodes: [body], losses: [fit]}
      second: {use: sgd, with: {lr: 0.05, momentum: 0.9}, nodes: [head], losses: [fit]}"""
    changes = {"optimizer: {use: adam, with: {lr: 0.05}}": several, "epochs: 4": "epochs: 1"}
    ran(tmp_path, "{on_nan: skip}", replaced=changes)
    changes["epochs: 4"] = "steps: 4"
    ran(tmp_path, name="short", replaced=changes)
    assert state(tmp_path / "run") == state(tmp_path / "short")


def test_a_warning_takes_the_step_and_tells_it(tmp_path):
    write_table(tmp_path, broken=[37])
    finished, events = ran(tmp_path, "{on_nan: warn}", replaced={"epochs: 4": "epochs: 2"})
    assert finished.status == "completed"
    assert [event["action"] for event in of("NonFiniteLossMet", events)][:1] == ["warn"]
    assert of("EpochFinished", events)[1]["metrics"]["nan_batches"] == 1


def test_a_guard_of_the_phase_goes_before_the_guards_of_the_run(tmp_path):
    write_table(tmp_path, broken=[37])
    own = {"losses: [fit]": "losses: [fit]\n    callbacks: [{use: nan_guard, on_nan: skip}]"}
    finished, events = ran(tmp_path, replaced=own)
    assert finished.status == "completed"
    assert of("NonFiniteLossMet", events) == []


def test_rows_that_a_sampler_draws_are_named_by_their_ids(tmp_path):
    write_table(tmp_path, broken=[9])
    drawn = {"batches: {size: 8, shuffle: false}": "batches: {use: simple, data: d, size: 8}"}
    finished, _ = ran(tmp_path, replaced=drawn)
    assert "r9" in finished.finished.error


def test_a_loss_that_stands_still_is_told_once_and_stops_nothing(tmp_path):
    write_table(tmp_path)
    changes = {"lr: 0.05": "lr: 1.0e-30", "p: 0.1": "p: 0.0", "epochs: 4": "epochs: 6"}
    finished, events = ran(tmp_path, "{loss_not_decreasing: {epochs: 3}}", replaced=changes)
    assert finished.status == "completed"
    (warned,) = of("WarningRaised", events)
    assert warned["message"].startswith("no better train_loss in 3 epochs")
