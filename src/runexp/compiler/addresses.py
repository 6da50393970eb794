"""Addresses of a plan's items, taken apart."""

from __future__ import annotations

from runexp.compiler.findings import Path


def path_of_address(address: str) -> Path:
    """A path from an address such as `phases.train.callbacks[0]`."""
    steps: list[str | int] = []
    for step in address.replace("[", ".[").split("."):
        steps.append(int(step[1:-1]) if step.startswith("[") else step)
    return tuple(steps)
