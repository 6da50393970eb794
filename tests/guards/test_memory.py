"""Out of memory says where, how much, and what to change (S-52). The allocations fail in earnest."""

from __future__ import annotations

import pytest
import torch

from guards.specs import SPEC, checked, write_table
from runexp.api.running import Place, run
from runexp.diagnostics import SpecError
from runexp.runtime.explaining import OutOfMemory, asked_for, is_shortage

CODE = """\
import torch
from torch import nn


class Greedy(nn.Module):
    def __init__(self, at: int = 2):
        super().__init__()
        self.at = at
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        if len(x) > self.at:
            return x + torch.empty(2**50)[:4]
        return x * self.scale
"""
GREEDY = {
    "seed: 1": "seed: 1\nimports: [greedy]",
    "  head: {inputs: body": "  greedy: {inputs: body, use: greedy.Greedy}\n  head: {inputs: greedy",
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "greedy.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path)
    return tmp_path


def failed(home, **replaced):
    finished = run(checked(home, replaced=GREEDY | replaced), Place(at=home / "run"), watch=lambda live: ())
    assert isinstance(finished.error, OutOfMemory)
    return finished


def test_a_train_phase_names_step_sizes_and_what_to_change(home):
    """S-52."""
    finished = failed(home)
    message = str(finished.error)
    assert "out of memory in epoch 0, batch 0 of `train`: 4.5e+06 GB more could not be had" in message
    assert "a batch is 8 rows, `all` of d has 40 rows, weights are" in message
    for advice in (
        "`batches: {size: 4}` with `accumulate: 2`",
        "`precision: bf16`",
        "`chunk_size` on `body`, `greedy`, `head`",
        "`checkpoint_activations: true` on",
    ):
        assert advice in message
    assert "`nodes.greedy`" in finished.error.__notes__[0]
    assert "in phase `phases.train`" in finished.error.__notes__[1]
    assert finished.finished.where == "train"
    assert "RuntimeError" not in finished.finished.error


def test_an_evaluation_advises_what_helps_there(home):
    phases = SPEC[SPEC.index("phases:") :]
    evaluating = "phases:\n  test: {kind: eval, split: all, losses: [fit], batch_size: 16}\n"
    message = str(failed(home, **{phases: evaluating}).error)
    assert "out of memory in chunk 0 of `test`" in message
    assert "`batch_size: 8` (the numbers stay the same)" in message
    assert "accumulate" not in message


def test_what_does_not_fit_before_the_first_step_is_a_mistake_of_the_spec(home):
    (home / "greedy.py").write_text(CODE.replace("len(x) > self.at", "True"))
    with pytest.raises(SpecError) as refused:
        run(checked(home, replaced=GREEDY), Place(at=home / "run"), watch=lambda live: ())
    assert "memory" in refused.value.diagnostics[0].message
    assert not (home / "run").exists()


@pytest.mark.parametrize(
    ("error", "n_bytes"),
    [
        (MemoryError(), ""),
        (MemoryError("Unable to allocate 8.00 PiB for an array"), "8.00 PiB"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has"), "2.50 GiB"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 3000000000 bytes."), "3 GB"),
    ],
)
def test_every_way_to_run_out_of_memory_is_known(error, n_bytes):
    assert is_shortage(error)
    assert asked_for(error) == n_bytes


def test_other_errors_are_not_taken_for_it():
    assert not is_shortage(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_shortage(ValueError("out of memory"))
