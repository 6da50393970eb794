"""The trials of a sweep, or the repeats of a run, on one page: the best, all of them, what mattered, what failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from runexp.report.html.sweep_charts import importance_charts, pareto_charts, trial_charts
from runexp.report.html.sweep_facts import SweepFacts
from runexp.report.html.sweep_shape import parallel_chart, slice_charts
from runexp.report.html.tables import HtmlTable, KeyNumber
from runexp.report.run_list import moment
from runexp.report.trials import final_numbers, shown
from runexp.report.wording import column, counted, duration, number, plain
from runexp.results.trials import SweepResults, Trial, short_names

_MOST_ROWS = 300
_MOST_KEYS = 6
_STATES = ("completed", "pruned", "failed", "interrupted", "running")


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A line of the table of trials; `is_best` where no other trial beats it."""

    number: int
    status: str
    cells: tuple[str, ...]
    took: str
    folder: str
    is_best: bool


def sweep_parts(facts: SweepFacts) -> dict[str, Any]:
    """What the template of a sweep takes."""
    results = facts.results
    names = [one.address for one in results.objectives] or final_numbers(results)
    short = short_names(results.addresses)
    trials = _shown(results)
    word = "trial" if results.objectives else "repeat"
    return {
        "title": plain(results.name) or "sweep",
        "kind": "sweep" if results.objectives else "repeats",
        "word": word,
        "facts": facts,
        "status": facts.record.status if facts.record.status == "killed" else results.status,
        "about": _about(facts),
        "keys": _keys(results),
        "told": _told(results, word),
        "best": _best(results),
        "heads": [*map(plain, names), *(plain(short[address]) for address in results.addresses)],
        "n_numbers": len(names),
        "trials": list(_rows(results, trials, names)),
        "n_left_out": len(results.trials) - len(trials),
        "spread": _spread(results),
        "progress": trial_charts(results, names, word),
        "front": pareto_charts(results),
        "importance": importance_charts(results.importance),
        "parallel": parallel_chart(results),
        "slices": slice_charts(results),
        "troubles": _troubles(results),
    }


def _about(facts: SweepFacts) -> list[tuple[str, str]]:
    record, asked = facts.record, facts.asked
    objectives = ", ".join(f"{one.address} ({one.mode})" for one in facts.results.objectives)
    pairs = [
        ("folder", record.folder.name),
        ("started", moment(record.started)),
        ("took", duration(record.seconds) if record.seconds is not None else ""),
        ("sampler", asked.get("sampler") or ""),
        ("pruner", asked.get("pruner") if asked.get("pruner") != "none" else ""),
        ("objective", objectives),
        ("host", record.host),
        ("tags", ", ".join(record.tags)),
        ("note", record.note),
    ]
    return [(word, plain(said)) for word, said in pairs if said]


def _told(results: SweepResults, word: str) -> str:
    counts = {state: sum(trial.status == state for trial in results.trials) for state in _STATES}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"{counted(len(results), word)}{f': {told}' if told else ''}."


def _keys(results: SweepResults) -> list[KeyNumber]:
    """The best values, or, of repeats, means."""
    if not results.objectives:
        spreads = {name: results.spread(name) for name in final_numbers(results)[-_MOST_KEYS:]}
        return [
            KeyNumber(plain(name), number(one.mean), f"± {number(one.std)}" if one.std is not None else "")
            for name, one in spreads.items()
        ]
    return [_extreme(results, index) for index in range(len(results.objectives)) if results.completed]


def _extreme(results: SweepResults, index: int) -> KeyNumber:
    """The best value by one of the objectives."""
    objective = results.objectives[index]
    sign, word = (-1.0, "most") if objective.mode == "max" else (1.0, "least")
    best = min(results.completed, key=lambda trial: sign * trial.values[index])
    return KeyNumber(plain(objective.address), number(best.values[index]), f"{word}, trial {best.number}")


def _winners(results: SweepResults) -> Sequence[Trial]:
    return results.front if results.objectives else ()


def _best(results: SweepResults) -> HtmlTable | None:
    """What the best trial changes, or those of the front side by side."""
    trials = list(_winners(results))[:8]
    if not trials:
        return None
    if len(results.objectives) == 1:
        trials = [best] if (best := results.best) is not None else []
    heads = ("", *(f"trial {trial.number}" for trial in trials))
    judged = [
        (plain(one.address), *(number(trial.values[index]) for trial in trials))
        for index, one in enumerate(results.objectives)
    ]
    changed = [
        (plain(address), *(shown(trial.changes[address]) if address in trial.changes else "" for trial in trials))
        for address in results.addresses
        if any(address in trial.changes for trial in trials)
    ]
    caption = "the best trial" if len(results.objectives) == 1 else "trials that no other beats in every objective"
    return HtmlTable(caption, heads, (*judged, *changed), is_numeric=len(trials) > 1)


def _shown(results: SweepResults) -> Sequence[Trial]:
    """All trials, or, of very many, the best by the first objective."""
    if len(results.trials) <= _MOST_ROWS or not results.objectives:
        return results.trials[:_MOST_ROWS]
    sign = -1.0 if results.objectives[0].mode == "max" else 1.0
    return sorted(results.completed, key=lambda trial: sign * trial.values[0])[:_MOST_ROWS]


def _rows(results: SweepResults, trials: Sequence[Trial], names: Sequence[str]) -> Iterator[TrialRow]:
    winners = {trial.number for trial in _winners(results)}
    if len(results.objectives) == 1 and results.best is not None:
        winners = {results.best.number}
    columns = [column(_finite(trial, name) for trial in trials) for name in names]
    for index, trial in enumerate(trials):
        changes = [shown(trial.changes[one]) if one in trial.changes else "" for one in results.addresses]
        yield TrialRow(
            trial.number,
            trial.status,
            (*(cells[index] for cells in columns), *changes),
            duration(trial.seconds) if trial.seconds is not None else "",
            f"trials/{plain(trial.id)}",
            trial.number in winners,
        )


def _finite(trial: Trial, name: str) -> float | None:
    value = trial.metrics.get(name)
    return value if value is not None and isfinite(value) else None


def _spread(results: SweepResults) -> HtmlTable | None:
    """Mean, deviation and interval of every number, of repeats."""
    if results.objectives:
        return None
    rows = []
    for name in final_numbers(results):
        one = results.spread(name)
        cells = column([one.mean, one.std])
        interval = f"{number(one.low)} … {number(one.high)}" if one.low is not None and one.high is not None else ""
        rows.append((plain(name), *cells, interval, str(one.n)))
    heads = ("number", "mean", "std", "95 % interval", "runs")
    return HtmlTable("mean and spread over seeds", heads, tuple(rows)) if rows else None


def _troubles(results: SweepResults) -> Mapping[str, HtmlTable]:
    """Trials that failed, and those that were ended early."""
    short = short_names(results.addresses)
    found: dict[str, HtmlTable] = {}
    for state, head in (("failed", "failed of"), ("interrupted", "newest numbers"), ("pruned", "newest numbers")):
        rows = []
        for trial in (one for one in results.trials if one.status == state):
            changes = ", ".join(f"{plain(short[name])} {shown(value)}" for name, value in trial.changes.items())
            numbers = ", ".join(
                f"{plain(one.address)} {number(trial.metrics[one.address])}"
                for one in results.objectives
                if one.address in trial.metrics
            )
            rows.append((str(trial.number), changes, plain(trial.error) if state == "failed" else numbers))
        if rows:
            found[state] = HtmlTable(f"{state} trials", ("trial", "with", head), tuple(rows), is_numeric=False)
    return found
