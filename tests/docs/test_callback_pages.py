"""Every callback that runexp brings has a page that tells the truth; `RUNEXP_UPDATE_GOLDEN=1` writes docs/callbacks."""

from __future__ import annotations

import json
import os
import re
from typing import get_args

import pytest

from runexp.api.checking import check
from runexp.api.running import Place, run
from runexp.catalog import lookup, names
from runexp.catalog.libraries import SHIPPED
from runexp.events import EVENT_TYPES
from runexp.report.callback_pages import callback_pages, index_markdown
from runexp.report.explanations import explanations
from runexp.runtime.catalog import catalog_files
from runexp.runtime.catalog.generate import LIBRARIES
from runexp.spec.built_in_callbacks import BuiltIn, OfExperiment
from runexp.spec.callbacks import EarlyStopping, Evaluation

PAGES = callback_pages()
SECTIONS = (Evaluation, EarlyStopping, *get_args(BuiltIn))
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
_SPEC = re.compile(r"^```yaml\n# file: (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TOLD = re.compile(r"^\| (event|number|file) \| `([^`]+)` \|", re.MULTILINE)
_TITLES = ("A spec", "Options", "What it tells and writes", "What goes wrong")


def word_of(section):
    return get_args(section.model_fields["use"].annotation)[0]


def test_every_callback_of_the_language_has_a_page_and_stands_in_the_catalog():
    words = sorted(word_of(section) for section in SECTIONS)
    assert [page.name for page in PAGES] == words
    assert sorted(name for name in names("callback") if lookup(name, "callback").traits.get("section")) == words
    assert {page.name for page in PAGES if "experiment" in page.levels} == set(map(word_of, get_args(OfExperiment)))
    assert not {page.name for page in PAGES} & {page.code for page in explanations()}


@pytest.mark.parametrize("section", SECTIONS, ids=word_of)
def test_the_options_of_the_catalog_are_those_of_the_language(section):
    entry = lookup(word_of(section), "callback")
    fields = {name: field for name, field in section.model_fields.items() if name != "use"}
    assert [one.name for one in entry.parameters] == list(fields)
    for one in entry.parameters:
        field = fields[one.name]
        assert one.required == field.is_required()
        assert one.required or one.default == field.default
        assert one.summary == (field.description or one.summary)
    assert entry.summary == " ".join(section.__doc__.split())


def test_the_shipped_entries_are_fresh(root):
    own = next(library for library in LIBRARIES if library.is_own)
    texts = catalog_files(own)
    if os.environ.get("RUNEXP_UPDATE_GOLDEN"):
        (root / "src/runexp/catalog/shipped/runexp/callback.json").write_text(texts["callback"], encoding="utf-8")
    with open(f"{SHIPPED}/runexp/callback.json", encoding="utf-8") as shipped:
        assert shipped.read() == texts["callback"]


@every_page
def test_a_page_has_the_shape_of_every_page(page):
    prose = re.sub(r"^```.*?^```$", "", page.text, flags=re.MULTILINE | re.DOTALL)
    assert tuple(re.findall(r"^## (.+)$", prose, re.MULTILINE)) == _TITLES
    assert len(_SPEC.findall(page.text)) == 1
    for option in lookup(page.name, "callback").parameters:
        assert f"| `{option.name}` |" in page.text
    quoted = set(re.findall(r"`([A-Z]\w+)`", page.text))
    assert {kind for kind, _ in _TOLD.findall(page.text)} <= {"event", "number", "file"}
    assert quoted <= EVENT_TYPES.keys()
    codes = {code for code in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", prose)}
    assert codes <= {one.code for one in explanations()}


def test_the_documentation_holds_the_pages_that_ship(root):
    folder = root / "docs/callbacks"
    texts = {f"{page.name}.md": page.text for page in PAGES} | {"README.md": index_markdown()}
    if os.environ.get("RUNEXP_UPDATE_GOLDEN"):
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == texts


def test_the_guide_links_every_page(root):
    guide = (root / "docs/guide/callbacks.md").read_text(encoding="utf-8")
    assert {page.name for page in PAGES} <= set(re.findall(r"\(\.\./callbacks/(\w+)\.md\)", guide))


@every_page
def test_the_spec_of_a_page_is_free_of_mistakes(page, tmp_path):
    ((name, text),) = _SPEC.findall(page.text)
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert [one for one in check(tmp_path / name).diagnostics if one.is_error] == []


@pytest.mark.slow
@every_page
def test_what_a_page_says_is_told_and_written_is(page, tmp_path):
    ((name, text),) = _SPEC.findall(page.text)
    (tmp_path / name).write_text(text, encoding="utf-8")
    alone = check(tmp_path / name, overrides=("execution.threads=1", "execution.device=cpu"))
    assert run(alone, Place(at=tmp_path / "run"), watch=lambda live: ()).status == "completed"
    events = [json.loads(line) for line in (tmp_path / "run/events.jsonl").read_text().splitlines()]
    numbers = {metric for event in events for metric in event.get("metrics", ())}
    found = {"event": {event["event"] for event in events}, "number": numbers}
    for kind, what in _TOLD.findall(page.text):
        assert (tmp_path / "run" / what).is_file() if kind == "file" else what in found[kind]
