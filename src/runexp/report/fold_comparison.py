"""Two cross-validations on the same folds, on a terminal: each number's mean difference, its interval, and p."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from runexp.report.page import indented, styled
from runexp.report.wording import counted, number, plain
from runexp.results.losses import is_rate
from runexp.results.paired import Comparison

_GAP = 2


@dataclass(frozen=True, slots=True)
class FoldsAgainst:
    """A run against the first, fold by fold: what each number differs by, or the `reason` why that cannot be said.

    `index` is the place of the run among those that are compared.
    """

    index: int
    reason: str = ""
    numbers: Mapping[str, Comparison] = field(default_factory=dict)


def folds_against(found: Sequence[FoldsAgainst], letters: Sequence[str], width: int) -> Iterator[RenderableType]:
    """A table a run, and what stands behind its p."""
    if not found:
        return
    yield styled(("folds", "bold"))
    n_folds = 0
    for against in found:
        pair = f"{letters[against.index]} - {letters[0]}"
        rows = {address: one for address, one in against.numbers.items() if not is_rate(address.rpartition(".")[2])}
        if against.reason:
            yield indented(styled((pair, "bold"), f"  cannot be compared fold by fold: {plain(against.reason)}"))
        elif rows:
            yield from _table(pair, rows, width)
            n_folds = max(n_folds, *(one.n for one in rows.values()))
    if n_folds:
        test = f"corrected resampled t-test over {counted(n_folds, 'fold')} (Nadeau and Bengio 2003)"
        yield indented(styled((f"{test}; each p is for its number alone", "dim")))


def _table(pair: str, rows: Mapping[str, Comparison], width: int) -> Iterator[RenderableType]:
    cells = [
        (plain(address), f"{one.difference:+.4g}", f"{one.low:+.3g} to {one.high:+.3g}", f"{one.t:.2f}", _p(one.p))
        for address, one in rows.items()
    ]
    heads = (pair, "mean difference", "95 % interval", "t", "p")
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    if 2 * _GAP + sum(widths) + _GAP * (len(widths) - 1) > width:
        for address, difference, interval, _, p in cells:
            yield indented(styled((address, "bold"), f"  {pair} {difference} ({interval}), p {p}"))
        return
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for index, head in enumerate(heads):
        table.add_column(head, justify="right" if index else "left", no_wrap=True)
    for row in cells:
        table.add_row(*map(Text, row))
    yield Padding(table, (0, 0, 0, _GAP))


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value)
