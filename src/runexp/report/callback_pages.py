"""The pages of the callbacks that runexp brings; their options are the catalog's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from runexp.catalog import Entry, accepted_text, lookup
from runexp.report.catalog import LEVELS, default_text


@dataclass(frozen=True, slots=True)
class CallbackPage:
    """The page of one callback, in Markdown; `levels` are `phase`, `experiment` or both."""

    name: str
    levels: tuple[str, ...]
    summary: str
    text: str


@cache
def callback_pages() -> tuple[CallbackPage, ...]:
    """Every page, by name. `ValueError` for one that does not begin as every page does, or is of no callback."""
    found = (page for page in files("runexp.report").joinpath("callbacks").iterdir() if page.name.endswith(".md"))
    pages = [_page(page.name.removesuffix(".md"), page.read_text(encoding="utf-8")) for page in found]
    return tuple(sorted(pages, key=lambda page: page.name))


def index_markdown() -> str:
    """The pages, those for both levels said to be so."""
    rows = [f"| [{page.name}]({page.name}.md) | {_place(page)} | {page.summary} |" for page in callback_pages()]
    return "\n".join([_INDEX, *rows, ""])


def _page(name: str, text: str) -> CallbackPage:
    entry = lookup(name, "callback")
    if entry is None or not text.startswith(f"# {name}\n\n*callback · ") or _OPTIONS not in text:
        raise ValueError(f"the page of the callback {name} does not begin as every page does")
    return CallbackPage(name, entry.words("levels"), entry.summary, text.replace(_OPTIONS, options_table(entry)))


def options_table(entry: Entry) -> str:
    """The options of a callback in Markdown, as the catalog has them."""
    if not entry.parameters:
        return "It has none."
    rows = [
        f"| `{one.name}` | {_cell(accepted_text(one))} | {_default(default_text(one, entry))} | {_cell(one.summary)} |"
        for one in entry.parameters
    ]
    return "\n".join(["| option | takes | default | |", "|---|---|---|---|", *rows])


def _default(text: str) -> str:
    return text if text == "required" else f"`{text}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _place(page: CallbackPage) -> str:
    return " and ".join(f"`{LEVELS[level]}`" for level in page.levels)


_OPTIONS = "<options>"
_INDEX = """\
# Callbacks that runexp brings

Each has a page with a spec that runs, its options, what it tells and writes, and what goes wrong; `runexp explain NAME`
prints it, `runexp catalog NAME` the options alone. How callbacks are called, in which order, and how to write one:
[the guide](../guide/callbacks.md). The progress of a run needs no callback: `runexp run` shows it unless `--quiet`.

| `use:` | stands in | what it does |
|---|---|---|"""
