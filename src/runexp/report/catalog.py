"""The catalog on a terminal: an overview by kind, a list of what was found, and one entry in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table

from runexp.catalog import Entry, Parameter, accepted_text
from runexp.report.catalog_example import example, given_by_runexp
from runexp.report.page import indented, named, styled, to_text
from runexp.report.wording import counted

LEVELS = {"phase": "callbacks", "experiment": "experiment_callbacks"}
"""Where a callback that is called at a level is defined."""

_NARROW = 80  # below, a table of four columns is no longer readable
_MOST_SHOWN = 40

KIND_SUMMARIES: Mapping[str, str] = {
    "module": "torch modules, for nodes and layers",
    "loss": "what train phases minimise",
    "optimizer": "what updates the weights",
    "schedule": "the learning rate over a phase",
    "estimator": "scikit-learn models, fitted in closed form",
    "transform": "scikit-learn transformers, for data and nodes",
    "metric": "what is reported",
    "splitter": "how folds are made",
    "dataset": "data sets that need no file",
    "callback": "what steers or watches a train phase",
    "sampler": "how rows are drawn",
    "merge": "how several inputs become one",
    "function": "a function of numbers, by name, for a transformer",
    "tracker": "where numbers are sent",
}


def render_overview(names: Mapping[str, Sequence[str]], *, console_width: int, color: bool) -> str:
    """Every kind that has entries, with their number and the first short names."""
    parts: list[RenderableType] = []
    for kind, known in names.items():
        if known:
            summary = f"  {KIND_SUMMARIES.get(kind, '')}"
            parts.append(styled(named(kind), f"  {len(known)}", (summary, "dim")))
            short = [name for name in known if "." not in name][:8] or list(known)[:2]
            more = ", …" if len(short) < len(known) else ""
            parts.append(indented(styled(", ".join(short) + more)))
    parts += ["", styled(("runexp catalog NAME shows one, --kind lists a kind, --search finds", "dim"))]
    return to_text(parts, console_width=console_width, color=color)


def render_list(entries: Sequence[Entry], *, console_width: int, color: bool, all_of_them: bool) -> str:
    """Entries one below the other: the name to write, the kind, the summary."""
    shown = entries if all_of_them else entries[:_MOST_SHOWN]
    parts: list[RenderableType] = []
    for entry in shown:
        parts.append(styled(named(entry.name), (f"  {entry.kind}", "cyan"), (_also(entry), "dim")))
        if entry.summary:
            parts.append(indented(styled(entry.summary)))
    if len(shown) < len(entries):
        parts.append(styled((f"… and {len(entries) - len(shown)} more; search for more of the name", "dim")))
    parts += ["", styled((counted(len(entries), "name"), "dim"))]
    return to_text(parts, console_width=console_width, color=color)


def render_entry(entry: Entry, *, console_width: int, color: bool) -> str:
    """One entry: what it is, its parameters, what need not be written, and how it is used."""
    parts: list[RenderableType] = [styled(named(entry.name), (f"  {entry.kind}", "cyan"))]
    if entry.summary:
        parts.append(indented(styled(entry.summary)))
    parts += [indented(styled((f"{label}  ", "dim"), text)) for label, text in _facts(entry)]
    parts += ["", *_parameters(entry, console_width), "", styled("example", ":")]
    parts += [indented(styled(line)) for line in example(entry).splitlines()]
    return to_text(parts, console_width=console_width, color=color)


def _also(entry: Entry) -> str:
    others = [short for short in entry.short if short != entry.name]
    return f"  {', '.join(others)}" if others else ""


def _facts(entry: Entry) -> list[tuple[str, str]]:
    fixed = ", ".join(f"{name}={_WORDS.get(str(value), value)}" for name, value in entry.fixed.items())
    inferred = entry.words("infers")
    found = [
        ("short name", ", ".join(short for short in entry.short if short != entry.name)),
        ("stands for", f"{entry.target.replace(':', '.')} with {fixed}" if fixed else ""),
        ("inferred from the input", ", ".join(inferred)),
        ("given by runexp", ", ".join(given_by_runexp(entry))),
        ("methods", ", ".join(entry.words("methods"))),
        ("stands in", " and ".join(f"`{LEVELS[level]}`" for level in entry.words("levels"))),
        ("more", f"runexp explain {entry.name}" if entry.traits.get("page") else ""),
        ("columns", _some(entry.words("columns"))),
        ("better", _better(entry)),
    ]
    return [(label, text) for label, text in found if text]


def _some(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _better(entry: Entry) -> str:
    higher = entry.traits.get("higher_is_better")
    return "" if higher is None else "higher" if higher else "lower"


def _parameters(entry: Entry, console_width: int) -> list[RenderableType]:
    hidden = given_by_runexp(entry)
    shown = [parameter for parameter in entry.parameters if parameter.name not in hidden]
    if not shown:
        return [styled("it takes any keyword argument" if entry.accepts_any else "it takes no parameters")]
    if console_width < _NARROW:
        return [line for parameter in shown for line in _stacked(parameter, entry)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("parameter", overflow="fold", max_width=28)
    table.add_column("takes", ratio=2, overflow="fold")
    table.add_column("default", overflow="fold", max_width=16)
    table.add_column("what it is", ratio=3, overflow="fold")
    for parameter in shown:
        table.add_row(
            styled(named(parameter.name)),
            styled(accepted_text(parameter)),
            styled(default_text(parameter, entry)),
            styled(parameter.summary),
        )
    return [table]


def _stacked(parameter: Parameter, entry: Entry) -> list[RenderableType]:
    head = styled(named(parameter.name), (f"  {default_text(parameter, entry)}", "dim"))
    lines: list[RenderableType] = [head, indented(styled(accepted_text(parameter)))]
    return [*lines, indented(styled((parameter.summary, "dim")))] if parameter.summary else lines


def default_text(parameter: Parameter, entry: Entry) -> str:
    """The default as a spec would have it, or why there is none."""
    if parameter.name in entry.words("infers"):
        return "inferred"
    if parameter.required:
        return "required"
    if isinstance(parameter.default, str):
        return parameter.default
    return _WORDS.get(parameter.default_text, parameter.default_text)


_WORDS = {"None": "null", "True": "true", "False": "false"}
