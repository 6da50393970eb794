"""The character transformer, two ways: runexp, and the best loop written by hand, on the same random tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch.nn import functional

from runexp.api.checking import check
from runexp.engine.experiment import Experiment
from runexp.events import EpochFinished
from runexp.runtime.modules.language import CharTransformer
from runexp.runtime.torch_runtime import TorchRuntime

N_STEPS = 8
_SIZE, _BATCH = 64, 12
_LETTERS = "abcdefghijklmnopqrstuvwxyz ,.;:!?-'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123"

SPEC = f"""\
runexp: 1
name: bench
execution: {{device: cpu, threads: 1}}
data:
  text:
    source: text.txt
    tokenizer: {{use: char, fit_on: all}}
    features: {{tokens: text}}
    targets: {{next: text}}
    windows: {{size: {_SIZE}, stride: {_SIZE}, predict: next}}
nodes:
  model: {{inputs: text.tokens, use: char_transformer}}
losses: {{lm: {{node: model, use: causal_lm}}}}
phases:
  train:
    kind: train
    split: all
    epochs: 100000
    batches: {{size: {_BATCH}}}
    losses: [lm]
    optimizer: {{use: adamw, with: {{lr: 1e-3, betas: [0.9, 0.99], weight_decay: 0.1}}, decay: matrices}}
    clip: {{norm: 1.0}}
"""


def ways(folder: Path) -> dict[str, Callable[[int], None]]:
    """An epoch of `N_STEPS` steps of 12 windows of 64 characters, by hand and by runexp."""
    chosen = torch.randint(len(_LETTERS), (N_STEPS * _BATCH * _SIZE + 1,), generator=torch.Generator().manual_seed(0))
    text = "".join(_LETTERS[index] for index in chosen)
    (folder / "text.txt").write_text(text, encoding="utf-8")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    return {"by hand, a gather an epoch": _by_hand(chosen), "runexp": _by_runexp(folder)}


def _by_hand(tokens: torch.Tensor) -> Callable[[int], None]:
    model = CharTransformer(len(_LETTERS))
    sizes = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [{"params": sizes, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)
    parameters = [*sizes, *others]
    inputs, targets = tokens[:-1].view(-1, _SIZE), tokens[1:].view(-1, _SIZE)

    def epoch(number: int) -> None:
        order = torch.randperm(len(inputs))
        total = 0.0
        for x, y in zip(inputs[order].split(_BATCH), targets[order].split(_BATCH), strict=True):
            loss = functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            total += loss.item()
        if not math.isfinite(total):
            raise ValueError("the loop written by hand diverged")

    return epoch


def _by_runexp(folder: Path) -> Callable[[int], None]:
    plan = check(folder / "spec.yaml").require().plan
    events: Iterator[object] = Experiment(plan, TorchRuntime(plan, folder=folder)).run()

    def epoch(number: int) -> None:
        next(event for event in events if isinstance(event, EpochFinished))

    return epoch
