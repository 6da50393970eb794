"""The folds of a cross-validation on a terminal: a table a phase, a row a fold, then mean, spread and interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from runexp.report.fold_choices import choices_of
from runexp.report.page import named, styled
from runexp.report.wording import column, counted, number, plain
from runexp.results.folds import CVResults, FoldFacts, RefitFacts, Spread
from runexp.results.losses import TOTAL, is_rate

_GAP = 2
_LABELS = ("mean", "std", "95 % from", "95 % to")


def folds_of(cv: CVResults, width: int) -> list[list[RenderableType]]:
    """A table for each phase that ends with numbers, as far as it fits the width, and what folds failed of."""
    blocks: list[list[RenderableType]] = []
    table = cv.table()
    for phase in dict.fromkeys(address.rpartition(".")[0] for address in table):
        numbers = {
            address.rpartition(".")[2]: values
            for address, values in table.items()
            if address.rpartition(".")[0] == phase and not is_rate(address.rpartition(".")[2])
        }
        names = _telling(numbers)
        if names:
            spreads = {name: cv.spread(f"{phase}.{name}") for name in names}
            blocks.append(
                [styled(named(phase)), *_drawn(cv.facts, {name: numbers[name] for name in names}, spreads, width)]
            )
    if cv.choices:
        blocks.append(choices_of(cv, width))
    if cv.refit is not None:
        blocks.append(list(_refit(cv, cv.refit)))
    failed = [facts for facts in cv.facts if facts.error]
    blocks += [[styled((f"fold {facts.index} {facts.status}", "red"), f": {plain(facts.error)}")] for facts in failed]
    if blocks and len(cv) > 1:
        note = "the interval of the mean allows for folds that share training rows (Nadeau and Bengio 2003)"
        blocks.append([styled((note, "dim"))])
    return blocks


def _refit(cv: CVResults, facts: RefitFacts) -> Iterator[RenderableType]:
    """What it learnt from, what it failed of, and the numbers of its phases."""
    ended = "" if facts.status == "completed" else f", {facts.status}"
    rows = f"trained on {counted(facts.n_train, 'row')}{ended}"
    yield styled(named(facts.label), "  ", rows, *([(f": {plain(facts.error)}", "red")] if facts.error else []))
    for label, phase in cv.get_refit().flatten().items():
        shown = {name: value for name, value in phase.numbers.items() if not is_rate(name)}
        if shown:
            told = "  ".join(f"{plain(name)} {number(value)}" for name, value in shown.items())
            yield styled(f"  {plain(label.removeprefix(f'{facts.label}/'))}  {told}")


def _telling(numbers: Mapping[str, Mapping[int, float]]) -> list[str]:
    """The total first; a loss that only repeats it is left out."""
    names = sorted(numbers, key=lambda name: name.rpartition("_")[2] != TOTAL)
    totals = [values for name, values in numbers.items() if name.rpartition("_")[2] == TOTAL]
    return [name for name in names if name.rpartition("_")[2] == TOTAL or numbers[name] not in totals]


def _drawn(
    facts: Sequence[FoldFacts], numbers: Mapping[str, Mapping[int, float]], spreads: Mapping[str, Spread], width: int
) -> Iterator[RenderableType]:
    columns = {name: _cells(facts, values, spreads[name]) for name, values in numbers.items()}
    labels = [_labelled(fold) for fold in facts]
    labels += [label for label in _LABELS if any(_of(spread, label) is not None for spread in spreads.values())]
    needed = max(map(len, labels)) + _GAP
    needed += sum(max(len(plain(name)), *map(len, cells)) + _GAP for name, cells in columns.items())
    if needed <= width:
        yield _table(labels, columns)
        return
    for name, spread in spreads.items():
        around = f" ± {number(spread.std)}" if spread.std is not None else ""
        yield styled(f"  {plain(name)}  {number(spread.mean)}{around} ({counted(spread.n, 'fold')})")


def _cells(facts: Sequence[FoldFacts], values: Mapping[int, float], spread: Spread) -> list[str]:
    """The folds' numbers and their mean, then what is said of all of them with as many decimals."""
    cells = column([*(values.get(fold.index) for fold in facts), spread.mean])
    others = [_of(spread, label) for label in _LABELS[1:]]
    return [*cells, *("" if value is None else _like(cells[-1], value) for value in others)]


def _like(cell: str, value: float) -> str:
    if "e" in cell or not isfinite(value):
        return f"{value:.3e}"
    return f"{value:.{max(len(cell.partition('.')[2]), 2)}f}"


def _of(spread: Spread, label: str) -> float | None:
    return dict(zip(_LABELS, (spread.mean, spread.std, spread.low, spread.high), strict=True))[label]


def _labelled(fold: FoldFacts) -> str:
    name = f" {plain(fold.name)}" if fold.name not in ("", f"fold {fold.index}") else ""
    return f"fold {fold.index}{name}{'' if fold.status == 'completed' else f' ({fold.status})'}"


def _table(labels: Sequence[str], columns: Mapping[str, list[str]]) -> Table:
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("")
    for name in columns:
        table.add_column(Text(plain(name)), justify="right", no_wrap=True)
    n_folds = len(labels) - sum(label in _LABELS for label in labels)
    for index, label in enumerate(labels):
        style = "" if index < n_folds else "bold" if label == "mean" else "dim"
        table.add_row(Text(label), *(cells[index] for cells in columns.values()), style=style)
    return table
