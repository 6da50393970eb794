"""Training against loops written by hand in torch: the same weights, bit for bit."""

import itertools
from dataclasses import replace

import pytest
import torch
from ruamel.yaml import YAML
from torch import nn
from torch.optim import lr_scheduler

from runexp.diagnostics import SpecError
from runexp.events import BatchesRecorded
from runexp.plan.values import FrozenMap
from runexp.runtime.seeds import derive_seed
from runtime.tables import N_TRAIN, columns, opened, run, same, weights

NET = """\
nodes:
  body: {inputs: t.x, layers: [{torch.nn.Linear: {out_features: 8}}, torch.nn.ReLU]}
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy, inputs: [outputs, targets.kind]}}
phases:
"""
NORMED = NET.replace("torch.nn.ReLU", "torch.nn.BatchNorm1d, torch.nn.ReLU, {torch.nn.Dropout: {p: 0.3}}")


def train(more, *, use="adam", lr=0.01, size=16, options=""):
    optimizer = f"{{use: {use}, with: {{lr: {lr}{options}}}}}"
    return f"  train: {{kind: train, losses: [ce], batches: {{size: {size}}}, optimizer: {optimizer}, {more}}}\n"


def yaml_mapping(text):
    return YAML(typ="safe").load(f"{{{text}}}")


def net(runtime):
    return nn.Sequential(runtime.graph.modules["body"], runtime.graph.modules["head"])


def orders(epoch, label="train"):
    """The order of the rows of an epoch: a function of (seed, phase, epoch) and of nothing else."""
    generator = torch.Generator().manual_seed(derive_seed(4, "order", label, epoch))
    return torch.randperm(N_TRAIN, generator=generator)


def by_hand(model, optimizer, x, y, *, n_epochs, size=16, before_step=lambda: None, after_step=lambda: None):
    """The loop that anyone would write."""
    model.train().requires_grad_(True)
    for epoch in range(n_epochs):
        for rows in orders(epoch).split(size):
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            before_step()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            after_step()


def trained_both_ways(folder, phase, make, **hooks):
    """(ours, by hand): all weights after two epochs from the same start."""
    plan, runtime = opened(folder, NET + phase)
    start = runtime.snapshot()
    run(plan, runtime)
    ours = weights(runtime)
    runtime.restore(start)
    optimizer = make(list((model := net(runtime)).parameters()))
    hooks = {name: hook(model, optimizer) for name, hook in hooks.items()}
    by_hand(model, optimizer, *columns(runtime, "train", "x", "kind"), n_epochs=2, **hooks)
    return ours, weights(runtime)


OPTIMIZERS = [
    pytest.param("adam", "", lambda p: torch.optim.Adam(p, lr=0.01, fused=True), id="adam"),
    pytest.param(
        "adamw",
        ", weight_decay: 0.1",
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, fused=True),
        id="adamw",
    ),
    pytest.param(
        "sgd",
        ", momentum: 0.9",
        lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, fused=True),
        id="sgd with momentum",
    ),
    pytest.param(
        "sgd", ", momentum: 0.9, fused: false", lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9), id="sgd not fused"
    ),
    pytest.param("rmsprop", "", lambda p: torch.optim.RMSprop(p, lr=0.01), id="rmsprop"),
]


@pytest.mark.parametrize(("use", "options", "make"), OPTIMIZERS)
def test_two_epochs_give_the_weights_of_the_loop_by_hand_bit_for_bit(use, options, make, tmp_path):
    ours, hand = trained_both_ways(tmp_path, train("epochs: 2", use=use, options=options), make)
    assert same(ours, hand)


def test_gradients_are_clipped_by_norm_before_the_update(tmp_path):
    def clip(model, optimizer):
        return lambda: nn.utils.clip_grad_norm_(model.parameters(), 0.05)

    phase = train("epochs: 2, clip: {norm: 0.05}", use="sgd")
    assert same(*trained_both_ways(tmp_path, phase, lambda p: torch.optim.SGD(p, lr=0.01), before_step=clip))


def test_gradients_are_clipped_by_value_before_the_update(tmp_path):
    def clip(model, optimizer):
        return lambda: nn.utils.clip_grad_value_(model.parameters(), 0.01)

    phase = train("epochs: 2, clip: {value: 0.01}", use="sgd")
    assert same(*trained_both_ways(tmp_path, phase, lambda p: torch.optim.SGD(p, lr=0.01), before_step=clip))


def test_a_schedule_follows_torchs_own_within_the_loop(tmp_path):
    def follow(model, optimizer):
        return lr_scheduler.CosineAnnealingLR(optimizer, T_max=8, eta_min=0.001).step

    phase = train("epochs: 2, schedule: {use: cosine, min_ratio: 0.1}", use="sgd")
    ours, hand = trained_both_ways(tmp_path, phase, lambda p: torch.optim.SGD(p, lr=0.01), after_step=follow)
    assert all(torch.allclose(ours[key], hand[key], atol=1e-7) for key in ours)


