"""How much memory was held at most."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

import torch

_resource: Any = importlib.import_module("resource") if importlib.util.find_spec("resource") else None  # not on Windows


def held_bytes() -> int:
    """The most that the process has held so far, or on a GPU its device; 0 where the system does not tell."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    return peak_bytes()


def peak_bytes() -> int:
    """The most that the process has held so far, whatever the device; 0 where the system does not tell."""
    if _resource is None:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return int(_resource.getrusage(_resource.RUSAGE_SELF).ru_maxrss) * unit
