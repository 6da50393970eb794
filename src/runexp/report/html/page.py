"""Runs and sweeps as HTML files that need nothing else. Everything a user wrote is escaped."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from runexp.report.characters import cleaned
from runexp.report.html.charts import Chart
from runexp.report.html.comparison import comparison_parts
from runexp.report.html.curves import curves_of_run
from runexp.report.html.drawing import draw_chart, embedded, interactive_script
from runexp.report.html.facts import PageFacts
from runexp.report.html.graph import draw_graph
from runexp.report.html.highlight import highlighted
from runexp.report.html.provenance import (
    alerts_of,
    checkpoints_of,
    guards_of,
    lineage_of,
    model_of,
    trackers_of,
)
from runexp.report.html.resources import resource_charts, resource_table
from runexp.report.html.sections import data_tables, environment_of, facts_of, judged_parts, units_of
from runexp.report.html.sweep import sweep_parts
from runexp.report.html.sweep_facts import SweepFacts
from runexp.report.html.tables import key_numbers, number_tables
from runexp.report.html.timeline import timeline
from runexp.report.wording import plain
from runexp.results.comparison import Comparison
from runexp.version import __version__

_FOLDER = Path(__file__).parent / "templates"
_OPEN_CHARTS = 6
_JOINTS = re.compile(r"([_./])(?=\w)")


def render_run_page(facts: PageFacts, *, interactive: bool = False) -> str:
    """The page of one run."""
    curves = curves_of_run(facts.results, per_batch=facts.per_batch)
    matrices, residuals, errors = judged_parts(facts.judged)
    return _rendered(
        "run.html",
        interactive=interactive,
        title=plain(facts.record.name) or "run",
        facts=facts,
        record=facts.record,
        results=facts.results,
        about=facts_of(facts),
        keys=key_numbers(facts.results),
        warnings=_warnings(facts),
        graph=Markup(draw_graph(facts.picture)) if facts.picture and facts.picture.boxes else None,
        timeline=timeline(facts.results, facts.spans),
        curves=curves,
        numbers=number_tables(facts.results),
        units=units_of(facts),
        matrices=matrices,
        residuals=residuals,
        errors=errors,
        data=data_tables(facts.sets),
        environment=environment_of(facts.record),
        resources=resource_table(facts.measured),
        measured=resource_charts(facts.measured),
        guards=guards_of(facts),
        alerts=alerts_of(facts),
        checkpoints=checkpoints_of(facts),
        lineage=lineage_of(facts.record),
        trackers=trackers_of(facts),
        model=model_of(facts),
        spec=Markup(highlighted(facts.spec)),
    )


def render_comparison_page(pages: Sequence[PageFacts], found: Comparison, *, interactive: bool = False) -> str:
    """The page of several runs side by side."""
    parts = comparison_parts(pages, found)
    specs = [Markup(highlighted(facts.spec)) for facts in pages]
    return _rendered("comparison.html", interactive=interactive, specs=specs, **parts)


def render_sweep_page(facts: SweepFacts, *, interactive: bool = False) -> str:
    """The page of a sweep, or of repeats."""
    spec, best = Markup(highlighted(facts.spec)), Markup(highlighted(facts.best))
    return _rendered("sweep.html", interactive=interactive, spec=spec, best_spec=best, **sweep_parts(facts))


def _warnings(facts: PageFacts) -> list[tuple[str, str]]:
    """What a person should know: where, and what; of the run as a whole first."""
    told = [("", message) for message in facts.results.warnings]
    for phase in facts.results.results.flatten().values():
        told += [(phase.label, message) for message in phase.warnings]
    cv = facts.results.cv
    told += [(fold.label, f"{fold.status}: {fold.error}") for fold in (cv.facts if cv else ()) if fold.error]
    return list(dict.fromkeys((plain(where), plain(message)) for where, message in told))


def _rendered(template: str, *, interactive: bool, **parts: Any) -> str:  # noqa: ANN401 - what a template takes
    drawn = _Drawn(interactive=interactive)
    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    script = interactive_script() if interactive else ""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clean"] = cleaned
    environment.filters["soft"] = _soft
    return environment.get_template(template).render(
        **parts,
        version=__version__,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        chart=drawn.chart,
        n_open=_OPEN_CHARTS,
    )


def _soft(text: str) -> Markup:
    """A name, escaped, that may be broken behind its underscores, dots and strokes."""
    return Markup(_JOINTS.sub(r"\1<wbr>", str(escape(cleaned(text)))))


def _policy(style: str, script: str) -> str:
    """What a browser is to allow: this style and this script, pictures inside the page, and nothing from anywhere."""
    scripts = f" script-src '{_hash(script)}';" if script else ""
    # Vega sets styles of elements it makes; a page that stands still needs none but its own.
    styles = "'unsafe-inline'" if script else f"'{_hash(style)}'"
    return f"default-src 'none';{scripts} style-src {styles}; img-src data:; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


class _Drawn:
    """Draws charts in the order a page asks for them, and numbers those that a script is to draw again."""

    def __init__(self, *, interactive: bool) -> None:
        self._interactive = interactive
        self._count = 0

    @property
    def chart(self) -> Callable[[Chart], dict[str, Any]]:
        """A chart ready for the page: its picture, and its data under a mark where a script needs them."""
        return self._draw

    def _draw(self, chart: Chart) -> dict[str, Any]:
        self._count += 1
        picture = Markup(draw_chart(chart))
        data = Markup(embedded(chart)) if self._interactive else None
        return {"picture": picture, "mark": f"chart-{self._count}", "data": data}
