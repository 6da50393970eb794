"""Texts that ship with Python, for specs that run without a file or a network."""

from __future__ import annotations

from pydoc_data.topics import topics


TOPICS = "runexp.data.python_topics"
"""The name of the source."""


def python_topics() -> tuple[tuple[str, str], ...]:
    """The topics of Python's own help, by name: some 470,000 characters of English. They differ between versions."""
    return tuple(sorted(topics.items()))
