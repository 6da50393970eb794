"""Several runs on one page: who they are, what differs, their numbers, their curves on one scale."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from runexp.report.html.charts import Chart, Line, line_chart
from runexp.report.html.curves import Points, families, mean_points, points_of, trainings
from runexp.report.html.facts import PageFacts
from runexp.report.html.tables import HtmlTable, is_total
from runexp.report.run_list import moment
from runexp.report.wording import column, duration, number, plain
from runexp.results.comparison import Comparison, Row
from runexp.results.losses import is_rate
from runexp.results.phases import TrainResults
from runexp.results.run_record import MISSING

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ABSENT = "·"
_MOST_CHARTS = 60


@dataclass(frozen=True, slots=True)
class Difference:
    """A number of all runs: the cells, and how far each is from the first run's."""

    name: str
    cells: tuple[tuple[str, str], ...]


def comparison_parts(pages: Sequence[PageFacts], found: Comparison) -> dict[str, Any]:
    """What the template of a comparison takes."""
    letters = [_letter(index) for index in range(len(pages))]
    return {
        "title": f"{len(pages)} runs compared",
        "letters": letters,
        "runs": _runs(pages, letters),
        "parts": [
            _differences("spec", found.spec, letters),
            _differences("environment", found.environment, letters),
            _differences("data", found.data, letters),
        ],
        "numbers": [_number(row) for row in _telling_rows(found.metrics)],
        "spreads": _spreads(pages, letters),
        "curves": _curves(pages, letters),
        "warnings": [
            (letter, plain(page.results.where), plain(page.results.error or page.record.error))
            for letter, page in zip(letters, pages, strict=True)
            if page.results.error or page.record.error
        ],
    }


def _letter(index: int) -> str:
    return _LETTERS[index] if index < len(_LETTERS) else str(index + 1)


def _runs(pages: Sequence[PageFacts], letters: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "letter": letter,
            "slot": index % 8,
            "name": plain(page.record.name),
            "id": page.record.id,
            "status": page.record.status,
            "started": moment(page.record.started),
            "took": duration(page.record.seconds) if page.record.seconds is not None else "",
            "said": plain(", ".join([*page.record.tags, *([page.record.note] if page.record.note else [])])),
        }
        for index, (letter, page) in enumerate(zip(letters, pages, strict=True))
    ]


def _differences(title: str, rows: Sequence[Row], letters: Sequence[str]) -> tuple[str, HtmlTable | None]:
    if not rows:
        return title, None
    body = tuple((plain(row.address), *map(_shown, row.values)) for row in rows)
    return title, HtmlTable(f"what differs in {title}", ("address", *letters), body, is_numeric=False)


def _shown(value: Any) -> str:  # noqa: ANN401 - any value of a spec
    if value is MISSING:
        return _ABSENT
    if isinstance(value, str):
        return plain(value) or "''"
    return number(value) if isinstance(value, float) else plain(json.dumps(value, ensure_ascii=False, default=str))


def _telling_rows(rows: Sequence[Row]) -> list[Row]:
    """The numbers without learning rates, and without losses that only repeat a total in all runs."""
    there = [row for row in rows if not is_rate(row.address.rpartition(".")[2])]
    totals = [row.values for row in there if is_total(row.address)]
    return [row for row in there if is_total(row.address) or row.values not in totals]


def _number(row: Row) -> Difference:
    values = [None if value is MISSING else value for value in row.values]
    shown = [text or _ABSENT for text in column(values)]
    far = ["", *(_distance(values[0], value) for value in values[1:])]
    return Difference(plain(row.address), tuple(zip(shown, far, strict=True)))


def _distance(first: float | None, value: float | None) -> str:
    if first is None or value is None or not isfinite(first) or not isfinite(value):
        return ""
    return "=" if value == first else f"{value - first:+.3g}"


def _spreads(pages: Sequence[PageFacts], letters: Sequence[str]) -> HtmlTable | None:
    """Mean and deviation over folds, where every run is a cross-validation."""
    found = [page.results.cv.spreads() if page.results.cv else {} for page in pages]
    if not all(found):
        return None
    names = [
        name for name in dict.fromkeys(name for one in found for name in one) if not is_rate(name.rpartition(".")[2])
    ]
    body = []
    for name in names:
        cells = []
        for one in found:
            spread = one.get(name)
            std = f" ± {number(spread.std)}" if spread and spread.std is not None else ""
            cells.append(f"{number(spread.mean)}{std}" if spread else _ABSENT)
        body.append((plain(name), *cells))
    return HtmlTable("mean ± standard deviation over folds", ("number", *letters), tuple(body))


def _curves(pages: Sequence[PageFacts], letters: Sequence[str]) -> list[Chart]:
    """A chart a number, a line a run, of folds their mean."""
    told = [_points(page) for page in pages]
    names = list(dict.fromkeys(name for each in told for name in each))
    charts = []
    for name in sorted(names, key=_telling)[:_MOST_CHARTS]:
        lines = [
            Line(letter, each[name], index, is_dashed=index >= 8)
            for index, (letter, each) in enumerate(zip(letters, told, strict=True))
            if name in each
        ]
        charts.append(line_chart(plain(name), lines))
    return [chart for chart in charts if chart is not None]


def _telling(name: str) -> bool:
    """Whether a number says little beside the others: what repeats an evaluation comes after it."""
    return not name.endswith("_loss")


def _points(page: PageFacts) -> Mapping[str, Points]:
    """By `<phase>.<number>` the curve of a run; numbers of a single epoch are in the table alone."""
    if page.results.cv is None:
        phases = trainings(page.results.results.flatten().values())
        return _of([(phase.label, [phase]) for phase in phases])
    by_label: dict[str, list[TrainResults]] = {}
    for fold in page.results.cv.facts:
        if fold.label in page.results.cv.results:
            for phase in trainings(page.results.cv.get_fold(fold.index).flatten().values()):
                by_label.setdefault(phase.label.removeprefix(f"{fold.label}/"), []).append(phase)
    return _of(list(by_label.items()))


def _of(phases: Sequence[tuple[str, Sequence[TrainResults]]]) -> dict[str, Points]:
    found: dict[str, Points] = {}
    for label, each in phases:
        for name in (name for names in families(each[0]).values() for name in names.values()):
            points = mean_points([points_of(phase, name) for phase in each])
            if len(points) > 1:
                found[f"{label}.{name}"] = points
    return found