def test_groups_of_the_optimizer_get_their_own_rates(tmp_path):
    phase = train("epochs: 2", use="sgd").replace("lr: 0.01}", "lr: 0.01}, groups: {body: {lr: 0.3}}")

    def make(parameters):
        groups = [{"params": parameters[2:]}, {"params": parameters[:2], "lr": 0.3}]
        return torch.optim.SGD(groups, lr=0.01)

    assert same(*trained_both_ways(tmp_path, phase, make))


def test_weight_decay_can_be_kept_to_matrices(tmp_path):
    phase = train("epochs: 2", use="adamw", options=", weight_decay: 0.5").replace("0.5}", "0.5}, decay: matrices")

    def make(parameters):
        vectors = [parameter for parameter in parameters if parameter.ndim < 2]
        matrices = [parameter for parameter in parameters if parameter.ndim >= 2]
        groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=0.01, weight_decay=0.5, fused=True)

    assert same(*trained_both_ways(tmp_path, phase, make))


def test_a_group_by_pattern_takes_parameters_of_several_nodes_and_the_later_one_wins(tmp_path):
    groups = "groups: {'*.bias': {lr: 0.3, weight_decay: 0.1}, head: {lr: 0.2}}"
    phase = train("epochs: 2", use="sgd").replace("lr: 0.01}", f"lr: 0.01}}, {groups}")

    def make(parameters):
        body, bias, head, head_bias = parameters
        groups = [
            {"params": [body]},
            {"params": [bias], "lr": 0.3, "weight_decay": 0.1},
            {"params": [head_bias], "lr": 0.2, "weight_decay": 0.1},
            {"params": [head], "lr": 0.2},
        ]
        return torch.optim.SGD(groups, lr=0.01)

    assert same(*trained_both_ways(tmp_path, phase, make))


TORCHS = [
    pytest.param("MultiStepLR", "milestones: [1, 3], gamma: 0.5", "epoch", id="every epoch"),
    pytest.param("OneCycleLR", "max_lr: 0.5, total_steps: 20", "step", id="every update, momentum too"),
    pytest.param("CyclicLR", "base_lr: 0.01, max_lr: 0.1, step_size_up: 3", "step", id="with rates of its own"),
]


@pytest.mark.parametrize(("name", "arguments", "interval"), TORCHS)
def test_any_scheduler_of_torch_moves_the_optimizer_as_it_does_by_hand(name, arguments, interval, tmp_path):
    given = yaml_mapping(arguments)
    schedule = f"{{use: torch.optim.lr_scheduler.{name}, with: {{{arguments}}}, interval: {interval}}}"

    def follow(model, optimizer):
        scheduler, count = getattr(lr_scheduler, name)(optimizer, **given), itertools.count(1)
        return lambda: scheduler.step() if next(count) % (1 if interval == "step" else 4) == 0 else None

    phase = train(f"epochs: 2, schedule: {schedule}", use="sgd", options=", momentum: 0.9")
    ours, hand = trained_both_ways(
        tmp_path, phase, lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9), after_step=follow
    )
    assert all(torch.allclose(ours[key], hand[key], atol=1e-7) for key in ours)


def test_the_rates_told_beforehand_are_those_of_the_run(tmp_path):
    schedule = "{use: torch.optim.lr_scheduler.MultiStepLR, with: {milestones: [1]}, warmup_steps: 2}"
    plan, runtime = opened(tmp_path, NET + train(f"epochs: 3, schedule: {schedule}", use="sgd"))
    told = runtime.open_train(plan.phase("train")).rates(12)
    rates = [rate for event in run(plan, runtime) if isinstance(event, BatchesRecorded) for rate in event.columns["lr"]]
    assert told == pytest.approx(rates)
    assert told == pytest.approx([0.005, 0.01, *[0.01] * 4, *[0.001] * 6])


def test_a_scheduler_of_torch_that_refuses_its_arguments_is_a_mistake_at_its_line(tmp_path):
    schedule = "{use: torch.optim.lr_scheduler.OneCycleLR, with: {max_lr: 0.1}}"
    with pytest.raises(SpecError) as refused:
        opened(tmp_path, NET + train(f"epochs: 1, schedule: {schedule}"))
    assert [(one.code, one.path) for one in refused.value.diagnostics] == [("wrong-value", "phases.train.schedule")]


def test_accumulating_k_equal_batches_is_one_batch_of_k_times_the_size(tmp_path):
    results = []
    for phase in (
        train("epochs: 2, accumulate: 3", size=5, use="sgd"),
        train("epochs: 2", size=15, use="sgd"),
    ):
        text = phase.replace("size: 5", "size: 5, drop_last: true").replace("size: 15", "size: 15, drop_last: true")
        plan, runtime = opened(tmp_path, NET + text)
        events = run(plan, runtime)
        results.append((weights(runtime), events[-2].n_steps))
    (one, n_one), (other, n_other) = results
    assert n_one == n_other == 8
    assert all(torch.allclose(one[key], other[key], atol=1e-7) for key in one)


