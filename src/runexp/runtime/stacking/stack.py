"""The steps of one epoch, taken for several folds at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from runexp.runtime.stacking.forward import StackedForward
from runexp.runtime.stacking.held import Held
from runexp.runtime.stacking.losses import total_of
from runexp.runtime.stacking.moving import StackedMover
from runexp.runtime.training import TrainProgram

Batch = Sequence[Tensor]


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that one fold has taken: each loss, their total, and the learning rate."""

    losses: Sequence[float]
    total: float
    rate: float


@dataclass(frozen=True, slots=True)
class _Note:
    """The losses of one step, then the total, by fold (L + 1, F); the folds and their rates."""

    folds: Sequence[int]
    losses: Tensor
    rates: Sequence[float]


class Stack:
    """Train programs that are alike, one a fold. Whoever leaves needs a new stack: `write` its state before."""

    def __init__(self, programs: Sequence[TrainProgram]) -> None:
        self._programs = programs
        self._parts = [program.parts for program in programs]
        self._held = Held(self._parts)
        self._forward = StackedForward(self._parts[0])
        self._mover = StackedMover(self._parts, self._held)

    @property
    def at(self) -> str:
        """The node or loss that was computed at last."""
        return self._forward.at

    def run_epoch(
        self, epoch: int, n_batches: Sequence[int], *, watch: Callable[[int], None], is_halted: Callable[[], bool]
    ) -> list[list[Taken]]:
        """Take the steps of an epoch, of each fold as many batches as it is said; returns those it took.

        A fold whose batches are at an end waits for the others.
        """
        drawing = [program.draw(epoch) for program in self._programs]
        notes: list[_Note] = []
        for batch in range(max(n_batches)):
            if batch and is_halted():  # whoever has begun an epoch takes a step of it
                break
            folds = [fold for fold, n_own in enumerate(n_batches) if batch < n_own]
            notes += self._step(batch, {fold: next(drawing[fold]) for fold in folds})
            watch(batch + 1)
        return self._record(notes)

    def write(self, program: TrainProgram) -> None:
        """Bring the state of a program's optimizer up to date, for a checkpoint or to go on without the others."""
        self._mover.write(self._programs.index(program))

    def try_step(self, batches: Sequence[Batch]) -> None:
        """The losses of a batch of every fold and their gradients, which nothing keeps."""
        self._backward(0, dict(enumerate(batches)))
        for weights in self._held.weights.values():
            weights.grad = None

    def _step(self, batch: int, batches: Mapping[int, Batch]) -> list[_Note]:
        notes = self._backward(batch, batches)
        due = [fold for fold in batches if self._programs[fold].is_due(batch)]
        if due:
            self._mover.update(due)
        return notes

    def _backward(self, batch: int, batches: Mapping[int, Batch]) -> list[_Note]:
        """Gradients of all folds. Those whose batches have as many rows go together: no row is made up, so that a mean
        or a normalisation over the batch is what it is alone."""
        totals: list[Tensor] = []
        notes: list[_Note] = []
        for folds in _alike(batches):
            is_whole = len(folds) == self._held.n_folds
            values, copies = (self._held.values, {}) if is_whole else self._held.of(folds)
            columns = [torch.stack(column) for column in zip(*[batches[fold] for fold in folds], strict=True)]
            losses = self._forward(values, columns)
            self._held.put_back(folds, copies)
            total = total_of(losses, self._weights(folds, len(losses)))
            rates = [self._parts[fold].mover.rate for fold in folds]
            notes.append(_Note(folds, torch.stack([*losses, total]).detach(), rates))
            totals.append(total_of([total], [[self._programs[fold].share(batch) for fold in folds]]).sum())
        torch.stack(totals).sum().backward() if len(totals) > 1 else totals[0].backward()
        return notes

    def _weights(self, folds: Sequence[int], n_losses: int) -> list[list[float]]:
        return [[self._parts[fold].weights.now[loss] for fold in folds] for loss in range(n_losses)]

    def _record(self, notes: Sequence[_Note]) -> list[list[Taken]]:
        taken: list[list[Taken]] = [[] for _ in self._parts]
        for note in notes:
            for fold, rate, (*losses, total) in zip(note.folds, note.rates, note.losses.T.tolist(), strict=True):
                self._parts[fold].record.add_numbers(losses, total, rate)
                taken[fold].append(Taken(losses, total, rate))
        return taken


def _alike(batches: Mapping[int, Batch]) -> list[list[int]]:
    """The folds by the rows of their batch."""
    sizes: dict[int, list[int]] = {}
    for fold, batch in batches.items():
        sizes.setdefault(len(batch[0]), []).append(fold)
    return list(sizes.values())
