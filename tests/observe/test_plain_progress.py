"""Progress in a pipe is a few plain lines."""

from __future__ import annotations

import io
import os
from contextlib import suppress

import pytest

from observe.cases import Clock, Recorder, short_run
from runexp.events import CheckpointSaved, EpochFinished, PhaseStarted, RunFinished, WarningRaised
from runexp.observe.plain_progress import PlainProgress
from runexp.observe.pump import pump

GOLDEN = """\
run digits: 2 phases, seed 7, cpu
phase train: train on train, 128 rows, 30 epochs of 4 batches
epoch 0 (1/30)  train_loss 1  val_loss 0.5  lr 0.003
checkpoint train/epoch-0000 saved (best)
epoch 1 (2/30)  train_loss 0.5  val_loss 0.25  lr 0.003
checkpoint train/epoch-0001 saved (best)
epoch 2 (3/30)  train_loss 0.3333  val_loss 0.1667  lr 0.003
checkpoint train/epoch-0002 saved (best)
stop requested by early in epoch 2: val_loss no better for 5 evaluations
weights of epoch 1 restored by early  val_loss 0.25
phase train stopped by early after 3 epochs, 12 steps  train_loss 0.3333  val_loss 0.25
phase test: eval on test, 360 rows
phase test completed  test_loss 0.31  test_acc 0.97
run completed
"""


def lines_of(events, *, step, stream=None):
    stream = stream or io.StringIO()
    pump(iter(events), [PlainProgress(stream)], clock=Clock(step=step))
    return stream.getvalue().splitlines()


def test_slow_epochs_have_a_line_each():
    assert lines_of(short_run(), step=1.0) == GOLDEN.splitlines()


def test_the_lines_arrive_in_a_pipe_as_they_are_written():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with open(reading, "rb", buffering=0) as reader, open(writing, "w", encoding="utf-8") as writer:
        sink = PlainProgress(writer)
        seen = []
        for stamped in _stamped(short_run()):
            sink.receive(stamped)
            seen.append((reader.read() or b"").decode())
    assert "".join(seen) == GOLDEN
    assert max(text.count("\n") for text in seen) == 1


def test_fast_epochs_have_a_line_every_two_seconds_and_the_last_has_one_anyway():
    n_epochs = 100
    lines = lines_of(short_run(n_epochs), step=0.02)  # five events an epoch: ten seconds in all
    epochs = [line for line in lines if line.startswith("epoch")]
    assert len(epochs) == 6
    assert epochs[0].startswith("epoch 0 (1/30)")
    assert epochs[-1].startswith(f"epoch {n_epochs - 1} ({n_epochs}/30)")
    assert lines.index(epochs[-1]) < next(i for i, line in enumerate(lines) if line.startswith("phase train st"))
    checkpoints = [line for line in lines if line.startswith("checkpoint")]
    assert len(checkpoints) == 6
    assert f"{n_epochs - 1:04}" in checkpoints[-1]


def test_a_held_line_is_written_where_the_run_breaks_off():
    def engine():
        for event in short_run():
            if isinstance(event, CheckpointSaved) and event.epoch == 1:
                raise ZeroDivisionError
            yield event

    stream = io.StringIO()
    with pytest.raises(ZeroDivisionError):
        lines_of(engine(), step=0.01, stream=stream)
    assert "epoch 1 (2/30)" in stream.getvalue()
    assert "run failed: ZeroDivisionError\n" in stream.getvalue()


def test_nothing_in_a_text_breaks_a_line_or_reaches_the_terminal():
    bad = WarningRaised("fit", "a\nb\x1b[2Jc\u202ed\udc80[/red]")
    assert lines_of([bad, RunFinished("failed", "x\r\ny", "fit")], step=1.0) == [
        "warning in phase fit: a b?[2Jc?d?[/red]",
        "run failed in phase fit: x  y",
    ]


def test_a_stream_that_cannot_write_a_letter_writes_its_code():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    sink = PlainProgress(stream)
    pump(iter([WarningRaised("", "zu heiß"), RunFinished("completed")]), [sink])
    assert raw.getvalue() == b"warning: zu hei\\xdf\nrun completed\n"


def test_a_reader_that_goes_away_does_not_end_the_run():
    reading, writing = os.pipe()
    os.close(reading)
    log = Recorder()
    with suppress(BrokenPipeError), open(writing, "w", encoding="utf-8") as stream:
        end = pump(short_run(), [PlainProgress(stream), log])  # what it left in the buffer finds no reader either
    assert end.status == "completed"
    assert sum(isinstance(event, WarningRaised) for event in log.events) == 1


def test_counting_steps_names_no_last_epoch():
    start = PhaseStarted("t", "train", "train", 1, 0, 1, 500)
    lines = lines_of([start, EpochFinished("t", 0, 1, {"loss": 2.0}), RunFinished("completed")], step=3.0)
    assert lines == [
        "phase t: train on train, 1 row, 500 steps, 1 batch an epoch",
        "epoch 0  loss 2",
        "run completed",
    ]


def _stamped(events):
    recorder = Recorder()
    pump(events, [recorder], clock=Clock(step=1.0))
    return recorder.received
