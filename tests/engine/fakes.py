"""A runtime without torch: its weight counts updates, its numbers are written down beforehand."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runexp.engine.protocol import EpochRecord, ExecutionContext
from runexp.plan.phases import EvalPlan, FitPlan, TrainPlan

Numbers = Mapping[str, float]


class FakeRuntime:
    """Every split has `n_rows` rows. `measured` gives the numbers of each evaluation, by its label, in turn.

    The losses of batch k, counted over the whole run, are 1 - k / 100. `fails_at` is the batch that raises;
    `during` and `at_chunk` are called with the number of the batch or chunk.
    """

    device = "fake"

    def __init__(
        self,
        measured: Mapping[str, Sequence[Numbers]] | None = None,
        *,
        n_rows: int = 6,
        fails_at: int = -1,
        during: Callable[[int], None] = lambda k: None,
        at_chunk: Callable[[int], None] = lambda k: None,
    ) -> None:
        self.n_rows = n_rows
        self.fails_at = fails_at
        self.during = during
        self.at_chunk = at_chunk
        self.weight = 0
        self.n_taken = 0
        self.is_training = False
        self.seeded: list[str] = []
        self.seen: list[Numbers] = []
        self.estimators: list[str] = []
        self._measured = {label: iter(numbers) for label, numbers in (measured or {}).items()}

    def seed(self, label: str) -> None:
        self.seeded.append(label)

    def open_train(self, plan: TrainPlan) -> FakeTraining:
        self.is_training = True
        return FakeTraining(plan, self)

    def open_eval(self, plan: EvalPlan) -> FakeEvaluation:
        return FakeEvaluation(plan, self)

    def open_fit(self, plan: FitPlan) -> FakeFit:
        return FakeFit(plan, self)

    def snapshot(self, nodes: tuple[str, ...] | None = None) -> Any:
        return (self.weight, nodes is None, tuple(self.estimators))

    def restore(self, snapshot: Any) -> None:
        self.weight, is_whole, estimators = snapshot
        if is_whole:
            self.estimators = list(estimators)

    def set_random_state(self, state: Any) -> None:
        self.seeded.append(f"as {state}")

    def explained(self, error: Exception, phase: Any, live: Any) -> Exception:
        return error

    def next_numbers(self, label: str) -> Numbers:
        return next(self._measured[label])


class FakeTraining:
    """Adds one to the weight at each update; batches are lists of row numbers."""

    def __init__(self, plan: TrainPlan, runtime: FakeRuntime) -> None:
        size = plan.batches.size
        self._plan = plan
        self._runtime = runtime
        self._batches = [list(range(n, min(n + size, runtime.n_rows))) for n in range(0, runtime.n_rows, size)]
        self._losses = array("d")
        self._sizes = array("q")
        self.n_rows = runtime.n_rows
        self.n_batches = len(self._batches)
        self.n_steps_an_epoch = -(-self.n_batches // plan.accumulate)

    def draw(self, epoch: int, start: int = 0) -> Iterator[list[int]]:
        yield from self._batches[start:]

    def step(self, context: ExecutionContext) -> None:
        runtime = self._runtime
        if runtime.n_taken == runtime.fails_at:
            raise ValueError("the numbers are off")
        runtime.during(runtime.n_taken)
        self._losses.append(1 - runtime.n_taken / 100)
        self._sizes.append(len(context.batches))
        runtime.n_taken += 1
        if (context.batch + 1) % self._plan.accumulate == 0 or context.batch + 1 == self.n_batches:
            runtime.weight += 1

    def take_record(self) -> EpochRecord:
        losses, sizes = self._losses, self._sizes
        self._losses, self._sizes = array("d"), array("q")
        names = [*(loss.name for loss in self._plan.losses), "loss"]
        columns = {name: losses for name in names} | {"lr": array("d", [0.5] * len(losses))}
        return EpochRecord(sizes, columns)

    def latest(self) -> Numbers:
        return {"loss": self._losses[-1], "lr": 0.5} if self._losses else {}

    def guard(self, on_nan: str, meet: Callable[[str, float, int], None]) -> None:
        pass

    def rows(self, epoch: int, batch: int) -> Mapping[str, Sequence[Any]]:
        return {"d": self._batches[batch]}

    def after_epoch(self, measured: Numbers) -> None:
        self._runtime.seen.append(dict(measured))

    def state(self) -> Numbers:
        return {"updates": self._runtime.weight, "losses": self._losses, "sizes": self._sizes}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._losses, self._sizes = state["losses"], state["sizes"]

    def close(self) -> None:
        self._runtime.is_training = False


class FakeEvaluation:
    """Gives the next numbers written down for its label."""

    def __init__(self, plan: EvalPlan, runtime: FakeRuntime) -> None:
        self._plan = plan
        self._runtime = runtime
        self._n_done = 0
        self.n_rows = runtime.n_rows
        self.n_batches = -(-runtime.n_rows // plan.batch_size)

    def draw(self) -> Iterator[int]:
        self._n_done = 0
        yield from range(self.n_batches)

    def step(self, context: ExecutionContext) -> None:
        self._runtime.at_chunk(self._n_done)
        self._n_done += 1

    def finish(self) -> Numbers:
        assert self._n_done == self.n_batches
        return self._runtime.next_numbers(self._plan.label)


class FakeFit:
    """Notes which estimators were fitted."""

    def __init__(self, plan: FitPlan, runtime: FakeRuntime) -> None:
        self._plan = plan
        self._runtime = runtime
        self.n_rows = runtime.n_rows

    def draw(self) -> Iterator[None]:
        yield None

    def step(self, context: ExecutionContext) -> None:
        self._runtime.estimators += self._plan.nodes


@dataclass
class FakeStore:
    """Checkpoints as names; `kept` are those not removed."""

    kept: list[str] = field(default_factory=list)
    pointers: dict[str, str] = field(default_factory=dict)

    def save(self, phase: str, name: str, state: Mapping[str, Any], program: Any) -> str:
        self.kept.append(f"{phase}/{name}")
        return self.kept[-1]

    def remove(self, name: str) -> None:
        self.kept.remove(name)

    def point(self, phase: str, pointers: Mapping[str, str]) -> None:
        self.pointers = dict(pointers)
