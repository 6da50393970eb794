"""A spec tried on its data without training anything: what would go wrong in a run, and how much it would take."""

from runexp.runtime.deep.check import Deep, deep_check
from runexp.runtime.deep.sizes import DataSize, PhaseSize, Sizes

__all__ = ["DataSize", "Deep", "PhaseSize", "Sizes", "deep_check"]
