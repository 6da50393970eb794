"""How each training went, as charts: its numbers by epoch, its learning rate, its losses by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from runexp.report.html.charts import Chart, Line, band_chart, line_chart
from runexp.report.wording import counted, number
from runexp.results.folds import CVResults
from runexp.results.losses import TOTAL, is_rate
from runexp.results.phases import PhaseResults, TrainResults
from runexp.results.run import RunResults
from runexp.results.series import AxisSeries

Points = list[tuple[float, float]]

_MOST_CHARTS = 60
_MOST_FOLDS = 30
_BUCKETS = 160


@dataclass(frozen=True, slots=True)
class Curves:
    """The charts of one train phase, or of the same one in every fold; `notes` are sentences about them."""

    label: str
    charts: tuple[Chart, ...]
    rates: tuple[Chart, ...]
    losses: tuple[Chart, ...]
    notes: tuple[str, ...]


def curves_of_run(results: RunResults, *, per_batch: bool) -> list[Curves]:
    """Each train phase that finished an epoch; those of folds together."""
    if results.cv is not None:
        return list(_of_folds(results.cv, per_batch=per_batch))
    return [_of_phase(phase, per_batch=per_batch) for phase in trainings(results.results.flatten().values())]


def trainings(phases: Iterable[PhaseResults]) -> list[TrainResults]:
    """The train phases that finished an epoch."""
    return [phase for phase in phases if isinstance(phase, TrainResults) and phase.n_epochs]


def families(phase: TrainResults) -> dict[str, dict[str, str]]:
    """The names of a phase's numbers by what they measure, then by where: `loss` → `train` → `train_loss`.

    The total loss comes first; a loss that only repeats it is left out, and so are learning rates.
    """
    prefixes = {"train_": "train"}
    for event in phase.evaluations:
        for owner in (event.callback, event.split):
            prefixes[f"{owner}_"] = owner
    found: dict[str, dict[str, str]] = {}
    for name in phase.metrics.names():
        if not is_rate(name):
            prefix = max((one for one in prefixes if name.startswith(one)), key=len, default="")
            found.setdefault(name.removeprefix(prefix), {})[prefixes.get(prefix, name)] = name
    total = found.get(TOTAL)
    repeated = [base for base in found if base != TOTAL and total and _repeats(phase, found[base], total)]
    ordered = sorted((base for base in found if base not in repeated), key=lambda base: base != TOTAL)
    return {base: found[base] for base in ordered}


def _repeats(phase: TrainResults, names: Mapping[str, str], total: Mapping[str, str]) -> bool:
    return names.keys() == total.keys() and all(
        phase.metrics.series(names[where]).values() == phase.metrics.series(total[where]).values() for where in names
    )


def points_of(phase: TrainResults, name: str) -> Points:
    """A number of a phase by epoch; -1 is before the first."""
    if name not in phase.metrics:
        return []
    series = phase.metrics.series(name)
    return [(float(place[0]), value) for place, value, _ in series.cells.items()]


def _of_phase(phase: TrainResults, *, per_batch: bool) -> Curves:
    best = float(phase.best.epoch) if phase.best is not None else None
    found = families(phase)
    slots = _slots(found)
    charts = []
    for base, names in found.items():
        lines = [
            Line(where, points_of(phase, name), slots[where], is_dashed=where == "train")
            for where, name in names.items()
        ]
        charts.append(line_chart(base, lines, best=best))
    rates, said = _rates(phase, per_batch=per_batch)
    notes = [*_best(phase), *said, *_beyond(charts)]
    return Curves(phase.label, _some(charts), rates, _losses(phase, per_batch=per_batch), tuple(notes))


def _slots(found: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """A colour for each place where something was measured, the same in every chart; training has the second."""
    wheres = [
        where for where in dict.fromkeys(where for names in found.values() for where in names) if where != "train"
    ]
    return {where: slot + (slot > 0) for slot, where in enumerate(wheres)} | {"train": 1}


def _some(charts: Sequence[Chart | None]) -> tuple[Chart, ...]:
    return tuple(chart for chart in charts if chart is not None)[:_MOST_CHARTS]


def _beyond(charts: Sequence[Chart | None]) -> Iterator[str]:
    more = len([chart for chart in charts if chart is not None]) - _MOST_CHARTS
    if more > 0:
        yield f"{counted(more, 'further curve')} are not drawn; metrics.csv has their numbers."


def _best(phase: TrainResults) -> Iterator[str]:
    best = phase.best
    if best is not None:
        value = f", {best.monitor} {number(best.value)}" if best.value is not None else f", by {best.monitor}"
        yield f"Best: epoch {best.epoch}{value}{'; its weights were restored' if best.restored else ''} (dotted line)."


def _rates(phase: TrainResults, *, per_batch: bool) -> tuple[tuple[Chart, ...], list[str]]:
    """A chart of the learning rates; a sentence instead where none changes."""
    names = [name for name in phase.metrics.names() if is_rate(name)]
    lines, said, where = [], [], "epoch"
    for slot, name in enumerate(names):
        points = points_of(phase, name)
        if per_batch:
            by_step = _by_step(partial(phase.learning_rate, name))
            points, where = (by_step, "step") if by_step else (points, where)
        if len({value for _, value in points}) > 1:
            lines.append(Line(name, points, slot))
        elif points:
            said.append(f"Learning rate{'' if name == 'lr' else f' {name}'}: {number(points[0][1])} throughout.")
    chart = line_chart("learning rate", lines, x_title=where)
    return (chart,) if chart else (), said


def _by_step(read: Callable[[], AxisSeries[float]]) -> Points:
    try:
        return [(float(step), value) for step, value in enumerate(read().values())]
    except (LookupError, OSError, ValueError):  # recorded by epoch alone, or damaged
        return []


def _losses(phase: TrainResults, *, per_batch: bool) -> tuple[Chart, ...]:
    """The losses by name on one scale where there are several, and the total by batch."""
    charts: list[Chart | None] = []
    names = [name for name in phase.facts.loss_nodes if f"train_{name}" in phase.metrics]
    if len(names) > 1:
        lines = [Line(name, points_of(phase, f"train_{name}"), slot) for slot, name in enumerate(names)]
        charts.append(line_chart("training losses by name", lines))
    if per_batch:
        steps = _by_step(partial(phase.losses, TOTAL))
        if len(steps) > phase.n_epochs:
            charts.append(
                band_chart("training loss by step", list(_buckets([value for _, value in steps])), x_title="step")
            )
    return _some(charts)


def _buckets(values: Sequence[float]) -> Iterator[tuple[float, float, float, float]]:
    """Stretches of steps: the middle one, and mean, least and most of what is a number."""
    count = min(len(values), _BUCKETS)
    for start, end in pairwise([index * len(values) // count for index in range(count + 1)]):
        there = [value for value in values[start:end] if value == value]
        if there:
            yield (start + end - 1) / 2, sum(there) / len(there), min(there), max(there)


def _of_folds(cv: CVResults, *, per_batch: bool) -> Iterator[Curves]:
    by_phase: dict[str, list[TrainResults]] = {}
    for facts in cv.facts[:_MOST_FOLDS]:
        if facts.label in cv.results:
            prefix = f"{facts.label}/"
            for phase in trainings(cv.get_fold(facts.index).flatten().values()):
                by_phase.setdefault(phase.label.removeprefix(prefix), []).append(phase)
    for label, phases in by_phase.items():
        found = families(phases[0])
        charts = [_family_of_folds(base, names, phases, _slots(found)) for base, names in found.items()]
        rates, said = _rates(phases[0], per_batch=per_batch)
        epochs = ", ".join(str(phase.n_epochs) for phase in phases)
        note = (
            f"Epochs of each fold: {epochs}. Thin lines are folds, the thick one is their mean while all of them train."
        )
        yield Curves(label, _some(charts), rates, (), (note, *said))


def _family_of_folds(
    base: str, names: Mapping[str, str], phases: Sequence[TrainResults], slots: Mapping[str, int]
) -> Chart | None:
    lines = []
    for where, name in names.items():
        slot = slots[where]
        each = [points_of(phase, name) for phase in phases]
        label = f"{where} (mean)"
        lines += [Line(label, points, slot, is_faint=True, is_dashed=where == "train") for points in each if points]
        lines.append(Line(label, mean_points(each), slot, is_dashed=where == "train"))
    return line_chart(base, lines)


def mean_points(each: Sequence[Points]) -> Points:
    """The mean of several curves where all of them have a value."""
    there = [dict(points) for points in each if points]
    if not there:
        return []
    shared = [x for x in there[0] if all(x in points for points in there)]
    return [(x, sum(points[x] for points in there) / len(there)) for x in shared]
