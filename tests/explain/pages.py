"""A page taken apart, and its examples tried: checked, and looked at deeply, run or drafted where that is needed."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from runexp.api.checking import check
from runexp.api.deep import check_deep
from runexp.api.drafting import draft_spec
from runexp.api.running import Place, run
from runexp.api.table_roles import Named
from runexp.diagnostics import SpecError

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## (.+)\n", re.MULTILINE)
MARK = "# <- here"
LATE = {"Data that is read": "run", "Start of a run": "run", "Deep check": "deep", "Spec from a table": "draft"}
"""Area of a page → how its mistakes are found, where checking does not find them."""

MEMORY = 16 * 10**9


@dataclass(frozen=True)
class Example:
    """The files of one example, the options of its command, and the text that runexp is said to print."""

    files: dict[str, str]
    options: tuple[tuple[str, str], ...]
    text: str
    is_fragment: bool

    @property
    def overrides(self):
        return tuple(value for option, value in self.options if option == "--set")

    @property
    def marked(self):
        """Every (file, line) that says the mistake is here."""
        return {
            (name, number)
            for name, text in self.files.items()
            for number, line in enumerate(text.splitlines(), start=1)
            if MARK in line
        }

    def write(self, folder):
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")


def sections(page):
    """Title of each section → its text."""
    _, *parts = SECTION.split(page)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def example(section):
    files, options, text, is_fragment = {}, (), "", False
    for info, body in FENCE.findall(section):
        language, _, name = info.partition(" ")
        if language == "text":
            text = body
        elif language == "sh":
            options = tuple(pair for pair in pairwise(shlex.split(body)) if pair[0].startswith("--"))
        else:
            is_fragment = is_fragment or name == "fragment"
            files[name or "spec.yaml"] = body
    return Example(files, options, text, is_fragment)


def tried(example, folder, how=""):
    """What runexp finds in an example whose files stand in `folder`, and the texts it read."""
    if how == "draft":
        return _drafted(dict(example.options))
    checked = check("spec.yaml", overrides=example.overrides)
    if not checked.is_valid or not how:
        return checked.diagnostics, checked.files
    if how == "deep":
        return _looked_into(checked), checked.files
    # With a thread for each core, tests that run side by side would wait for each other.
    alone = check("spec.yaml", overrides=(*example.overrides, "execution.threads=1"))
    return (*checked.diagnostics, *_refused(lambda: _run(alone, folder))), checked.files


def _drafted(options):
    """What drafting a spec finds, and what checking finds in the draft."""
    named = Named(options["--target"], options.get("--id", ""), options.get("--group", ""))

    def draft():
        Path("spec.yaml").write_text(draft_spec(Path(options["--from-data"]), named, folder=Path()), encoding="utf-8")

    return _refused(draft) or check("spec.yaml").diagnostics, {}


def _looked_into(checked):
    """What a machine with 16 GB of memory says."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("runexp.runtime.deep.sizes.memory_of", lambda device: MEMORY)
        return check_deep(checked).checked.diagnostics


def _run(checked, folder):
    error = run(checked, Place(folder / "runs"), watch=lambda live: ()).error
    if error is not None:
        raise error


def _refused(action):
    try:
        action()
    except SpecError as refused:
        return refused.diagnostics
    return ()
