"""Curves of the learning rate, compared with torch's own."""

import math

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from runexp.plan.phases import SchedulePlan
from runexp.plan.values import FrozenMap, Origin
from runexp.runtime.schedules import learning_rate_ratio


def ratios(n, n_an_epoch, **written):
    options = {"min_ratio": 0.0, "every_n_epochs": 1, "factor": 0.1, "peak_at": 0.3} | written
    words = {name: options.pop(name) for name in ("curve", "warmup_steps", "warmup_epochs") if name in options}
    words = {"curve": "constant", "warmup_steps": 0, "warmup_epochs": 0.0} | words
    ratio = learning_rate_ratio(
        SchedulePlan(**words, options=FrozenMap(options), origin=Origin("", None)), n, n_an_epoch
    )
    return [ratio(step) for step in range(n)]


def torchs(n, make):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(n):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


CURVES = [
    pytest.param(
        {"curve": "polynomial", "power": 2.0},
        lambda o: lr_scheduler.PolynomialLR(o, total_iters=40, power=2.0),
        id="polynomial",
    ),
    pytest.param(
        {"curve": "cosine_restarts", "n_cycles": 4, "growth": 1.0},
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=10),
        id="cosine with restarts",
    ),
    pytest.param(
        {"curve": "cosine_restarts", "n_cycles": 2, "growth": 3.0, "min_ratio": 0.1},
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=10, T_mult=3, eta_min=0.1),
        id="longer and longer restarts",
    ),
    pytest.param(
        {"curve": "linear", "min_ratio": 0.2},
        lambda o: lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=0.2, total_iters=40),
        id="linear",
    ),
    pytest.param(
        {"curve": "cosine", "min_ratio": 0.1},
        lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=40, eta_min=0.1),
        id="cosine",
    ),
    pytest.param(
        {"curve": "step", "every_n_epochs": 2, "factor": 0.5},
        lambda o: lr_scheduler.StepLR(o, 10, gamma=0.5),
        id="step",
    ),
    pytest.param(
        {"curve": "exponential", "factor": 0.9}, lambda o: lr_scheduler.StepLR(o, 5, gamma=0.9), id="exponential"
    ),
    pytest.param(
        # Torch reaches its end at its last step, ours one update after it; and torch's peak is a step early.
        {"curve": "one_cycle", "peak_at": 0.3, "min_ratio": 0.04 * 1e-4},
        lambda o: lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=41, pct_start=13 / 41),
        id="one cycle",
    ),
]


@pytest.mark.parametrize(("written", "make"), CURVES)
def test_a_curve_equals_torchs_own(written, make):
    assert ratios(40, 5, **written) == pytest.approx(torchs(40, make), abs=1e-12)


@pytest.mark.parametrize("curve", ["constant", "linear", "cosine", "step", "exponential"])
@pytest.mark.parametrize("warmup", [{"warmup_steps": 8}, {"warmup_epochs": 2.0}], ids=["steps", "epochs"])
def test_the_warm_up_rises_in_a_line_to_the_full_rate_and_the_curve_follows(curve, warmup):
    found = ratios(40, 4, curve=curve, min_ratio=0.1, **warmup)
    assert found[:8] == pytest.approx([(step + 1) / 8 for step in range(8)])
    assert found[8:] == ratios(32, 4, curve=curve, min_ratio=0.1)


def test_a_curve_ends_at_its_lowest_ratio_and_stays_there():
    plan = SchedulePlan("cosine", 0, 0.0, FrozenMap({"min_ratio": 0.25}), Origin("", None))
    ratio = learning_rate_ratio(plan, 10, 5)
    assert [ratio(10), ratio(11), ratio(1000)] == pytest.approx([0.25] * 3)
    assert math.isclose(ratio(5), 0.625)
