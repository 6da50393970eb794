"""Mixed precision against loops written by hand (S-26)."""

import json

import pytest
import torch
from torch import nn

from runexp.events import EpochFinished
from runexp.runtime.precision import Precision
from runtime.tables import HEAD, columns, final, opened, run, same, weights
from runtime.test_training import NET, net, orders, train

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def by_hand(runtime, name, *, accumulate=1, clip=0.0, scale=65536.0):
    """The loop of torch's own recipe for automatic mixed precision."""
    x, y = columns(runtime, "train", "x", "kind")
    model = net(runtime).train().requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
    scaler = torch.amp.GradScaler("cpu", enabled=name == "fp16", init_scale=scale)
    for epoch in range(2):
        batches = orders(epoch).split(16)
        for index, rows in enumerate(batches):
            with torch.autocast("cpu", dtype=DTYPES[name]):
                loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            group = min(accumulate, len(batches) - index + index % accumulate)
            scaler.scale(loss * (1 / group) if accumulate > 1 else loss).backward()
            if (index + 1) % accumulate and index + 1 < len(batches):
                continue
            scaler.unscale_(optimizer)
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()


CASES = [
    pytest.param("bf16", "", {}, id="bf16"),
    pytest.param("fp16", "", {}, id="fp16 with a scaler"),
    pytest.param("fp16", ", clip: {norm: 0.1}", {"clip": 0.1}, id="clipped after unscaling"),
    pytest.param("fp16", ", accumulate: 3", {"accumulate": 3}, id="accumulated"),
    pytest.param("bf16", ", accumulate: 3", {"accumulate": 3}, id="bf16 accumulated"),
]


@pytest.mark.parametrize(("name", "more", "options"), CASES)
def test_it_does_what_the_loop_by_hand_does_bit_for_bit(tmp_path, name, more, options):
    phase = train(f"epochs: 2, precision: {name}{more}", use="sgd", lr=0.1, options=", momentum: 0.9")
    plan, runtime = opened(tmp_path, NET + phase)
    start = runtime.snapshot()
    run(plan, runtime)
    ours = weights(runtime)
    runtime.restore(start)
    by_hand(runtime, name, **options)
    assert same(ours, weights(runtime))
    assert all(value.dtype == torch.float32 for value in ours.values())


def test_steps_that_overflow_are_skipped_and_counted(tmp_path, monkeypatch):
    before = Precision.scaler
    monkeypatch.setattr(Precision, "scaler", lambda self: before(self) and torch.amp.GradScaler("cpu", 2.0**40))
    plan, runtime = opened(tmp_path, NET + train("epochs: 2, precision: fp16"))
    events = run(plan, runtime)
    skipped = [event.metrics["skipped_steps"] for event in events if isinstance(event, EpochFinished)]
    assert skipped[0] > 0
    assert all(value.isfinite().all() for value in weights(runtime).values())


def test_fp32_counts_no_skipped_steps(tmp_path):
    assert "skipped_steps" not in final(run(*opened(tmp_path, NET + train("epochs: 2"))), "train")


def test_the_experiments_precision_is_that_of_every_train_phase_that_names_none(tmp_path):
    head = HEAD.replace("threads: 1}", "threads: 1, precision: bf16}")
    two = train("epochs: 1") + train("epochs: 1, precision: fp32").replace("train:", "last:", 1)
    plan, _ = opened(tmp_path, NET + two, head=head)
    assert [phase.precision for phase in plan.phases] == ["bf16", "fp32"]


def test_evaluations_are_computed_in_fp32(tmp_path):
    look = "callbacks: [{use: evaluation, split: val, losses: [ce]}]"
    plan, runtime = opened(tmp_path, NET + train(f"epochs: 1, precision: bf16, {look}"))
    found = final(run(plan, runtime), "train")["val_loss"]
    x, y = columns(runtime, "val", "x", "kind")
    with torch.no_grad():
        assert found == pytest.approx(nn.functional.cross_entropy(net(runtime).eval()(x), y).item(), rel=1e-6)


def test_a_checkpoint_holds_the_scaler(tmp_path):
    plan, runtime = opened(tmp_path, NET + train("epochs: 1, precision: fp16"))
    program = runtime.open_train(plan.phase("train"))
    (tmp_path / "saved").mkdir()
    runtime.write_checkpoint(tmp_path / "saved", {"epoch": 0}, program.state())
    program.close()
    assert json.loads((tmp_path / "saved" / "state.json").read_text())["optimizer"]["scaler"]["scale"] == 65536.0
