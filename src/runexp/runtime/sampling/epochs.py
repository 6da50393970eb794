"""A sampler as others use it: a scheme, drawn anew each epoch from (seed, phase, epoch) and cut into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np
import torch
from numpy.random import Generator

from runexp.diagnostics import Diagnostic
from runexp.plan.samplers import SamplerPlan
from runexp.runtime.data.table import Array
from runexp.runtime.sampling.protocol import Drawn
from runexp.runtime.sampling.units import Scheme, Units
from runexp.runtime.seeds import derive_seed


class EpochSampler:
    """Draws an epoch as whole arrays and hands out slices of them (S-07).

    `row_weights` (N,), if given, multiply the weights of the units they are drawn in.
    """

    def __init__(
        self,
        plan: SamplerPlan,
        scheme: Scheme,
        row_weights: Array | None,
        diagnostics: Sequence[Diagnostic],
        seed: tuple[int, str],
    ) -> None:
        self.roles, self.streams = plan.roles, plan.streams
        self.diagnostics = tuple(diagnostics)
        self._name, self._scheme, self._row_weights, self._seed = plan.name, scheme, row_weights, seed
        self._last: tuple[int, tuple[Units, ...]] | None = None
        self.n_rows = sum(sum(self.sizes(stream=stream)) for stream in self.streams)

    def sizes(self, epoch: int = 0, *, stream: str = "") -> list[int]:
        """Units of each batch of an epoch."""
        return self._scheme.sizes(self._generator(epoch))[self._index(stream)]

    def draw(self, epoch: int, *, start: int = 0, stream: str = "") -> Iterator[Drawn]:
        """The batches of an epoch from the `start`-th on."""
        index, sizes = self._index(stream), self.sizes(epoch, stream=stream)
        units = self._units(epoch)[index]
        first, last = sum(sizes[:start]), sum(sizes)
        rows = [torch.from_numpy(column[first:last]).split(sizes[start:]) for column in units.rows]
        weights = self._weights(units)
        of_batches = repeat(None) if weights is None else torch.from_numpy(weights[first:last]).split(sizes[start:])
        for together, weight in zip(zip(*rows, strict=True), of_batches, strict=False):
            yield Drawn(together, weight)

    def _units(self, epoch: int) -> tuple[Units, ...]:
        """The epoch's units, kept while another stream may ask for them."""
        if self._last is not None and self._last[0] == epoch:
            return self._last[1]
        units = self._scheme.epoch(self._generator(epoch))
        if len(self.streams) > 1:
            self._last = (epoch, units)
        return units

    def _weights(self, units: Units) -> Array | None:
        weights = units.weights
        if self._row_weights is not None:
            of_rows = np.prod([self._row_weights[column] for column in units.rows], axis=0)
            weights = of_rows if weights is None else weights * of_rows
        return None if weights is None else weights.astype(np.float32)

    def _generator(self, epoch: int) -> Generator:
        seed, phase = self._seed
        return np.random.default_rng(derive_seed(seed, "sampler", self._name, phase, epoch))

    def _index(self, stream: str) -> int:
        return self.streams.index(stream) if stream else 0
