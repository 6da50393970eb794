"""The experiment: decides when. It runs the phases of a plan on a runtime and yields what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.callbacks import judges, make_callback
from runexp.engine.checkpoints import CheckpointRule, Held
from runexp.engine.control import Control
from runexp.engine.course import Course, Resumed
from runexp.engine.experiment_hooks import ExperimentHooks
from runexp.engine.kept import Kept
from runexp.engine.live import Live
from runexp.engine.once import EvalPhase, FitPhase
from runexp.engine.phases import TrainPhase
from runexp.engine.protocol import ExecutionContext, ProgressStore, RunCheckpointStore, Runtime, Told, TrainProgram
from runexp.engine.run_checkpoints import RunCheckpointRule
from runexp.engine.shortening import earlier, shortened
from runexp.engine.surroundings import Surroundings
from runexp.engine.view import Callback
from runexp.events import (
    BatchFinished,
    Event,
    GroupFinished,
    GroupStarted,
    PhaseFinished,
    PhaseStarted,
    RunFinished,
    RunStarted,
    Status,
    WarningRaised,
)
from runexp.plan.experiment import Plan, digest, walk
from runexp.plan.phases import (
    CallbackPlan,
    EarlyStoppingPlan,
    EvalPlan,
    EvaluationPlan,
    FitPlan,
    GroupPlan,
    MadePlan,
    PhasePlan,
    RunMoment,
    TrainPlan,
)
from runexp.plan.values import FrozenMap


class Experiment:
    """One execution of a plan. `wants` are the event types that sinks ask for beyond the usual.

    With `resumed` it goes on where another ended; `progress` takes what the next would need for that.
    """

    def __init__(
        self,
        plan: Plan,
        runtime: Runtime,
        *,
        checkpoints: RunCheckpointStore | None = None,
        progress: ProgressStore | None = None,
        resumed: Resumed | None = None,
        control: Control | None = None,
        live: Live | None = None,
        wants: frozenset[type] = frozenset(),
    ) -> None:
        self.live = live or Live()
        self.control = control or Control()
        self.error: Exception | None = None
        self._plan = plan
        self._runtime = runtime
        self._checkpoints = checkpoints
        self._course = Course(progress, self.control, resumed)
        self._resumed = resumed
        self._is_cut = False
        self._wants_batches = BatchFinished in wants
        self._hooks = ExperimentHooks(())
        self._run_rule = RunCheckpointRule(None, None)

    def run(self) -> Iterator[Event]:
        """Run every phase; ends in exactly one `RunFinished`. What it failed of is then in `error`."""
        yield from self._run_part(self._plan.phases, self._plan.callbacks)

    def run_phase(self, label: str, *, n_epochs: int = 0, n_steps: int = 0) -> Iterator[Event]:
        """Run one phase or group, shortened if asked. `KeyError` for an unknown label."""
        phase = shortened(self._plan.phase(label), n_epochs=n_epochs, n_steps=n_steps)
        yield from self._run_part((phase,), self._plan.callbacks)

    def preview_phase(
        self, label: str, *, n_epochs: int = 0, n_steps: int = 0, with_earlier: bool = False
    ) -> Iterator[Event]:
        """Run one phase or group and restore everything, on every way out; saves no checkpoint (S-30).

        With `with_earlier` the phases before it run first, at their full length, and are taken back too.
        """
        phase = shortened(self._plan.phase(label), n_epochs=n_epochs, n_steps=n_steps)
        phases = (*earlier(self._plan.phases, label), phase) if with_earlier else (phase,)
        before = self._runtime.snapshot()
        kept, self._checkpoints, self._course = (
            (self._checkpoints, self._course),
            None,
            Course(None, self.control, None),
        )
        try:
            yield from self._run_part(phases)
        finally:
            self._checkpoints, self._course = kept
            self._runtime.restore(before)

    def _run_part(self, phases: tuple[PhasePlan, ...], callbacks: tuple[MadePlan, ...] = ()) -> Iterator[Event]:
        plan = self._plan
        labels = tuple(phase.label for phase in walk(phases) if not isinstance(phase, GroupPlan))
        if self._resumed is None:
            yield RunStarted(plan.name, plan.seed, digest(plan), self._runtime.device, labels)
        else:
            yield from self._resumed.then
        yield from self._to_the_end(phases, callbacks)

    def _to_the_end(self, phases: tuple[PhasePlan, ...], callbacks: tuple[MadePlan, ...]) -> Iterator[Event]:
        try:
            yield from self._start(callbacks)
            yield from self._run_all(phases)
            if not self._is_cut and self._course.passes():
                yield from self._hooks.fire("on_experiment_end")
                yield from self._save_run("experiment_end", "")
        except KeyboardInterrupt:
            yield RunFinished("interrupted", "KeyboardInterrupt", self.live.phase)
            return
        except Exception as error:
            self.error = error
            yield from self._hooks.fail(error, self.live.phase)
            yield RunFinished("failed", f"{type(error).__name__}: {error}", self.live.phase)
            return
        if self._is_cut:
            yield self._cut_short()
        elif self._hooks.stopped_by:
            yield RunFinished("stopped", f"by {self._hooks.stopped_by}: {self._hooks.reason}", self.live.phase)
        else:
            yield RunFinished("completed")

    def _start(self, callbacks: tuple[MadePlan, ...]) -> Iterator[Event]:
        self._hooks = ExperimentHooks([self._runtime.open_experiment_callback(item) for item in callbacks])
        self._run_rule = RunCheckpointRule(self._plan.checkpoints, self._checkpoints)
        if self._resumed is None:
            self._runtime.seed("")
            yield from self._hooks.fire("on_experiment_start")
            yield from self._save_run("experiment_start", "")
            return
        for _ in self._hooks.fire("on_experiment_start"):
            pass  # what it gives was told before
        if self._resumed.hooks is not None:
            self._hooks.load_state(self._resumed.hooks["around"])
            self._run_rule.load_state(self._resumed.hooks["checkpoints"])
        self._runtime.set_random_state(self._resumed.random)  # last: the hooks may have drawn

    def _cut_short(self) -> RunFinished:
        """The end of a run that was asked to stop, or that has reached a limit of its spec: that is a failure."""
        self.error = self.control.limit
        if self.error is None:
            return RunFinished("interrupted", self.control.signal, self.live.phase)
        return RunFinished("failed", f"{type(self.error).__name__}: {self.error}", self.live.phase)

    def _run_all(self, phases: tuple[PhasePlan, ...]) -> Iterator[Event]:
        for phase in phases:
            if self._is_cut or self._hooks.stopped_by:
                return
            if isinstance(phase, GroupPlan):
                yield from self._run_group(phase)
            elif not self._course.skips():
                yield from self._run_leaf(phase)

    def _run_group(self, group: GroupPlan) -> Iterator[Event]:
        if self._course.passes():
            yield GroupStarted(group.label)
            yield from self._hooks.fire("on_group_start", group.label)
            yield from self._save_run("group_start", group.label)
        yield from self._run_all(group.phases)
        if not self._is_cut and not self._hooks.stopped_by and self._course.passes():
            yield from self._hooks.fire("on_group_end", group.label)
            yield GroupFinished(group.label)
            yield from self._save_run("group_end", group.label)

    def _run_leaf(self, phase: TrainPlan | EvalPlan | FitPlan) -> Iterator[Event]:
        """A phase between the hooks of the experiment; of one that is gone on with, the first was called before."""
        self.live.phase = phase.label
        if self._course.passes():
            yield from self._hooks.fire("on_phase_start", phase.label)
            yield from self._save_run("phase_start", phase.label)
        for event in self._run_one(phase):
            if isinstance(event, PhaseFinished):
                self._hooks.results[phase.label] = event.metrics
            yield event
        if self._is_cut:
            return
        self._course.end()
        self._course.passes()
        yield from self._hooks.fire("on_phase_end", phase.label)
        yield from self._save_run("phase_end", phase.label)

    def _save_run(self, at: RunMoment, where: str) -> Iterator[Event]:
        yield from self._run_rule.save(at, where, self._state)

    def _state(self, phase: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """What the run goes on from, with the state of the phase within which it stands."""
        hooks = {"around": self._hooks.state(), "checkpoints": self._run_rule.state()}
        return {**self._course.state(), "hooks": hooks, "phase": phase}

    def _run_one(self, phase: TrainPlan | EvalPlan | FitPlan) -> Iterator[Event]:
        self.live.phase, self.live.epoch, self.live.batch = phase.label, 0, 0
        try:
            resumed = self._course.begin()
            if resumed is None and self._course.is_due:
                yield from _warned(phase.label, self._course.save_start(self._state()))
            if self.control.signal:
                self._is_cut = True
                return
            self._runtime.seed(phase.label)
            match phase:
                case TrainPlan():
                    yield from self._train(phase, resumed)
                case EvalPlan():
                    yield from self._eval(phase)
                case FitPlan():
                    yield from self._fit(phase)
        except Exception as error:
            explained = self._runtime.explained(error, phase, self.live)
            explained.add_note(f"in phase {phase.origin}")
            if explained is error:
                raise
            raise explained from error

    def _train(self, plan: TrainPlan, resumed: Resumed | None) -> Iterator[Event]:
        program = self._runtime.open_train(plan)
        around = self._surroundings()
        callbacks = [self._callback(item, program) for item in sorted(plan.callbacks, key=judges)]
        rule = self._rule(plan)
        phase = TrainPhase(plan, program, around, callbacks, rule)
        kept = Kept(phase, callbacks, rule)
        phase.going_on = lambda: self._state(kept.state())
        if resumed is not None and resumed.phase is not None:
            kept.load_state(resumed.phase)
            program.load_state(resumed.program or {})
            self._runtime.set_random_state(resumed.random)  # last: making the phase ready has drawn from them
        self.live.n_epochs, self.live.n_batches = plan.n_epochs, program.n_batches
        self.live.latest = program.latest
        n_steps = plan.n_steps or plan.n_epochs * program.n_steps_an_epoch
        try:
            if resumed is None:
                yield PhaseStarted(
                    plan.label, "train", plan.split, program.n_rows, plan.n_epochs, program.n_batches, n_steps,
                    _monitored(plan),
                )  # fmt: skip
            yield from _drive(phase.iter_execution(), program.step, around, lambda: self._saved(kept, program))
        except Exception as error:
            around.outbox.clear()  # what was in it has been passed on
            phase.fail(error)
            yield from around.outbox
            raise
        finally:
            program.close()
            self.live.latest = Live().latest
        self._is_cut = phase.is_cut
        if not self._is_cut:
            self._hand_over(plan, rule)
        status, by = self._ending(phase.stopped_by)
        final = FrozenMap(phase.final)
        yield PhaseFinished(plan.label, "train", status, by, phase.n_epochs, phase.step, final)

    def _hand_over(self, phase: TrainPlan, rule: CheckpointRule | None) -> None:
        """Give the nodes that wait for this phase their weights (S-14); where nothing is saved, as in a preview, those
        it ended with."""
        for node in self._plan.nodes:
            weights = node.weights
            if weights is None or weights.kind != "phase" or weights.giver != phase.label:
                continue
            given = None
            if weights.checkpoint and rule is not None:
                try:
                    given = self._checkpoint_of(phase.label, weights.checkpoint, rule)
                except KeyError as error:
                    message, origin = f"`{node.name}` cannot take its weights: {error.args[0]}", weights.origin
                    raise SpecError([Diagnostic("wrong-weights", message, origin.span, path=origin.path)]) from error
            self._runtime.hand_over(node.name, given)

    def _checkpoint_of(self, label: str, name: str, rule: CheckpointRule) -> Any:  # noqa: ANN401 - a store's own form
        if rule.held is not None:
            return rule.held.get(name)[0]
        return self._checkpoints.find(label, name) if self._checkpoints else None

    def _callback(self, plan: CallbackPlan, program: TrainProgram) -> Callback:
        if isinstance(plan, (EvaluationPlan, EarlyStoppingPlan)):
            return make_callback(plan)
        return self._runtime.open_callback(plan, program)

    def _eval(self, plan: EvalPlan) -> Iterator[Event]:
        program = self._runtime.open_eval(plan)
        around = self._surroundings()
        self.live.n_epochs, self.live.n_batches = 0, program.n_batches
        yield PhaseStarted(plan.label, "eval", plan.split, program.n_rows, 0, program.n_batches, 0)
        phase = EvalPhase(plan, program, around)
        yield from _drive(phase.iter_execution(), program.step, around)
        self._is_cut = phase.is_cut
        if self._is_cut:
            yield from _warned(plan.label, self._course.save_start(self._state()))
        metrics = {} if self._is_cut else program.finish()
        status, by = self._ending("")
        yield PhaseFinished(plan.label, "eval", status, by, 0, 0, FrozenMap(metrics))

    def _fit(self, plan: FitPlan) -> Iterator[Event]:
        program = self._runtime.open_fit(plan)
        around = self._surroundings()
        self.live.n_epochs, self.live.n_batches = 0, 0
        yield PhaseStarted(plan.label, "fit", plan.split, program.n_rows, 0, 1, 0)
        yield from _drive(FitPhase(plan, program, around).iter_execution(), program.step, around)
        status, by = self._ending("")
        yield PhaseFinished(plan.label, "fit", status, by, 0, 0, FrozenMap())

    def _evaluate(self, plan: EvalPlan) -> Mapping[str, float]:
        """The numbers of an evaluation within a phase, under the names it reports them by."""
        program = self._runtime.open_eval(plan)
        around = self._surroundings()
        around.control = Control()  # an evaluation that has begun is finished: half a split gives no number
        for context in EvalPhase(plan, program, around).iter_execution():
            program.step(context)
        return {f"{plan.prefix}{name}": value for name, value in program.finish().items()}

    def _saved(self, kept: Kept, program: TrainProgram) -> Iterator[Event]:
        """Save the state of a phase between two batches, if that is due, and after its last epoch."""
        if kept.is_over:
            yield from _warned(kept.label, self._course.save_end(self._state(kept.state()), program.state()))
        if self._course.is_due:
            yield from _warned(kept.label, self._course.save_within(self._state(kept.state()), program.state()))

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            self.control,
            self.live,
            self._evaluate,
            self._runtime.snapshot,
            self._runtime.restore,
            wants_batches=self._wants_batches,
            on_nan=self._plan.guards.on_nan,
        )

    def _rule(self, plan: TrainPlan) -> CheckpointRule | None:
        if plan.checkpoints is None:
            return None
        if plan.checkpoints.where == "memory":
            held = Held(lambda: self._runtime.snapshot(plan.trains))
            return CheckpointRule(plan.checkpoints, plan.label, held)
        return CheckpointRule(plan.checkpoints, plan.label, self._checkpoints) if self._checkpoints else None

    def _ending(self, stopped_by: str) -> tuple[Status, str]:
        if self._is_cut:
            return "interrupted", self.control.signal
        return ("stopped", stopped_by) if stopped_by else ("completed", "")


def _warned(label: str, warning: str) -> Iterator[Event]:
    if warning:
        yield WarningRaised(label, warning)


def _drive(
    contexts: Iterator[ExecutionContext | Told | None],
    perform: Callable[[ExecutionContext], None],
    around: Surroundings,
    between: Callable[[], Iterator[Event]] = lambda: iter(()),
) -> Iterator[Event]:
    """Perform each context with the verb that belongs to it, and pass on the facts in between.

    Where there is none, it is a moment for `between`: everything before it has been told.
    """
    outbox = around.outbox
    try:
        for context in contexts:
            while outbox:
                yield outbox.popleft()
            if context is None:
                yield from between()
            elif not isinstance(context, Told):
                perform(context)
    except Exception:
        yield from outbox  # what happened before the failure did happen
        raise
    yield from outbox


def _monitored(plan: TrainPlan) -> tuple[str, ...]:
    return tuple(item.monitor for item in plan.callbacks if isinstance(item, EarlyStoppingPlan))
