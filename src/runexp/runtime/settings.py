"""The settings of torch that an experiment asks for: enforced determinism, an allocator, a compiler that works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.experiment import ExecutionPlan
from runexp.runtime.data.problems import first_line


@contextmanager
def settled(plan: ExecutionPlan) -> Iterator[None]:
    """Hold the settings of an experiment, and put back what was there. cuBLAS and the allocator of CUDA read theirs
    when the device is first used: those stay for the process."""
    if plan.allocator == "expandable_segments" and not torch.cuda.is_initialized():
        os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    if not plan.deterministic:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    was, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn
    flags = cudnn.deterministic, cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was, warn_only=warns)
        cudnn.deterministic, cudnn.benchmark = flags


def share_threads(n_threads: int) -> None:
    """Let torch compute in so many threads; 0 leaves it as it is."""
    if n_threads:
        torch.set_num_threads(n_threads)


def check_compiler(device: torch.device) -> None:
    """Compile something small; `SpecError` where torch.compile cannot, which often is for want of a C++ compiler."""
    try:
        torch.compile(lambda value: value * 2 + 1)(torch.ones(2, device=device))
    except Exception as error:
        message = f"torch.compile does not work here: {first_line(error)}"
        help = "it needs a C++ compiler on a CPU and Triton on a GPU; without `compile` the numbers are the same"
        raise SpecError([Diagnostic("wrong-value", message, help=help, path="execution.compile")]) from error
