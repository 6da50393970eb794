"""The parts of a page that are lists and tables: data, environment, files, what was true beside what was said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runexp.report.data import KeyFacts, SetFacts
from runexp.report.html.charts import Chart, residual_charts
from runexp.report.html.facts import PageFacts
from runexp.report.html.tables import HtmlTable, without_empty
from runexp.report.run_list import moment
from runexp.report.wording import counted, duration, number, plain
from runexp.results.judged import Confusion, Judged, Residuals
from runexp.results.run_record import RunRecord

_MOST_CLASSES = 30
_MOST_MISTAKES = 12
_MOST_CATEGORIES = 12
_SHADES = 10
_KEY_HEADS = ("key", "role", "shape", "type", "values", "missing", "transforms")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a confusion matrix: its count, and how dark it is, from 0 to 10."""

    count: int
    shade: int
    is_right: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """A confusion matrix to be drawn, or, of very many classes, the pairs most often confused."""

    title: str
    told: str
    labels: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...], str], ...]
    precision: tuple[str, ...]
    mistakes: HtmlTable | None


def matrix_of(found: Confusion) -> Matrix:
    """The matrix; its rows are true classes, its columns what they were taken for."""
    title = f"{plain(found.node)} on {plain(found.rows).replace('_', ' ')}"
    told = f"{counted(found.n_rows, 'row')}, accuracy {number(found.accuracy)}"
    pairs = tuple((plain(true), plain(said), f"{count:,}") for true, said, count in found.mistakes(_MOST_MISTAKES))
    mistakes = HtmlTable("most frequent confusions", ("true", "predicted", "rows"), pairs) if pairs else None
    if len(found.labels) > _MOST_CLASSES:
        return Matrix(title, f"{told}, {len(found.labels)} classes", (), (), (), mistakes)
    indices = range(len(found.labels))
    rows = tuple(
        (plain(found.labels[true]), tuple(_cells(found, true)), _share(found.recall(true))) for true in indices
    )
    precision = tuple(_share(found.precision(said)) for said in indices)
    return Matrix(title, told, tuple(map(plain, found.labels)), rows, precision, mistakes if len(indices) > 6 else None)


def _cells(found: Confusion, true: int) -> Iterator[Cell]:
    there = sum(found.counts[true])
    for said, count in enumerate(found.counts[true]):
        shade = max(1, round(_SHADES * count / there)) if count else 0
        yield Cell(count, shade, true == said)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}".replace("%", " %")


def judged_parts(judged: Sequence[Judged]) -> tuple[list[Matrix], list[Chart], list[HtmlTable]]:
    """The matrices, and of numbers their charts and errors."""
    matrices = [matrix_of(found) for found in judged if isinstance(found, Confusion)]
    numbers = [found for found in judged if isinstance(found, Residuals)]
    charts = [chart for found in numbers for chart in residual_charts(found, f"{plain(found.node)}")]
    tables = [
        HtmlTable(
            f"{plain(found.node)} on {plain(found.rows).replace('_', ' ')}: {counted(found.n_rows, 'row')}",
            ("error", "value"),
            tuple((name, number(value)) for name, value in found.numbers.items()),
        )
        for found in numbers
    ]
    return matrices, charts, tables


def data_tables(sets: Sequence[SetFacts]) -> list[tuple[SetFacts, str, HtmlTable]]:
    """Each feature set, its splits in words, and a table of its keys."""
    found = []
    for facts in sets:
        splits = ", ".join(f"{plain(name)} {count:,}" for name, count in facts.splits)
        heads, rows = without_empty(_KEY_HEADS, [_key(key) for key in facts.keys])
        found.append((facts, splits, HtmlTable(f"keys of {plain(facts.name)}", heads, rows, is_numeric=False)))
    return found


def _key(key: KeyFacts) -> tuple[str, ...]:
    shape = " x ".join(map(str, key.shape)) or "one value"
    missing = f"{key.n_missing:,}" if key.n_missing else ""
    role = key.domain.removesuffix("s")
    return (plain(key.name), role, shape, key.dtype, _values(key), missing, ", ".join(map(plain, key.transforms)))


def _values(key: KeyFacts) -> str:
    if key.categories:
        shown = ", ".join(f"{plain(name)}: {count:,}" for name, count in key.categories[:_MOST_CATEGORIES])
        more = len(key.categories) - _MOST_CATEGORIES
        return f"{shown}, {more} more" if more > 0 else shown
    if key.minimum is None or key.maximum is None:
        return f"{key.n_distinct:,} different" if key.n_distinct is not None else ""
    mean = f", mean {number(key.mean)}" if key.mean is not None and key.n_distinct is None else ""
    many = f", {key.n_distinct:,} different" if key.n_distinct is not None else ""
    return f"{number(key.minimum)} to {number(key.maximum)}{mean}{many}"


def facts_of(page: PageFacts) -> list[tuple[str, str]]:
    """What a run is, in pairs of a word and what it says."""
    record = page.record
    pairs = [
        ("run", record.id),
        ("started", moment(record.started)),
        ("took", duration(record.seconds) if record.seconds is not None else ""),
        ("seed", "" if record.seed is None else str(record.seed)),
        ("device", record.device),
        ("host", record.host),
        ("tags", ", ".join(record.tags)),
        ("note", record.note),
    ]
    return [(word, plain(said)) for word, said in pairs if said]


def units_of(page: PageFacts) -> list[str]:
    """Of numbers of transformed targets, a sentence a phase: which are in the target's own units."""
    words = {"original": "in the target's own units", "transformed": "in transformed units"}
    told = []
    for phase, numbers in page.units.items():
        named = {said: [name for name, unit in numbers.items() if unit == kind] for kind, said in words.items()}
        said = "; ".join(f"{', '.join(map(plain, names))} {units}" for units, names in named.items() if names)
        told.append(f"{plain(phase)}: {said}.")
    return told


def environment_of(record: RunRecord) -> HtmlTable:
    """Versions, platform, code and data, as the lock has them."""
    lock = record.lock
    rows = [("python", str(lock.get("python") or ""))]
    rows += [(str(name), str(version)) for name, version in _items(lock.get("packages"))]
    rows += [(str(name), str(value)) for name, value in _items(lock.get("platform"))]
    rows += [("git", _git(lock.get("git"))), ("plan", str(lock.get("plan") or ""))]
    rows += [(f"data {name}", str(value)) for name, value in _items(lock.get("sources"))]
    rows += [(f"code {name}", str(value)) for name, value in _items(lock.get("code"))]
    said = tuple((plain(name), plain(value)) for name, value in rows if value)
    return HtmlTable("what the run was made with", ("what", "version or fingerprint"), said, is_numeric=False)


def _git(git: Any) -> str:  # noqa: ANN401 - whatever the file holds
    if not isinstance(git, Mapping) or not git.get("commit"):
        return ""
    return f"{git['commit']}{', with changes that were not committed' if git.get('dirty') else ''}"


def _items(found: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - whatever the file holds
    return list(found.items()) if isinstance(found, Mapping) else []
