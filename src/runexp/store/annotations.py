"""annotations.json: the tags and the note that a person gave a run. They are no part of what it found out."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from runexp.store.atomic import write_atomically
from runexp.store.scan import ANNOTATIONS

_TAG = re.compile(r"[\w][\w.:/+-]{0,99}")
_LONGEST_NOTE = 10_000


@dataclass(frozen=True, slots=True)
class Annotations:
    """Tags in the order they were given, and a note."""

    tags: tuple[str, ...] = ()
    note: str = ""


def read_annotations(folder: Path) -> Annotations:
    """What was said of a run; nothing where the file is missing or cannot be read."""
    try:
        data = json.loads((folder / ANNOTATIONS).read_text(encoding="utf-8"))
        tags = tuple(tag for tag in data.get("tags", ()) if isinstance(tag, str))
        note = data.get("note", "")
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return Annotations()
    return Annotations(tags, note if isinstance(note, str) else "")


def change_annotations(folder: Path, change: Callable[[Annotations], Annotations]) -> Annotations:
    """Replace what is said of a run, one process after the other; gives what is said then. `OSError` if it cannot."""
    with _alone(folder):
        changed = change(read_annotations(folder))
        write_atomically(folder / ANNOTATIONS, json.dumps(asdict(changed), indent=2, ensure_ascii=False) + "\n")
    return changed


def check_tag(tag: str) -> None:
    """`ValueError` unless a text can be a tag."""
    if not _TAG.fullmatch(tag):
        raise ValueError(f"{tag!r} cannot be a tag: up to 100 letters, digits, `_`, `.`, `:`, `/`, `+`, `-`, no spaces")


def check_note(note: str) -> None:
    """`ValueError` for a note that is too long."""
    if len(note) > _LONGEST_NOTE:
        raise ValueError(f"a note has at most {_LONGEST_NOTE:,} characters, this one has {len(note):,}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
