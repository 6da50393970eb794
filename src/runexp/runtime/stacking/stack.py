"""The steps of one epoch, taken for several folds at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from runexp.runtime.stacking.drawing import Batch, Part, drawn_together, together
from runexp.runtime.stacking.forward import StackedForward
from runexp.runtime.stacking.held import Held
from runexp.runtime.stacking.losses import total_of
from runexp.runtime.stacking.moving import StackedMover
from runexp.runtime.training import TrainProgram


@dataclass(frozen=True, slots=True)
class Taken:
    """The steps that one fold has taken: each loss by step, their totals, and the learning rates."""

    losses: Sequence[Sequence[float]]
    totals: Sequence[float]
    rates: Sequence[float]

    @property
    def are_sound(self) -> bool:
        """Whether no total is known not to be finite."""
        return isfinite(sum(self.totals))

    def __len__(self) -> int:
        return len(self.totals)


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
        self._moves_always = all(program.n_steps_an_epoch == program.n_batches for program in programs)
        self._held = Held(self._parts)
        self._forward = StackedForward(self._parts[0])
        self._mover = StackedMover(self._parts, self._held)

    @property
    def at(self) -> str:
        """The node or loss that was computed at last."""
        return self._forward.at

    def run_epoch(
        self, epoch: int, n_batches: Sequence[int], *, watch: Callable[[int], None], is_halted: Callable[[], bool]
    ) -> list[Taken]:
        """Take the steps of an epoch, of each fold as many batches as it is said; returns those it took.

        A fold whose batches are at an end waits for the others.
        """
        notes: list[_Note] = []
        for batch, parts in enumerate(drawn_together(self._programs, epoch, n_batches)):
            if batch and is_halted():  # whoever has begun an epoch takes a step of it
                break
            notes += self._step(batch, parts)
            watch(batch + 1)
        return self._record(notes)

    def write(self, program: TrainProgram) -> None:
        """Bring the state of a program's optimizer up to date, for a checkpoint or to go on without the others."""
        self._mover.write(self._programs.index(program))

    def try_step(self, batches: Sequence[Batch]) -> None:
        """The losses of a batch of every fold and their gradients, which nothing keeps."""
        self._backward(0, together(dict(enumerate(batches))))
        for weights in self._held.weights.values():
            weights.grad = None

    def _step(self, batch: int, parts: Sequence[Part]) -> list[_Note]:
        notes = self._backward(batch, parts)
        due = [fold for folds, _ in parts for fold in folds if self._moves_always or self._programs[fold].is_due(batch)]
        if due:
            self._mover.update(due)
        return notes

    def _backward(self, batch: int, parts: Sequence[Part]) -> list[_Note]:
        """Gradients of all folds."""
        totals: list[Tensor] = []
        notes: list[_Note] = []
        for folds, columns in parts:
            is_whole = len(folds) == self._held.n_folds
            values, copies = (self._held.values, {}) if is_whole else self._held.of(folds)
            losses = self._forward(values, columns)
            self._held.put_back(folds, copies)
            total = total_of(losses, self._weights(folds, len(losses)))
            notes.append(_Note(folds, torch.stack([*losses, total]).detach(), self._mover.rates(folds)))
            if not self._moves_always:
                total = total_of([total], [[self._programs[fold].share(batch) for fold in folds]])
            totals.append(total.sum())
        torch.stack(totals).sum().backward() if len(totals) > 1 else totals[0].backward()
        return notes

    def _weights(self, folds: Sequence[int], n_losses: int) -> list[list[float]]:
        return [[self._parts[fold].weights.now[loss] for fold in folds] for loss in range(n_losses)]

    def _record(self, notes: Sequence[_Note]) -> list[Taken]:
        """The steps of each fold, by loss; what is on a device is read at once."""
        steps: list[list[Sequence[float]]] = [[] for _ in self._parts]
        rates: list[list[float]] = [[] for _ in self._parts]
        numbers = _read([note.losses for note in notes])
        for note, by_fold in zip(notes, numbers, strict=True):
            for fold, rate, own in zip(note.folds, note.rates, by_fold, strict=True):
                steps[fold].append(own)
                rates[fold].append(rate)
        taken = []
        for parts, own_steps, own_rates in zip(self._parts, steps, rates, strict=True):
            *losses, totals = map(list, zip(*own_steps, strict=True))
            parts.record.add_numbers(losses, totals, own_rates)
            taken.append(Taken(losses, totals, own_rates))
        return taken


def _read(losses: Sequence[Tensor]) -> list[list[list[float]]]:
    """The numbers of each tensor (L, F), by fold and loss."""
    flat = torch.cat([one.T.flatten() for one in losses]).tolist()
    found: list[list[list[float]]] = []
    start = 0
    for one in losses:
        n_losses, n_folds = one.shape
        end = start + n_losses * n_folds
        found.append([flat[first : first + n_losses] for first in range(start, end, n_losses)])
        start = end
    return found
