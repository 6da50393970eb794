"""A finished training made longer: a new run that has come as far as the old one had at its last epoch."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from runexp.api.checking import Checked, check
from runexp.api.opening import METRICS
from runexp.api.progress import END, saved_mark, told_before
from runexp.api.recording import WRITTEN, resolved_yaml, written_yaml
from runexp.api.redaction import redacted
from runexp.api.resuming import EVENTS, BrokenOff, CannotResume, as_it_began, is_complete
from runexp.diagnostics import Diagnostic, Span, SpecError, did_you_mean
from runexp.events import Event, PhaseFinished, PhaseStarted, RunStarted
from runexp.observe.event_log import encode, read_events
from runexp.plan.experiment import Plan, digest, dump, walk
from runexp.plan.phases import GroupPlan, TrainPlan
from runexp.source.nodes import COMMAND_LINE
from runexp.store.atomic import is_aside, make_folders, write_atomically
from runexp.store.checkpoints import MANIFEST, CheckpointFolder
from runexp.store.find_checkpoint import FINAL
from runexp.store.locks import LOCK
from runexp.store.records import LOCK_FILE, SUMMARY
from runexp.store.run_folder import RunFolder
from runexp.store.status import STATUS, utc_now

Curves = Literal["extend", "keep"]
"""What becomes of schedules that run over the phase: they run over its new length, or stay at their end."""

# What the new run writes anew, or has of its own.
_OWN = frozenset({
    "resolved.yaml", WRITTEN, "plan.json", LOCK_FILE, LOCK, EVENTS, STATUS, SUMMARY, METRICS, "metrics.csv",
    "annotations.json", "checkpoints", "progress",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Extension:
    """A length of the command line, `phases.train.epochs=50`: where it stands there, and the phase it is of."""

    address: str
    line: int
    phase: TrainPlan

    @property
    def unit(self) -> Literal["epochs", "steps"]:
        """What the phase is counted in."""
        return "epochs" if self.phase.n_epochs else "steps"

    @property
    def was(self) -> int:
        """Its length so far."""
        return self.phase.n_epochs or self.phase.n_steps


def extend(folder: Path, changes: Sequence[str], *, curves: Curves, runs: Path) -> BrokenOff:
    """A new run, made from a finished one, that goes on with its last training to another length.

    `changes` are lengths as `phases.train.epochs=50`. `SpecError`, located on the command line, for what is no length,
    no longer than it was, or cannot go on; `CannotResume` for a run that cannot be extended at all.
    """
    if not is_complete(folder):
        raise CannotResume(f"{folder} is not complete: go on with it first, without --extend")
    old = as_it_began(folder)
    plan = old.checked.linked
    found = [_extension(plan, change, line) for line, change in enumerate(changes, 1)]
    if plan.cv is not None and found:
        message = f"the folds of `{plan.name}` cannot be extended: each is a run of its own, and its end was not kept"
        hint = f"run the spec anew with --set {changes[0]}; `resume` goes on with folds that were broken off"
        raise _refused(found[-1], message, hint)
    last = [phase for phase in walk(plan.phases) if isinstance(phase, TrainPlan)][-1]
    for one in found:
        _check_last(one, last)
    one = found[-1]
    end = _end_of(folder, plan, one)
    kept = list(_kept(plan, one)) if curves == "keep" else []
    checked = check(folder / WRITTEN, overrides=[*changes, *kept], folder=old.checked.folder)
    if not checked.is_valid:
        raise SpecError(checked.diagnostics)
    longer = checked.linked.phase(one.phase.label)
    assert isinstance(longer, TrainPlan)  # only its length has changed
    _check_longer(one, longer)
    parent = folder.resolve().parent
    place = parent.parent if parent.name == plan.name else runs
    with RunFolder.create(place, plan.name, now=utc_now()) as made:
        told = ", ".join(changes) + ("" if curves == "extend" else ", schedules as they were")
        _Copy(folder, end, old, made).write(checked, longer, told)
        return as_it_began(made.path)


def _extension(plan: Plan, change: str, line: int) -> _Extension:
    address = change.partition("=")[0].strip()
    owner, _, unit = address.rpartition(".")
    trained = {phase.origin.path: phase for phase in walk(plan.phases) if isinstance(phase, TrainPlan)}
    phase = trained.get(owner)
    if phase is None or unit != ("epochs" if phase.n_epochs else "steps"):
        lengths = [f"{path}.{'epochs' if one.n_epochs else 'steps'}" for path, one in trained.items()]
        hint = did_you_mean(address, lengths, kind="lengths")
        raise _wrong(line, address, f"`{address}` is not the length of a train phase", hint, code="unknown-path")
    return _Extension(address, line, phase)


def _check_last(one: _Extension, last: TrainPlan) -> None:
    if one.phase.label != last.label:
        message = f"`{one.phase.label}` cannot be extended: `{last.label}` trained after it, with what it gave"
        raise _refused(one, message, "the last training of a run can be made longer; run the spec anew for another")


def _check_longer(one: _Extension, longer: TrainPlan) -> None:
    length = longer.n_epochs or longer.n_steps
    if length <= one.was:
        message = f"`{one.phase.label}` has trained for {one.was} {one.unit}, and {length} is no more"
        raise _refused(one, message, "a training can only be made longer")
    call = longer.schedule.call if longer.schedule else None
    if call is not None and {"total_steps", "steps_per_epoch"} & call.arguments.keys():
        message = f"the schedule of `{one.phase.label}`, `{call.name}`, was made for a number of updates"
        raise _refused(one, message, "schedules of runexp run over the phase, whatever its length")


def _end_of(folder: Path, plan: Plan, one: _Extension) -> Path:
    """The state after the last epoch of the phase; refuses where there is none, or where more epochs change nothing."""
    leaves = [phase for phase in walk(plan.phases) if not isinstance(phase, GroupPlan)]
    progress = CheckpointFolder(folder / "progress")
    name = f"{END}{[leaf.label for leaf in leaves].index(one.phase.label):03d}"
    if not progress.verify(name):
        raise _refused(one, f"{folder} holds no whole state of the end of `{one.phase.label}`", "run the spec anew")
    told = [stamped.event for stamped in read_events(folder / EVENTS)]
    label = one.phase.label
    finished = next(event for event in told if isinstance(event, PhaseFinished) and event.phase == label)
    if finished.by:
        message = f"`{one.phase.label}` was stopped by `{finished.by}` before its length was reached"
        raise _refused(one, message, "with more epochs it would have stopped there too")
    started = next(event for event in told if isinstance(event, PhaseStarted) and event.phase == label)
    n_steps_an_epoch = -(-started.n_batches // one.phase.accumulate)
    if one.phase.n_steps % n_steps_an_epoch:
        message = f"`{one.phase.label}` ended amid an epoch, after {one.phase.n_steps} steps of {n_steps_an_epoch} each"
        raise _refused(one, message, "what an epoch ends with was told of half of one: run the spec anew")
    return progress.path(name)


def _kept(plan: Plan, one: _Extension) -> Iterator[str]:
    """The overrides by which curves keep the length they had."""
    schedule = one.phase.schedule
    has_curve = schedule is not None and schedule.call is None and schedule.curve != "plateau"
    if schedule is not None and has_curve and not (schedule.n_epochs or schedule.n_steps):
        yield f"{schedule.origin.path}.{one.unit}={one.was}"
    for loss in one.phase.losses:
        if loss.curve is None or loss.curve.n_epochs:
            continue
        others = [phase for phase in walk(plan.phases) if isinstance(phase, TrainPlan) and phase != one.phase]
        if one.unit == "steps" or any(loss.origin == other.origin for phase in others for other in phase.losses):
            message = f"the weight of `{loss.name}` runs over the phase, and cannot be kept as it was"
            raise _refused(one, message, "give it a length of its own (`epochs:`) in the spec")
        yield f"{loss.origin.path}.weight.epochs={one.was}"


@dataclass(frozen=True, slots=True)
class _Copy:
    """What of the old run the new one begins with."""

    source: Path
    end: Path
    old: BrokenOff
    made: RunFolder

    def write(self, checked: Checked, longer: TrainPlan, told: str) -> None:
        """Everything but the lock, then the lock: without it the new run has not begun."""
        for path in self.source.iterdir():
            if path.name not in _OWN and not is_aside(path):
                self._copy(path.name)
        self.made.write("resolved.yaml", resolved_yaml(checked))
        self.made.write(WRITTEN, written_yaml(checked))
        plan = json.dumps(redacted(dump(checked.linked), checked.document), indent=1, ensure_ascii=False)
        self.made.write("plan.json", plan + "\n")
        mark = saved_mark(self.end)
        log = b"".join(self._events(mark.sequence, checked.linked, longer))
        self.made.write(EVENTS, log)
        self._copy_checkpoints(mark.sequence)
        progress, offset = self.made.progress(), {"offset": len(log), "sequence": mark.sequence}
        progress.save("000000", partial(_copied_state, self.end, changed={"log": offset}))
        source = self.source.resolve()
        extends = {"run": source.name, "name": source.parent.name, "folder": str(source), "changes": told}
        made = {**self.old.lock["made"], "argv": sys.argv}
        lock = {**self.old.lock, "plan": digest(checked.linked), "extends": extends, "made": made}
        write_atomically(self.made.path / LOCK_FILE, json.dumps(lock, indent=2) + "\n")
        self.made.status.update("interrupted")

    def _copy(self, name: str) -> None:
        source, target = self.source / name, self.made.inside(name)
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.is_file():
            shutil.copyfile(source, target)

    def _events(self, until: int, plan: Plan, longer: TrainPlan) -> Iterator[bytes]:
        """What had been told, as a run of the new length would have."""
        for stamped in read_events(self.source / EVENTS):
            if stamped.sequence < until:
                yield encode(replace(stamped, event=_as_of(stamped.event, plan, longer)))

    def _copy_checkpoints(self, until: int) -> None:
        old, new = CheckpointFolder(self.source / "checkpoints"), self.made.checkpoints()
        for name in old.all_names():
            mark = told_before(old.path(name))
            is_later = name == FINAL if mark is None else mark.sequence >= until
            if not is_later:
                make_folders(new.path(name).parent)
                new.save(name, partial(_copied_state, old.path(name), changed={"log": None}))


def _as_of(event: Event, plan: Plan, longer: TrainPlan) -> Event:
    if isinstance(event, RunStarted):
        return replace(event, plan=digest(plan))
    if isinstance(event, PhaseStarted) and event.phase == longer.label:
        n_steps = longer.n_steps or event.n_steps // event.n_epochs * longer.n_epochs
        return replace(event, n_epochs=longer.n_epochs, n_steps=n_steps)
    return event


def _copied_state(source: Path, aside: Path, *, changed: dict[str, Any]) -> None:
    """Copy the files of a checkpoint with other plain values in its state; the log it was told of is another's."""
    for path in source.iterdir():
        if path.is_dir():
            shutil.copytree(path, aside / path.name)
        elif path.name not in (MANIFEST, "state.json"):
            shutil.copyfile(path, aside / path.name)
    state = json.loads((source / "state.json").read_text(encoding="utf-8"))
    (aside / "state.json").write_text(json.dumps(state | changed, indent=1), encoding="utf-8")


def _refused(one: _Extension, message: str, hint: str) -> SpecError:
    return _wrong(one.line, one.address, message, hint)


def _wrong(line: int, address: str, message: str, hint: str, *, code: str = "wrong-value") -> SpecError:
    span = Span(COMMAND_LINE, line, 1, line, max(len(address), 1) + 1)
    return SpecError([Diagnostic(code, message, span, help=hint, path=address)])
