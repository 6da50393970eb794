"""Weights of losses that change over a phase (S-16)."""

import pytest
import torch
from torch import nn

from runexp.diagnostics import SpecError
from runexp.engine.experiment import shortened
from runexp.events import EpochFinished
from runexp.plan.graph import WeightCurve
from runexp.runtime.weighing import weight_at
from runtime.tables import columns, opened, run, same, weights
from runtime.test_training import NET, net, orders, train

TWO = NET.replace(
    "phases:", "  mse: {node: head, use: mse, inputs: [outputs, targets.share], weight: WEIGHT}\nphases:"
).replace("}}\n", "}}\n", 1)


def two(weight, more="epochs: 2"):
    return TWO.replace("losses: {ce: {node: head, use: cross_entropy, inputs: [outputs, targets.kind]}}",
                       "losses:\n  ce: {node: head, use: cross_entropy, inputs: [outputs, targets.kind]}").replace(
        "WEIGHT", weight) + train(more).replace("losses: [ce]", "losses: [ce, mse]")  # fmt: skip


def by_hand(runtime, weight):
    x, kind, share = columns(runtime, "train", "x", "kind", "share")
    model = net(runtime).train().requires_grad_(True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    step = 0
    for epoch in range(2):
        for rows in orders(epoch).split(16):
            output = model(x[rows])
            total = nn.functional.cross_entropy(output, kind[rows]) * 1.0
            (total + nn.functional.mse_loss(output, share[rows]) * weight(step)).backward()
            optimizer.step()
            optimizer.zero_grad()
            step += 1


def test_a_weight_rises_update_by_update_as_in_a_loop_by_hand(tmp_path):
    plan, runtime = opened(tmp_path, two("{use: linear, start: 0, end: 2}"))
    start = runtime.snapshot()
    events = run(plan, runtime)
    ours = weights(runtime)
    runtime.restore(start)
    by_hand(runtime, lambda step: 0 + 2.0 * (step / 8))
    assert same(ours, weights(runtime))
    noted = [event.metrics["weight/mse"] for event in events if isinstance(event, EpochFinished)]
    assert noted == [2 * 3 / 8, 2 * 7 / 8]  # of the last update of each epoch


@pytest.mark.parametrize(("kind", "expected"), [
    pytest.param("linear", [1.0, 1.5, 2.0, 2.5, 3.0, 3.0], id="linear"),
    pytest.param("cosine", [1.0, 1.2928932, 2.0, 2.7071068, 3.0, 3.0], id="cosine"),
    pytest.param("step", [1.0, 1.0, 1.0, 1.0, 3.0, 3.0], id="step"),
])  # fmt: skip
def test_each_curve_goes_from_start_to_end_and_stays_there(kind, expected):
    curve = WeightCurve(kind, 1.0, 3.0)
    assert [weight_at(curve, step, 4) for step in range(6)] == pytest.approx(expected)


def test_a_curve_has_a_length_of_its_own_and_keeps_that_of_a_phase_cut_short(tmp_path):
    plan, _ = opened(tmp_path, two("{use: step, start: 0, end: 2, epochs: 1}"))
    assert plan.phases[0].losses[1].curve == WeightCurve("step", 0.0, 2.0, 1)
    plan, _ = opened(tmp_path, two("{use: linear, start: 0, end: 2}"))
    cut = shortened(plan.phases[0], n_epochs=0, n_steps=1)
    assert cut.losses[1].curve == WeightCurve("linear", 0.0, 2.0, 2)


def test_a_step_without_its_length_is_refused(tmp_path):
    with pytest.raises(SpecError) as refused:
        opened(tmp_path, two("{use: step, start: 0, end: 2}"))
    assert [(item.code, item.path) for item in refused.value.diagnostics] == [("missing-key", "losses.mse.weight")]
