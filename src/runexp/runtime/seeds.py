"""Every random choice has its own seed, derived from the experiment's one and from what it is for."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: object) -> int:
    """A seed of 63 bits that depends on the `repr` of every part and on nothing else."""
    text = "\x1f".join(repr(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
