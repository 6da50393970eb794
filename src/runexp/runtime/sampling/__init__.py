"""How rows are drawn: samplers of rows, pairs, triplets and episodes (S-06, S-07)."""

from runexp.runtime.sampling.make import make_sampler
from runexp.runtime.sampling.protocol import Drawn, RowSampler

__all__ = ["Drawn", "RowSampler", "make_sampler"]
