"""A text as a stream: a row for each character, in the columns `text` (its code point) and `document`."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from runexp.plan.data import SourcePlan
from runexp.plan.values import Origin
from runexp.runtime.data.finding import find_files
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.several import SPLIT_OF_FILE
from runexp.runtime.data.shipped_text import python_topics
from runexp.runtime.data.table import Array, Column
from runexp.runtime.data.text_file import read_text


@dataclass(frozen=True, slots=True)
class Document:
    """One text of a stream; `split` is the one its file is for, empty where files say nothing of splits."""

    name: str
    text: str
    split: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class TextStream:
    """Documents one behind the other; `starts` are the rows they begin at."""

    label: str
    documents: tuple[Document, ...]
    starts: tuple[int, ...]
    n_rows: int
    fingerprint: str

    @property
    def names(self) -> tuple[str, ...]:
        return ("text", "document")

    def column(self, name: str, origin: Origin) -> Column:
        """(N,): code points, the number of the document, or the split it is for."""
        if name == "text":
            return Column(name, np.concatenate([_code_points(one.text) for one in self.documents]), None)
        counts = [len(one.text) for one in self.documents]
        if name == SPLIT_OF_FILE:
            return Column(name, np.repeat([one.split for one in self.documents], counts), None)
        return Column(name, np.repeat(np.arange(len(counts)), counts), None)

    def place(self, row: int) -> str:
        """The line of its document, and which document that is."""
        index = bisect_right(self.starts, row) - 1
        document = self.documents[index]
        line = document.text.count("\n", 0, row - self.starts[index]) + 1
        of = f" of {shown(document.name)}" if len(self.documents) > 1 else ""
        return f"row {row} (line {line}{of})"


def open_stream(plan: SourcePlan, folder: Path) -> TextStream:
    """Read texts whole: a file, the files of a pattern, one source a split, or a text that ships with Python.

    Line ends become `\\n`. `SpecError` for a file that is missing, empty of text or not UTF-8.
    """
    documents = tuple(_documents(plan, folder))
    ends = list(accumulate(len(one.text) for one in documents))
    label = plan.path or (plan.call.name if plan.call else "the files of the splits")
    if not ends[-1]:
        raise wrong(plan.origin, "empty-source", f"{shown(label)} holds no text")
    return TextStream(label, documents, (0, *ends[:-1]), ends[-1], _fingerprint(documents))


def _documents(plan: SourcePlan, folder: Path, split: str = "") -> Iterator[Document]:
    if plan.kind == "files":
        for name, part in plan.parts.items():
            yield from _documents(part, folder, name)
        return
    if plan.call is not None:
        yield from (Document(name, text, split) for name, text in python_topics())
        return
    files = find_files(plan, folder)
    if files is None:
        yield Document(plan.path, read_text(plan, folder / plan.path, folder), split)
        return
    for file in files:
        yield Document(file.name, read_text(plan, file.path, folder), split)


def _code_points(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)


def _fingerprint(documents: Sequence[Document]) -> str:
    digest = hashlib.sha256()
    for one in documents:
        digest.update(f"{one.name}\0{len(one.text)}\n".encode(errors="surrogateescape"))
        digest.update(one.text.encode())
    return digest.hexdigest()