def test_a_short_last_group_of_accumulated_batches_is_a_mean_too(tmp_path):
    # 61 rows in batches of 20: two full, one full and one of a single row; the last step averages two batches.
    plan, runtime = opened(tmp_path, NET + train("epochs: 1, accumulate: 3", size=20, use="sgd"))
    start = runtime.snapshot()
    run(plan, runtime)
    ours = weights(runtime)
    runtime.restore(start)
    model = net(runtime).requires_grad_(True)
    x, y = columns(runtime, "train", "x", "kind")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    batches = orders(0).split(20)
    for group in (batches[:3], batches[3:]):
        optimizer.zero_grad()
        (sum(nn.functional.cross_entropy(model(x[rows]), y[rows]) for rows in group) / len(group)).backward()
        optimizer.step()
    hand = weights(runtime)
    assert all(torch.allclose(ours[key], hand[key], atol=1e-7) for key in ours)


def test_two_runs_of_a_spec_give_the_same_bits(tmp_path):
    results = []
    for _ in range(2):
        torch.rand(3)  # what happened before does not matter
        plan, runtime = opened(tmp_path, NORMED + train("epochs: 2"))
        results.append((run(plan, runtime), weights(runtime)))
    assert results[0][0] == results[1][0]
    assert same(results[0][1], results[1][1])


def test_a_last_batch_of_one_row_is_refused_where_batches_are_normalised(tmp_path):
    with pytest.raises(SpecError) as caught:
        opened(tmp_path, NORMED + train("epochs: 1", size=20))
    assert [(item.code, item.path) for item in caught.value.diagnostics] == [("single-row-batch", "phases.train")]


IMAGES = """\
nodes:
  body:
    inputs: t.x
    layers:
      - torch.nn.Unflatten: {dim: 1, unflattened_size: [1, SHAPE]}
      - torch.nn.Conv2d: {out_channels: 4, kernel_size: 1}
      - torch.nn.BatchNorm2d
      - torch.nn.Flatten
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy, inputs: [outputs, targets.kind]}}
phases:
"""


def test_a_last_batch_of_one_image_trains_since_a_channel_has_many_values(tmp_path):
    plan, runtime = opened(tmp_path, IMAGES.replace("SHAPE", "2, -1") + train("epochs: 1", size=N_TRAIN - 1))
    statistics = runtime.graph.modules["body"][2].running_mean.clone()
    assert torch.equal(statistics, torch.zeros(4))  # looking at it moved nothing
    run(plan, runtime)
    assert not torch.equal(runtime.graph.modules["body"][2].running_mean, statistics)


def test_a_frozen_node_keeps_weights_and_statistics_bit_for_bit(tmp_path):
    text = NORMED.replace("body: {", "body: {freeze: true, ") + train("epochs: 2", size=16)
    plan, runtime = opened(tmp_path, text)
    before = weights(runtime)
    run(plan, runtime)
    after = weights(runtime)
    assert all(torch.equal(before[key], after[key]) for key in before if key.startswith("body."))
    assert not torch.equal(before["head.weight"], after["head.weight"])


def test_a_phase_ends_with_no_gradients_and_every_node_in_eval_mode(tmp_path):
    plan, runtime = opened(tmp_path, NET + train("epochs: 1"))
    run(plan, runtime)
    for module in runtime.graph.modules.values():
        assert not any(part.training for part in module.modules())
        assert not any(parameter.requires_grad or parameter.grad is not None for parameter in module.parameters())


def test_a_phase_that_is_refused_leaves_no_node_in_train_mode(tmp_path):
    plan, runtime = opened(tmp_path, NET + train("epochs: 1"))
    phase = plan.phase("train")
    call = replace(phase.optimizer.call, arguments=FrozenMap({"lr": -1.0}))
    with pytest.raises(SpecError):
        runtime.open_train(replace(phase, optimizer=replace(phase.optimizer, call=call)))
    assert not any(module.training for module in runtime.graph.modules.values())


def test_the_learning_rate_is_recorded_as_it_was_written(tmp_path):
    plan, runtime = opened(tmp_path, NET + train("epochs: 1", lr=0.1, use="sgd"))
    assert run(plan, runtime)[-2].metrics["lr"] == 0.1


def test_an_optimizer_that_needs_several_evaluations_a_step_is_refused(tmp_path):
    with pytest.raises(SpecError) as caught:
        opened(tmp_path, NET + train("epochs: 1", use="lbfgs"))
    assert [(item.code, item.path) for item in caught.value.diagnostics] == [("wrong-value", "phases.train.optimizer")]
