"""What this machine offers: which libraries load, and the devices torch sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Device:
    """Something torch computes on; `n_bytes` is its memory, 0 where it is not known."""

    name: str
    description: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class TorchFacts:
    """The build of torch (`cpu`, `cuda 13.0`, `rocm 6.4`), its threads, and the devices besides the CPU."""

    build: str
    n_threads: int
    devices: tuple[Device, ...]


def loaded(module: str) -> str:
    """Import a library; why that fails, in one line, or nothing."""
    try:
        import_module(module)
    except Exception as error:  # a broken library raises whatever it likes: that is what is asked here
        lines = str(error).strip().splitlines()
        return f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")
    return ""


def torch_facts() -> TorchFacts | None:
    """What torch says of itself; None where it does not load."""
    if loaded("torch"):
        return None
    torch = import_module("torch")
    return TorchFacts(_build(torch), int(torch.get_num_threads()), tuple(_devices(torch)))


def _build(torch: Any) -> str:  # noqa: ANN401 - a module that may be missing
    if torch.version.cuda:
        return f"cuda {torch.version.cuda}"
    hip = getattr(torch.version, "hip", None)
    return f"rocm {hip}" if hip else "cpu"


def _devices(torch: Any) -> Iterator[Device]:  # noqa: ANN401 - a module that may be missing
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            yield Device(f"cuda:{index}", str(facts.name), int(facts.total_memory))
    if torch.backends.mps.is_available():
        yield Device("mps", "Apple GPU", 0)
