"""The tables of a page: numbers by phase and split, spread over folds, runs side by side. All cells are text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runexp.report.numbers import measured, telling
from runexp.report.trials import shown
from runexp.report.wording import column, number, plain
from runexp.results.choices import addresses_of
from runexp.results.folds import CVResults, Spread
from runexp.results.losses import TOTAL, is_rate
from runexp.results.run import RunResults
from runexp.results.trials import short_names

_MOST_FOLDS = 12


@dataclass(frozen=True, slots=True)
class HtmlTable:
    """A caption, heads, and rows, of which the first cell names the row; numeric tables are set to the right."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_numeric: bool = True


@dataclass(frozen=True, slots=True)
class KeyNumber:
    """A number in large type, and what is said below it."""

    name: str
    value: str
    around: str


def number_tables(results: RunResults) -> list[HtmlTable]:
    """The final numbers: a row a number and a column for each phase and split; of folds mean and spread."""
    if results.cv is not None:
        return [*_of_folds(results.cv), *_of_choices(results.cv)]
    rows = measured(results)
    names = telling(rows)
    if not names:
        return []
    heads = tuple(f"{plain(row.phase)} · {plain(row.split)}" if row.split else plain(row.phase) for row in rows)
    body = [(plain(name), *column(row.numbers.get(name) for row in rows)) for name in names]
    return [HtmlTable("final numbers by phase and split", ("number", *heads), tuple(body))]


def _of_folds(cv: CVResults) -> Iterator[HtmlTable]:
    table = _telling(cv)
    shown = cv.facts if len(cv) <= _MOST_FOLDS else ()
    folds = [f"fold {facts.index}{f' {plain(facts.name)}' if facts.name else ''}" for facts in shown]
    for phase in dict.fromkeys(address.rpartition(".")[0] for address in table):
        rows = []
        for address in (one for one in table if one.rpartition(".")[0] == phase):
            spread = cv.spread(address)
            cells = column([spread.mean, spread.std, *(table[address].get(facts.index) for facts in shown)])
            rows.append((plain(address.rpartition(".")[2]), *cells[:2], _interval(spread), str(spread.n), *cells[2:]))
        heads = ("number", "mean", "std", "95 % interval", "folds", *folds)
        yield HtmlTable(f"{plain(phase)}: mean and spread over {len(cv)} folds", heads, tuple(rows))


def _of_choices(cv: CVResults) -> Iterator[HtmlTable]:
    """What each fold of a nested cross-validation chose, and how far that promised too much."""
    if not cv.choices:
        return
    addresses, optimisms = addresses_of(cv.choices), cv.optimisms()
    reached = cv.table().get(cv.choices[0].objective, {})
    columns = [
        ["refit" if choice.fold < 0 else f"fold {choice.fold}" for choice in cv.choices],
        *(
            [shown(choice.changes[name]) if name in choice.changes else "" for choice in cv.choices]
            for name in addresses
        ),
        column(choice.value for choice in cv.choices),
        column(reached.get(choice.fold) for choice in cv.choices),
        column(optimisms.get(choice.fold) for choice in cv.choices),
    ]
    heads = ("fold", *map(plain, short_names(addresses).values()), "inside", "held out", "optimism")
    caption = f"values chosen inside of each fold, by {plain(cv.choices[0].objective)}"
    yield HtmlTable(caption, heads, tuple(zip(*columns, strict=True)))


def _telling(cv: CVResults) -> dict[str, dict[int, float]]:
    """The numbers of all folds without learning rates, and without losses that only repeat the total of their phase."""
    table = {address: values for address, values in cv.table().items() if not is_rate(address.rpartition(".")[2])}
    totals = {address: values for address, values in table.items() if is_total(address)}
    return {address: values for address, values in table.items() if address in totals or values not in totals.values()}


def is_total(address: str) -> bool:
    """Whether this is the total loss of a phase or of an evaluation inside it."""
    return address.rpartition(".")[2].rpartition("_")[2] == TOTAL


def _interval(spread: Spread) -> str:
    return "" if spread.low is None or spread.high is None else f"{number(spread.low)} … {number(spread.high)}"


def key_numbers(results: RunResults, most: int = 6) -> list[KeyNumber]:
    """The numbers that a reader looks for first: those of the last phase that has some."""
    if results.cv is not None:
        spreads = {address: results.cv.spread(address) for address in _telling(results.cv)}
        last = next((address.rpartition(".")[0] for address in reversed(spreads)), "")
        chosen = [address for address in spreads if address.rpartition(".")[0] == last][:most]
        return [_spread_out(address, spreads[address]) for address in chosen]
    rows = measured(results)
    if not rows:
        return []
    names = [name for name in telling(rows) if name in rows[-1].numbers][:most]
    around = (
        f"{plain(rows[-1].phase)}, {plain(rows[-1].split)}"
        if rows[-1].split != rows[-1].phase
        else plain(rows[-1].phase)
    )
    return [KeyNumber(plain(name), number(rows[-1].numbers[name]), around) for name in names]


def _spread_out(address: str, spread: Spread) -> KeyNumber:
    phase, _, name = address.rpartition(".")
    std = f"± {number(spread.std)}, " if spread.std is not None else ""
    return KeyNumber(plain(name), number(spread.mean), f"{std}{plain(phase)}, {spread.n} folds")


def without_empty(
    heads: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The columns that say something."""
    kept = [at for at in range(len(heads)) if any(row[at] for row in rows)]
    return tuple(heads[at] for at in kept), tuple(tuple(row[at] for at in kept) for row in rows)
