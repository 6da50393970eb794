"""A loss that is no longer a finite number: the run ends, or goes on as its spec asks for (S-51)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from runexp.engine.protocol import EpochRecord, TrainProgram
from runexp.events import Event, NonFiniteLossMet
from runexp.plan.guards import OnNan
from runexp.plan.phases import BuiltInPlan, TrainPlan
from runexp.plan.values import FrozenMap

_MOST_TOLD = 20  # events of one phase
_MOST_ROWS = 1000  # of one event
_MOST_SHOWN = 12  # in a message


class NonFiniteLoss(Exception):  # noqa: N818 - it reads as what happened
    """A loss of a batch is NaN or infinite."""


class LossWatch:
    """What a train phase does about losses that are not finite. A `nan_guard` among its callbacks goes before the
    guards of the run."""

    def __init__(
        self,
        plan: TrainPlan,
        program: TrainProgram,
        on_nan: OnNan,
        tell: Callable[[Event], None],
        last_checkpoint: Callable[[], str],
    ) -> None:
        own = [item for item in plan.callbacks if isinstance(item, BuiltInPlan) and item.use == "nan_guard"]
        self.epoch = -1
        self.n_told = 0
        self._spares = any(item.options["on_nan"] != "stop" for item in own) if own else on_nan != "stop"
        self._counts = not own and on_nan != "stop"
        self._phase = plan.label
        self._program = program
        self._on_nan = on_nan
        self._tell = tell
        self._last_checkpoint = last_checkpoint
        if not own:
            program.guard(on_nan, self.meet)

    @property
    def spares(self) -> bool:
        """Whether training goes on after such a loss, so that means leave it out."""
        return self._spares

    def meet(self, name: str, value: float, batch: int) -> None:
        """A loss of a batch of this epoch is not finite: tell it; `NonFiniteLoss` where that ends the run."""
        if self._on_nan == "stop":
            raise self.refusal(name, value, batch)
        self.n_told += 1
        if self.n_told > _MOST_TOLD:
            return
        rows = {key: tuple(ids[:_MOST_ROWS]) for key, ids in self._program.rows(self.epoch, batch).items()}
        event = NonFiniteLossMet(self._phase, self.epoch, batch, name, value, self._on_nan, FrozenMap(rows))
        self._tell(event)

    def check(self, record: EpochRecord) -> Mapping[str, float]:
        """Look at a whole epoch; gives how many batches had such a loss, where training goes on after them."""
        if self._spares:
            n_found = len({batch for _, _, batch in broken(record)}) if self._counts else 0
            return {"nan_batches": float(n_found)} if self._counts else {}
        first = min(broken(record), key=lambda found: found[2], default=None)
        if first is not None:
            raise self.refusal(*first)
        return {}

    def refusal(self, name: str, value: float, batch: int) -> NonFiniteLoss:
        """What to say of a run that ends so: where, with which rows, and what is left."""
        rows = "; ".join(f"{key} {shown(ids)}" for key, ids in self._program.rows(self.epoch, batch).items())
        last = self._last_checkpoint()
        return NonFiniteLoss(
            f"the loss `{name}` is {value} in epoch {self.epoch}, batch {batch} of `{self._phase}`"
            + (f" (rows: {rows})" if rows else "")
            + (f"; the last checkpoint is `{last}`" if last else "")
            + "; a lower learning rate, `clip: {norm: 1.0}` or scaled data may help, and "
            "`guards: {on_nan: skip}` leaves such steps out"
        )


def broken(record: EpochRecord) -> Iterator[tuple[str, float, int]]:
    """Every loss of every batch that is not a finite number: its name, its value, the batch."""
    for name, values in record.columns.items():
        if name == "loss" or name.split("/")[0] == "lr" or math.isfinite(sum(values)):
            continue
        counts = record.counts.get(name)  # what had no rows in a batch has no value there
        for batch, value in enumerate(values):
            if not math.isfinite(value) and (counts is None or counts[batch]):
                yield name, value, batch


def shown(ids: Sequence[object]) -> str:
    """The first of some rows: `3, 17, 4, … 32 in all`."""
    listed = ", ".join(str(one) for one in ids[:_MOST_SHOWN])
    return f"{listed}, … {len(ids)} in all" if len(ids) > _MOST_SHOWN else listed
