"""Several optimizers, taken in turn at each step: adversarial training (S-13)."""

import pytest
import torch
from torch import nn

from runexp.api.checking import check
from runexp.diagnostics import SpecError
from runexp.events import BatchesRecorded, EpochFinished
from runexp.runtime.description import describe
from runtime.tables import HEAD, columns, final, opened, run, same, weights
from runtime.test_training import orders

GAN = """\
nodes:
  start: {inputs: t.x, use: noise, with: {size: 3}}
  generator: {inputs: start, layers: [{torch.nn.Linear: {out_features: 8}}, torch.nn.ReLU, {torch.nn.Linear: {out_features: 4}}]}
  both: {inputs: [t.x, generator], merge: stack}
  judge: {inputs: both, layers: [{torch.nn.Linear: {out_features: 8}}, torch.nn.ReLU, {torch.nn.Linear: {out_features: 1}}, torch.nn.Flatten]}
losses:
  told: {node: judge, use: bce_with_logits, inputs: [outputs, targets.flags]}
  fooled: {node: judge, use: mse, inputs: [outputs, targets.flags], weight: 0.5}
phases:
  train:
    kind: train
    losses: [told, fooled]
    batches: {size: 16}
    epochs: 2
    optimizers:
      critic: {use: adam, with: {lr: 0.01}, nodes: [judge], losses: [told]}
      forger: {use: sgd, with: {lr: 0.1, momentum: 0.9}, nodes: [generator], losses: [fooled]}
"""  # noqa: E501


def by_hand(plan, runtime, *, every=1, rate=lambda step: 1.0):
    """The loop that anyone would write for a GAN; `fooled` is computed anew, with the judge's update seen."""
    start, generator, judge = (runtime.graph.modules[name] for name in ("start", "generator", "judge"))
    x, flags = columns(runtime, "train", "x", "flags")
    critic = torch.optim.Adam(judge.parameters(), lr=0.01, fused=True)
    forger = torch.optim.SGD(generator.parameters(), lr=0.1, momentum=0.9, fused=True)
    step = 0
    told, fooled = [], []
    runtime.seed("train")
    runtime.open_train(plan.phase("train")).close()  # which tries the losses on two rows, and so draws noise
    for module in (generator, judge):
        module.train().requires_grad_(True)
    for epoch in range(2):
        for rows in orders(epoch).split(16):
            critic.param_groups[0]["lr"], forger.param_groups[0]["lr"] = 0.01 * rate(step), 0.1 * rate(step)
            step += 1
            real, y = x[rows], flags[rows].float()
            loss = nn.functional.binary_cross_entropy_with_logits(
                judge(torch.stack([real, generator(start(real)).detach()], 1)), y
            )
            loss.backward()
            critic.step()
            critic.zero_grad()
            told.append(loss.item())
            if step % every:
                continue
            loss = nn.functional.mse_loss(judge(torch.stack([real, generator(start(real))], 1)), y)
            (loss * 0.5).backward()
            forger.step()
            forger.zero_grad()
            critic.zero_grad()
            fooled.append(loss.item())
    return told, fooled


@pytest.mark.parametrize("every", [pytest.param(1, id="every step"), pytest.param(3, id="every third step")])
def test_two_optimizers_do_what_a_gan_loop_written_by_hand_does_bit_for_bit(tmp_path, every):
    text = GAN.replace("losses: [fooled]}", f"losses: [fooled], every_n_steps: {every}}}")
    plan, runtime = opened(tmp_path, text)
    start = runtime.snapshot()
    events = run(plan, runtime)
    ours = weights(runtime)
    runtime.restore(start)
    told, fooled = by_hand(plan, runtime, every=every)
    assert same(ours, weights(runtime))
    noted = [event.columns for event in events if isinstance(event, BatchesRecorded)]
    assert [value for block in noted for value in block["told"]] == told
    assert [value for block in noted for value in block["fooled"] if value == value] == fooled


