"""How much memory was held at most."""

from __future__ import annotations

import sys

import torch

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]  # the one name for both


def held_bytes() -> int:
    """The most that the process has held so far, or on a GPU its device; 0 where the system does not tell."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    if resource is None:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
