"""What the folds of a nested cross-validation chose, on a terminal: a row a fold, then how alike and how optimistic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from runexp.report.page import named, styled
from runexp.report.trials import shown
from runexp.report.wording import column, number, plain
from runexp.results.choices import FoldChoice, addresses_of
from runexp.results.folds import CVResults
from runexp.results.trials import short_names

_GAP = 2


def choices_of(cv: CVResults, width: int) -> list[RenderableType]:
    """The values of each fold, what they reached inside and on the rows held out, and what follows from that."""
    if not cv.choices:
        return []
    columns = _columns(cv)
    needed = sum(max(len(plain(name)), *map(len, cells)) + _GAP for name, cells in columns.items())
    drawn = [_table(columns)] if needed <= width else list(_lines(cv.choices))
    title = styled(named("chosen inside of each fold"), "  ", (f"by {plain(cv.choices[0].objective)}", "dim"))
    return [title, *drawn, *_conclusion(cv)]


def _columns(cv: CVResults) -> dict[str, list[str]]:
    choices, objective = cv.choices, cv.choices[0].objective
    addresses, reached = addresses_of(choices), cv.table().get(objective, {})
    short = short_names(addresses)
    optimisms = cv.optimisms()
    return {
        "": ["refit" if choice.fold < 0 else f"fold {choice.fold}" for choice in choices],
        **{short[name]: [_value(choice.changes, name) for choice in choices] for name in addresses},
        "inside": column(choice.value for choice in choices),
        "held out": column(reached.get(choice.fold) for choice in choices),
        "optimism": column(optimisms.get(choice.fold) for choice in choices),
    }


def _lines(choices: tuple[FoldChoice, ...]) -> Iterator[RenderableType]:
    for choice in choices:
        short = short_names(choice.changes)
        values = " ".join(f"{short[name]}={shown(value)}" for name, value in choice.changes.items())
        yield styled(f"  {choice.label}  {plain(values)}  inside {number(choice.value)}")


def _conclusion(cv: CVResults) -> Iterator[RenderableType]:
    found = cv.agreements()
    short = short_names(found)
    for address, one in found.items():
        yield styled(f"  {plain(short[address])}={shown(one.value)} in {one.n} of {one.of} folds")
    optimism = cv.optimism()
    if optimism is not None:
        around = f" ± {number(optimism.std)}" if optimism.std is not None else ""
        note = "by so much the best inner score was better than that of rows held out"
        yield styled(f"  optimism {number(optimism.mean)}{around}  ", (note, "dim"))


def _value(changes: Mapping[str, object], address: str) -> str:
    return shown(changes[address]) if address in changes else ""


def _table(columns: Mapping[str, list[str]]) -> Table:
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
    for index, name in enumerate(columns):
        table.add_column(Text(plain(name)), justify="right" if index else "left", no_wrap=True)
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*map(Text, cells))
    return table
