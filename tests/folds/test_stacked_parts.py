"""Modules, losses and clipping on stacked weights do for each fold what they do for it alone (S-47)."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

from runexp.runtime.losses import BoundLoss
from runexp.runtime.modules.attention import TransformerEncoder
from runexp.runtime.modules.convolution import CNN2d
from runexp.runtime.modules.language import CharTransformer
from runexp.runtime.modules.perceptron import MLP
from runexp.runtime.stacking.losses import stacked_loss
from runexp.runtime.stacking.modules import stacked
from runexp.runtime.stacking.moving import clip_norms

N_FOLDS = 3
ROWS, STEPS, IMAGES = (5, 4), (5, 6, 4), (5, 1, 8, 8)
MODULES = {
    "linear": (lambda: nn.Linear(4, 3), ROWS),
    "linear of steps, no bias": (lambda: nn.Linear(4, 3, bias=False), STEPS),
    "mlp": (lambda: MLP(4, 2, hidden=(6, 5), norm="layer", activation="gelu"), ROWS),
    "batch norm": (lambda: nn.Sequential(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU()), ROWS),
    "batch norm of steps": (lambda: nn.BatchNorm1d(6), STEPS),
    "batch norm without weights": (lambda: nn.BatchNorm1d(4, affine=False), ROWS),
    "flat": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(24, 2)), STEPS),
    "half flat": (lambda: nn.Flatten(1, 2), IMAGES),
    "layer norm of two axes": (lambda: nn.LayerNorm((6, 4), bias=False), STEPS),
    "convolution": (lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.PReLU(), nn.MaxPool2d(2), nn.Flatten()), IMAGES),
    "cnn2d": (lambda: CNN2d(1, out_features=2), IMAGES),
    "attention": (lambda: TransformerEncoder(4, d_model=8, nhead=2, num_layers=1), STEPS),
}
LOSSES = {
    "cross entropy, some ignored": (nn.CrossEntropyLoss(ignore_index=1), torch.tensor([0, 1, 2, 1, 0])),
    "cross entropy, smoothed": (nn.CrossEntropyLoss(label_smoothing=0.2), torch.tensor([0, 1, 2, 1, 0])),
    "cross entropy, added up": (nn.CrossEntropyLoss(reduction="sum"), torch.tensor([0, 1, 2, 1, 0])),
    "cross entropy, of weighted classes": (nn.CrossEntropyLoss(torch.tensor([1.0, 2.0, 3.0])), torch.arange(5) % 3),
    "cross entropy, of probabilities": (nn.CrossEntropyLoss(), torch.rand(5, 3).softmax(1)),
    "mse": (nn.MSELoss(), torch.rand(5, 3)),
    "huber, added up": (nn.HuberLoss(reduction="sum"), torch.rand(5, 3)),
    "bce with weights": (nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2.0, 3.0])), torch.rand(5, 3)),
    "a function": (functional.l1_loss, torch.rand(5, 3)),
}


def folds_of(make):
    """The same module for each fold, with other weights; their values stacked."""
    modules = []
    for seed in range(N_FOLDS):
        torch.manual_seed(seed)
        modules.append(make().train())
    names = [name for name, _ in (*modules[0].named_parameters(), *modules[0].named_buffers())]
    own = [dict((*module.named_parameters(), *module.named_buffers())) for module in modules]
    values = {f"n.{name}": torch.stack([each[name].detach().clone() for each in own]) for name in names}
    for name, _ in modules[0].named_parameters():
        values[f"n.{name}"].requires_grad_()
    return modules, values


@pytest.mark.parametrize(("make", "shape"), MODULES.values(), ids=MODULES)
def test_a_stacked_module_gives_outputs_gradients_and_statistics_of_each(make, shape):
    modules, values = folds_of(make)
    inputs = torch.randn(N_FOLDS, *shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch tells so of what it takes one fold after the other
        outputs = stacked(modules[0], "n")(values, inputs)
    if any(value.requires_grad for value in values.values()):
        outputs.square().sum().backward()
    for fold, module in enumerate(modules):
        alone = module(inputs[fold])
        torch.testing.assert_close(outputs[fold], alone, rtol=1e-5, atol=1e-6)
        if alone.requires_grad:
            alone.square().sum().backward()
        for name, parameter in module.named_parameters():
            torch.testing.assert_close(values[f"n.{name}"].grad[fold], parameter.grad, rtol=1e-4, atol=1e-5)
        for name, buffer in module.named_buffers():
            torch.testing.assert_close(values[f"n.{name}"][fold], buffer)


def test_tied_weights_stay_tied():
    make = lambda: CharTransformer(20, block_size=6, width=8, num_heads=2, num_layers=1)  # noqa: E731 - as above
    modules, values = folds_of(make)
    codes = torch.randint(20, (N_FOLDS, 4, 6))
    outputs = stacked(modules[0], "n")(values, codes)
    outputs.square().sum().backward()
    for fold, module in enumerate(modules):
        alone = module(codes[fold])
        alone.square().sum().backward()
        torch.testing.assert_close(outputs[fold], alone)
        torch.testing.assert_close(values["n.tokens.weight"].grad[fold], module.tokens.weight.grad)


@pytest.mark.parametrize(("function", "targets"), LOSSES.values(), ids=LOSSES)
def test_a_stacked_loss_is_that_of_each(function, targets):
    outputs = torch.randn(N_FOLDS, 5, 3)
    together = torch.stack([targets.roll(fold, 0) for fold in range(N_FOLDS)])
    found = stacked_loss(BoundLoss("l", 1.0, function, (0, 1), ()))([outputs, together])
    alone = torch.stack([function(*pair) for pair in zip(outputs, together, strict=True)])
    torch.testing.assert_close(found, alone)


def test_gradients_are_clipped_by_the_norm_of_their_own_fold():
    gradients = [torch.randn(N_FOLDS, 4, 3), torch.randn(N_FOLDS, 2) * torch.tensor([[0.0], [1.0], [100.0]])]
    gradients[0][0] *= 0.01  # one that stays as it is
    alone = [[gradient[fold].clone() for gradient in gradients] for fold in range(N_FOLDS)]
    clip_norms(gradients, 1.0)
    for fold, own in enumerate(alone):
        weights = [nn.Parameter(torch.zeros_like(gradient)) for gradient in own]
        for weight, gradient in zip(weights, own, strict=True):
            weight.grad = gradient
        nn.utils.clip_grad_norm_(weights, 1.0)
        for weight, clipped in zip(weights, gradients, strict=True):
            torch.testing.assert_close(clipped[fold], weight.grad)
