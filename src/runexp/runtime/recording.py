"""What the steps of a train phase gave: losses and rates, batch by batch."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from runexp.engine.protocol import EpochRecord

_BLOCK = 256
"""Losses of so many batches are read at once off the CPU: what is kept does not grow, and NaN is found soon."""


class StepRecord:
    """The losses and rates of the batches so far. Off the CPU, tensors are kept and read once an epoch."""

    def __init__(
        self, names: Sequence[str], device: torch.device, *, is_plain: bool, optimizers: Sequence[str] = ()
    ) -> None:
        self._names = names
        self._is_plain = is_plain
        self._keeps_tensors = device.type != "cpu"
        self._nothing = torch.tensor(math.nan, device=device)
        self._tensors: list[Tensor] = []
        self._n_looked_at = 0
        self._counts: list[array[int]] = [array("q") for _ in names]
        self._values: list[array[float]] = [array("d") for _ in [*names, "loss"]]
        self._rates = array("d")
        self._others: dict[str, array[float]] = {f"lr/{name}": array("d") for name in optimizers}

    @property
    def reads_at_once(self) -> bool:
        """Whether losses are read at every step."""
        return not self._keeps_tensors

    def read_at_once(self) -> None:
        """Know of every batch whether its loss is finite; off the CPU it costs a synchronisation a step."""
        self._keeps_tensors = False

    def add(self, losses: Sequence[Tensor], total: Tensor, rate: float) -> bool:
        """Note one batch; False where a loss is known not to be finite, of this batch or one before.

        On a CPU reading a loss costs less than keeping it.
        """
        self._rates.append(rate)
        if self._keeps_tensors:
            self._tensors.append(torch.stack([*losses, total]).detach())
            return len(self._tensors) < _BLOCK or self._read()
        value = 0.0
        for values, loss in zip(self._values, losses, strict=False):
            values.append(value := loss.item())
        if not self._is_plain:
            self._values[-1].append(value := total.item())
        return value - value == 0.0

    def add_numbers(self, losses: Sequence[Sequence[float]], totals: Sequence[float], rates: Sequence[float]) -> None:
        """Note batches whose losses were read already: by loss, and by batch."""
        self._rates.extend(rates)
        for values, own in zip(self._values, losses, strict=False):
            values.extend(own)
        if not self._is_plain:
            self._values[-1].extend(totals)

    def add_partly(
        self, losses: Sequence[Tensor | None], total: Tensor | None, n_rows: Sequence[int], rate: float
    ) -> bool:
        """The same for a batch with the rows that each loss counted; not a number stands for a loss that had none."""
        for counts, n in zip(self._counts, n_rows, strict=True):
            counts.append(n)
        written = [self._nothing if loss is None else loss.detach() for loss in (*losses, total)]
        return self.add(written[:-1], written[-1], rate) or total is None

    def broken(self) -> Iterator[tuple[str, float, int]]:
        """Every loss that is not finite, with its value and batch, of the batches that were not looked at before."""
        self._read()
        first, self._n_looked_at = self._n_looked_at, len(self._values[0])
        for batch in range(first, self._n_looked_at):
            counted = [
                (name, values[batch])
                for name, values, counts in zip(self._names, self._values, self._counts, strict=False)
                if not counts or counts[batch]
            ]
            found = [(name, value, batch) for name, value in counted if not math.isfinite(value)]
            total = 0.0 if self._is_plain or not counted else self._values[-1][batch]
            yield from found or ([("loss", total, batch)] if not math.isfinite(total) else [])

    def add_rates(self, rates: Sequence[float]) -> None:
        """Note the rates of a step in which several optimizers had their turns."""
        for noted, rate in zip(self._others.values(), rates, strict=True):
            noted.append(rate)

    def take(self, sizes: Sequence[int], weights: Mapping[str, float], numbers: Mapping[str, float]) -> EpochRecord:
        """What was noted since the last call; `weights` of the losses, and `numbers` of the epoch as a whole."""
        self._read()
        self._n_looked_at = 0
        columns = dict(zip([*self._names, "loss"], self._values, strict=True))
        columns["loss"] = columns["loss"] or array("d", columns[self._names[0]])
        columns["lr"] = self._rates
        columns |= self._others
        rows = array("q", sizes[: len(self._rates)])
        counts = {name: counted for name, counted in zip(self._names, self._counts, strict=True) if counted}
        self._counts = [array("q") for _ in self._counts]
        self._values = [array("d") for _ in self._values]
        self._rates = array("d")
        self._others = {name: array("d") for name in self._others}
        return EpochRecord(rows, columns, counts, weights if counts else {}, numbers)

    def latest(self) -> Mapping[str, float]:
        """The newest total and rate; empty before the first batch."""
        tensors, rates = self._tensors, self._rates
        totals = self._values[0] if self._is_plain else self._values[-1]
        if tensors and rates:
            return {"loss": float(tensors[-1][-1]), "lr": rates[-1]}
        return {"loss": totals[-1], "lr": rates[-1]} if totals and rates else {}

    def state(self) -> Mapping[str, Any]:
        """What was noted since the last `take`."""
        self._read()
        return {
            "values": list(self._values),
            "counts": list(self._counts),
            "rates": self._rates,
            "others": dict(self._others),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Note what `state` told."""
        self._values, self._counts, self._rates = list(state["values"]), list(state["counts"]), state["rates"]
        self._others = dict(state["others"])
        self._n_looked_at = len(self._values[0])

    def _read(self) -> bool:
        """Read what was kept; whether all of it is finite, as far as is known."""
        if not self._tensors:
            return True
        columns = torch.stack(self._tensors).T.tolist()
        for values, numbers in zip(self._values, columns, strict=True):
            values.extend(numbers)
        self._tensors = []
        return math.isfinite(sum(map(sum, columns)))
