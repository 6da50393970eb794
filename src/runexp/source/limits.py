"""How much a spec may hold: past these numbers it is refused, quickly and by name."""

from __future__ import annotations

from typing import Final

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
MAX_NODES: Final = 50_000
MAX_ALIASES: Final = 1_000
MAX_EXPANDED_NODES: Final = 100_000
MAX_REFERENCES: Final = 10_000
MAX_SCALAR: Final = 64 * 1024
MAX_KEY: Final = 256
MAX_FILES: Final = 64
MAX_DIAGNOSTICS: Final = 100
MAX_INTEGER: Final = 2**64 - 1
MIN_INTEGER: Final = -(2**63)
