"""Every code has a page, and every page tells the truth; `RUNEXP_UPDATE_GOLDEN=1` writes what runexp prints anew."""

from __future__ import annotations

import os
import re
from contextlib import chdir
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from explain.emitted import codes
from explain.pages import FENCE, LATE, example, sections, tried
from explain.triggers import TRIGGERS
from runexp.report.diagnostics import render
from runexp.report.explanations import explanations, index_markdown

PAGES = {page.code: page for page in explanations()}
TITLES = ("Wrong", "Right", "How to mend it")
IS_UPDATING = bool(os.environ.get("RUNEXP_UPDATE_GOLDEN"))
ALSO = {"too-many-mistakes": {"duplicate-key"}}
WIDTH = 90
every_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


@cache
def attempt(page, title):
    """What runexp finds in an example of a page, tried once, and the texts."""
    chosen = example(sections(page.text)[title])
    with TemporaryDirectory() as folder, chdir(folder):
        if chosen.is_fragment:
            return TRIGGERS[page.code](Path(folder))
        chosen.write(Path(folder))
        return tried(chosen, Path(folder), LATE.get(page.area, ""))


def printed(found, files):
    """What the terminal shows; the number of devices is the machine's own."""
    return re.sub(r"sees \d+ CUDA", "sees 0 CUDA", render(found, files, width=WIDTH))


def test_every_code_in_the_source_has_a_page_and_every_page_a_code(root):
    emitted = codes(root / "src/runexp")
    assert len(emitted) > 80
    assert emitted - PAGES.keys() == set()
    assert PAGES.keys() - emitted == set()


@every_page
def test_a_page_has_the_shape_of_every_page(page):
    first, *rest = sections(page.text)
    assert first == {"error": "Why it is refused", "warning": "Why it is warned of"}[page.severity]
    assert tuple(rest) == TITLES
    prose = FENCE.sub("", page.text)
    assert max(map(len, prose.splitlines())) <= 100
    assert page.summary.endswith(".")


@every_page
def test_the_bad_example_makes_that_mistake_alone_and_where_it_says(page):
    found, _ = attempt(page, "Wrong")
    assert {one.code for one in found} == {page.code} | ALSO.get(page.code, set())
    assert {one.severity for one in found if one.code == page.code} == {page.severity}
    marked = example(sections(page.text)["Wrong"]).marked
    assert not marked or marked == {(one.span.file, one.span.line) for one in found if one.code == page.code}


@every_page
def test_the_text_is_what_runexp_prints(page, root):
    shown = printed(*attempt(page, "Wrong"))
    if IS_UPDATING:
        page_file = root / "src/runexp/report/pages" / f"{page.code}.md"
        write = partial(
            re.sub, r"(?<=^```text\n).*?(?=^```$)", lambda _: shown, count=1, flags=re.MULTILINE | re.DOTALL
        )
        page_file.write_text(write(page_file.read_text(encoding="utf-8")), encoding="utf-8")
        return
    assert example(sections(page.text)["Wrong"]).text == shown


@every_page
def test_the_good_example_is_free_of_the_mistake_and_of_others(page):
    found, _ = attempt(page, "Right")
    assert not found


def test_the_documentation_holds_the_pages_that_ship(root):
    folder = root / "docs/diagnostics"
    explanations.cache_clear()  # the pages may just have been written anew
    texts = {f"{page.code}.md": page.text for page in explanations()} | {"README.md": index_markdown()}
    if IS_UPDATING:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("*.md"):
            stale.unlink()
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == texts
