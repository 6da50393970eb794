"""Texts that ship with Python, for specs that run without a file or a network."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pydoc_data.topics import topics

TOPICS = "runexp.data.python_topics"
"""The name of the source."""


def python_topics() -> tuple[tuple[str, str], ...]:
    """Python's own help, by topic, and what it says of the built-ins: half a million characters of English.

    They differ a little between versions of Python.
    """
    about = ((f"builtins.{name}", "\n\n".join(_told(name))) for name in sorted(vars(builtins)) if name[:1] != "_")
    return tuple(sorted((*topics.items(), *((name, f"{text}\n\n") for name, text in about if text))))


def _told(name: str) -> Iterator[str]:
    """The docstrings of a built-in and of what it has of its own."""
    found = vars(builtins)[name]
    members = vars(found) if isinstance(found, type) else {}
    for one in (found, *(members[member] for member in sorted(members))):
        text = getattr(one, "__doc__", None)
        if isinstance(text, str) and not isinstance(one, str):
            yield text
