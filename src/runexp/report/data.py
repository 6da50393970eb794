"""A feature set as it was read: its source, its splits, and a table of its keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from runexp.report.page import indented, named, styled, to_text
from runexp.report.wording import counted, number, plain

_MOST_CATEGORIES = 6
_LEAST_WIDTH = 16
_HEADER = ("key", "shape", "dtype", "values", "missing", "transforms")


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """One key: what was read, and what its transforms are.

    `categories` are its values with their counts where they are few; `n_distinct` is None where values are no
    categories, `minimum` and `maximum` where they are no numbers.
    """

    name: str
    domain: str
    shape: tuple[int, ...]
    dtype: str
    minimum: float | None
    maximum: float | None
    mean: float | None
    n_missing: int
    n_distinct: int | None
    categories: tuple[tuple[str, int], ...]
    transforms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PairFacts:
    """A matrix between the rows; `n_surplus` of its ids are no row's."""

    name: str
    source: str
    n_rows: int
    n_surplus: int


@dataclass(frozen=True, slots=True)
class SetFacts:
    """One feature set; `head` are its first rows, a text for each key, under the names of `columns`."""

    name: str
    source: str
    joins: tuple[str, ...]
    n_rows: int
    splits: tuple[tuple[str, int], ...]
    keys: tuple[KeyFacts, ...]
    pairs: tuple[PairFacts, ...]
    columns: tuple[str, ...] = ()
    head: tuple[tuple[str, ...], ...] = ()


def render_data(sets: Sequence[SetFacts], *, console_width: int = 100, color: bool = False) -> str:
    """Each set below the other."""
    parts = [part for facts in sets for part in ("", *_page(facts, console_width))]
    return to_text(parts[1:], console_width=console_width, color=color)


def as_document(facts: SetFacts) -> dict[str, object]:
    """The facts as plain JSON data: counts by name."""
    keys = [asdict(key) | {"categories": dict(key.categories)} for key in facts.keys]
    return asdict(facts) | {"splits": dict(facts.splits), "keys": keys}


def set_from_document(document: Mapping[str, Any]) -> SetFacts:
    """The facts that `as_document` made plain, without first rows. `KeyError` and `TypeError` for anything else."""
    keys = []
    for key in document["keys"]:
        lists = {name: tuple(key[name]) for name in ("shape", "transforms")}
        keys.append(KeyFacts(**{**key, **lists, "categories": tuple(key["categories"].items())}))
    return SetFacts(
        name=document["name"],
        source=document["source"],
        joins=tuple(document["joins"]),
        n_rows=document["n_rows"],
        splits=tuple(document["splits"].items()),
        keys=tuple(keys),
        pairs=tuple(PairFacts(**pair) for pair in document["pairs"]),
    )


def _page(facts: SetFacts, width: int) -> Iterator[RenderableType]:
    yield styled(named(facts.name), f"  {counted(facts.n_rows, 'row')}")
    yield indented(styled(("source  ", "dim"), plain(facts.source)))
    for join in facts.joins:
        yield indented(styled(("join    ", "dim"), plain(join)))
    splits = ", ".join(f"{plain(name)} {count:,}" for name, count in facts.splits)
    yield indented(styled(("splits  ", "dim"), splits or "none"))
    for pairs in facts.pairs:
        surplus = f", {counted(pairs.n_surplus, 'id')} of no row" if pairs.n_surplus else ""
        text = f"{pairs.name}: {pairs.source}, {pairs.n_rows:,} x {pairs.n_rows:,}{surplus}"
        yield indented(styled(("pairs   ", "dim"), plain(text)))
    for domain in ("features", "targets", "tags"):
        rows = [_cells(key) for key in facts.keys if key.domain == domain]
        if rows:
            yield ""
            yield indented(styled((domain, "bold")))
            yield from _drawn(_HEADER, rows, width)
    if facts.head:
        yield ""
        yield indented(styled((f"first {counted(len(facts.head), 'row')}", "bold")))
        yield from _drawn(facts.columns, facts.head, width)


def _cells(key: KeyFacts) -> tuple[str, ...]:
    shape = " x ".join(map(str, key.shape)) or "one value"
    missing = f"{key.n_missing:,}" if key.n_missing else ""
    return (key.name, shape, key.dtype, _values(key), missing, ", ".join(key.transforms))


def _values(key: KeyFacts) -> str:
    if key.categories:
        shown = ", ".join(f"{name} {count:,}" for name, count in key.categories[:_MOST_CATEGORIES])
        more = len(key.categories) - _MOST_CATEGORIES
        return f"{shown}, {more} more" if more > 0 else shown
    if key.minimum is not None and key.maximum is not None:
        spread = f"{number(key.minimum)} … {number(key.maximum)}"
        mean = f", mean {number(key.mean)}" if key.mean is not None and key.n_distinct is None else ""
        return f"{spread}{mean}" if key.n_distinct is None else f"{spread}, {key.n_distinct:,} different"
    return f"{key.n_distinct:,} different" if key.n_distinct is not None else ""


def _drawn(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[RenderableType]:
    """A table without empty columns; where it does not fit, a paragraph for each row."""
    used = [index for index in range(len(header)) if any(row[index] for row in rows)]
    header, rows = [header[index] for index in used], [[row[index] for index in used] for row in rows]
    widths = [max(len(plain(row[at])) for row in [header, *rows]) for at in range(len(used))]
    least = sum(min(cell, _LEAST_WIDTH) + 2 for cell in widths) + 4
    if least > width:
        yield from _paragraphs(header, rows)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in header:
        table.add_column(plain(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell), overflow="fold") for cell in row))
    yield Padding(table, (0, 0, 0, 4))


def _paragraphs(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[RenderableType]:
    for first, *rest in rows:
        yield indented(styled(plain(first)), 4)
        cells = zip(header[1:], rest, strict=True)
        yield indented(styled(" · ".join(f"{plain(name)} {plain(cell)}" for name, cell in cells if cell)), 6)
