"""A page taken apart, and its examples tried: checked, and run where only that finds the mistake."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import pairwise

from runexp.api.checking import check
from runexp.api.running import Place, run
from runexp.diagnostics import SpecError

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## (.+)\n", re.MULTILINE)
MARK = "# <- here"


@dataclass(frozen=True)
class Example:
    """The files of one example, the overrides of its command, and the text that runexp is said to print."""

    files: dict[str, str]
    overrides: tuple[str, ...]
    text: str
    is_fragment: bool

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
    files, overrides, text, is_fragment = {}, (), "", False
    for info, body in FENCE.findall(section):
        language, _, name = info.partition(" ")
        if language == "text":
            text = body
        elif language == "sh":
            words = shlex.split(body)
            overrides = tuple(word for before, word in pairwise(words) if before == "--set")
        else:
            is_fragment = is_fragment or name == "fragment"
            files[name or "spec.yaml"] = body
    return Example(files, overrides, text, is_fragment)


def tried(example, folder, *, by_running):
    """What runexp finds in an example whose files stand in `folder`, and the texts it read."""
    checked = check("spec.yaml", overrides=example.overrides)
    if not checked.is_valid or not by_running:
        return checked.diagnostics, checked.files
    # With a thread for each core, tests that run side by side would wait for each other.
    alone = check("spec.yaml", overrides=(*example.overrides, "execution.threads=1"))
    try:
        error = run(alone, Place(folder / "runs"), watch=lambda live: ()).error
    except SpecError as refused:
        error = refused
    if error is not None and not isinstance(error, SpecError):
        raise error
    return (*checked.diagnostics, *(error.diagnostics if error else ())), checked.files