def test_a_schedule_applies_to_the_rates_of_each_and_each_is_recorded(tmp_path):
    text = GAN + "    schedule: {use: linear}\n"
    plan, runtime = opened(tmp_path, text)
    start = runtime.snapshot()
    events = run(plan, runtime)
    ours = weights(runtime)
    runtime.restore(start)
    by_hand(plan, runtime, rate=lambda step: 1 - step / 8)
    assert same(ours, weights(runtime))
    noted = [event.columns for event in events if isinstance(event, BatchesRecorded)]
    assert noted[0]["lr/critic"][1] == pytest.approx(0.01 * 7 / 8)
    assert noted[0]["lr/forger"][1] == pytest.approx(0.1 * 7 / 8)


def test_losses_are_logged_by_name_and_their_weighted_sum_as_train_loss(tmp_path):
    for every in (1, 3):
        text = GAN.replace("losses: [fooled]}", f"losses: [fooled], every_n_steps: {every}}}")
        found = final(run(*opened(tmp_path, text)), "train")
        assert found["train_loss"] == pytest.approx(found["train_told"] + 0.5 * found["train_fooled"])


def test_an_optimizer_whose_turn_never_comes_leaves_its_nodes_as_they_are(tmp_path):
    plan, runtime = opened(tmp_path, GAN.replace("losses: [fooled]}", "losses: [fooled], every_n_steps: 1000}"))
    before = weights(runtime)
    events = run(plan, runtime)
    changed = {key for key, value in weights(runtime).items() if not torch.equal(value, before[key])}
    assert {key.partition(".")[0] for key in changed} == {"judge"}
    assert all("train_told" in event.metrics for event in events if isinstance(event, EpochFinished))


def test_the_state_of_a_phase_holds_every_optimizer_by_name(tmp_path):
    plan, runtime = opened(tmp_path, GAN)
    program = runtime.open_train(plan.phase("train"))
    assert set(program.state()["optimizer"]) == {"critic", "forger"}
    assert {name for name, *_ in program.groups()} == {"judge", "generator"}
    program.close()
    assert describe(runtime, plan.phase("train")).groups[1].lr == 0.1


MISTAKES = [
    pytest.param("nodes: [judge]", "nodes: [jugde]", "unknown-node", "optimizers.critic.nodes[0]", id="a node"),
    pytest.param("losses: [told]}", "losses: [tolt]}", "unknown-loss", "optimizers.critic.losses[0]", id="a loss"),
    pytest.param("nodes: [generator]", "nodes: [generator, judge]", "exclusive-keys", "optimizers.forger.nodes[1]",
                 id="a node of two"),
    pytest.param("losses: [fooled]}", "losses: [told]}", "nothing-to-do", "losses[1]", id="a loss of none"),
    pytest.param("    epochs: 2", "    optimizer: {use: adam}\n    epochs: 2", "exclusive-keys", "optimizer",
                 id="one beside several"),
    pytest.param("    epochs: 2", "    accumulate: 2\n    epochs: 2", "exclusive-keys", "accumulate", id="accumulate"),
    pytest.param("nodes: [judge]", "nodes: [judge, both2]", "nothing-to-do", "optimizers.critic.nodes[1]",
                 id="a node that its losses do not need"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "place"), MISTAKES)
def test_mistakes_are_told_at_their_place(tmp_path, old, new, code, place):
    text = GAN.replace("losses:\n", "  both2: {inputs: both, use: torch.nn.Flatten}\nlosses:\n", 1).replace(old, new, 1)
    with pytest.raises(SpecError) as refused:
        opened(tmp_path, text)
    found = [(item.code, item.path) for item in refused.value.diagnostics if item.is_error]
    assert (code, f"phases.train.{place}") in found


def test_the_plan_shows_every_optimizer(tmp_path):
    path = tmp_path / "spec.yaml"
    opened(tmp_path, GAN)
    path.write_text(HEAD + GAN, encoding="utf-8")
    plan = check(path).plan
    turns = plan.phase("train").turns
    assert [(turn.name, turn.trains, turn.losses, turn.every_n_steps) for turn in turns] == [
        ("critic", ("judge",), ("told",), 1),
        ("forger", ("generator",), ("fooled",), 1),
    ]
