"""How much memory there is, and how much this process holds of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from runexp.runtime.callbacks.memory import peak_bytes

_CGROUP = Path("/sys/fs/cgroup/memory.max")


def memory_of(device: torch.device) -> int:
    """Bytes of memory of a device; of the CPU what its container may use."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        limit = _CGROUP.read_text(encoding="ascii").strip() if _CGROUP.exists() else "max"
    except (ValueError, OSError):
        return 0
    return min(physical, int(limit)) if limit.isdecimal() else physical


def held_bytes() -> int:
    """The resident set of this process; where the system tells no more, the most it has held."""
    if not sys.platform.startswith("linux"):
        return peak_bytes()
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
