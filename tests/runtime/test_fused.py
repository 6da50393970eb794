"""Calling the fused kernels directly gives what torch's own step gives, bit for bit."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from runexp.runtime.fused import update_of

OPTIMIZERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-2, weight_decay=0.1, fused=True),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=1e-2, betas=(0.8, 0.95), maximize=True, fused=True),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=1e-2, weight_decay=0.1, fused=True),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=1e-2, momentum=0.9, dampening=0.1, fused=True),
    "nesterov": lambda parameters: torch.optim.SGD(parameters, lr=1e-2, momentum=0.9, nesterov=True, fused=True),
    "amsgrad": lambda parameters: torch.optim.Adam(parameters, lr=1e-2, amsgrad=True, fused=True),
    "unfused": lambda parameters: torch.optim.Adam(parameters, lr=1e-2),
}


def _trained(make, *, directly: bool) -> tuple[list[torch.Tensor], dict]:
    """Two heads, of which the second gets no gradient in every third step, from the third on."""
    torch.manual_seed(0)
    body, heads = nn.Linear(5, 4), [nn.Linear(4, 2), nn.Linear(4, 3)]
    parameters = [*body.parameters(), *heads[0].parameters(), *heads[1].parameters()]
    optimizer = make(parameters)
    step = update_of(optimizer) if directly else optimizer.step
    for number in range(12):
        hidden = body(torch.randn(6, 5))
        used = heads[:1] if number % 3 == 2 else heads
        sum((head(hidden) ** 2).mean() for head in used).backward()
        step()
        for parameter in parameters:
            parameter.grad = None
    return parameters, optimizer.state_dict()


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_weights_and_state_are_those_of_torchs_own_step(make):
    ours, our_state = _trained(make, directly=True)
    theirs, their_state = _trained(make, directly=False)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert our_state["state"].keys() == their_state["state"].keys()
    for index, values in their_state["state"].items():
        for name, value in values.items():
            assert torch.equal(our_state["state"][index][name], value)


def test_training_does_not_import_what_only_torch_compile_needs(root, tmp_path):
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from runexp.api.experiment import compile, load\n"
        f"spec = load({str(root / 'specs/quickstart.yaml')!r}, overrides={{'phases.train.epochs': 1}})\n"
        f"compile(spec).run(run_dir={str(tmp_path / 'run')!r})\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONPATH": str(root / "src")})
