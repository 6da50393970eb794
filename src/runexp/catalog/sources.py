"""runexp's own sources of rows, beside the sets and generators of scikit-learn."""

from __future__ import annotations

from runexp.catalog.entry import Entry, Parameter


def _text(name: str, summary: str) -> Parameter:
    return Parameter(name, True, None, "", ("str",), (), (), summary)


SOURCES = {
    "sql": Entry(
        "sql",
        "",
        "dataset",
        "The rows of a query: from SQLite as Python has it, from other databases through SQLAlchemy.",
        (
            _text("url", "where the database is: `sqlite:///file.db` beside the spec, or a URL of SQLAlchemy's"),
            _text("query", "the SELECT whose rows are taken, in the order it gives them"),
        ),
        short=("sql",),
        traits={"own": True},
    ),
    "runexp.data.python_topics": Entry(
        "runexp.data.python_topics",
        "",
        "dataset",
        "The topics of Python's own help, a text of some 470,000 characters that every Python ships with: a row for "
        "each line, or with a `tokenizer` for each token.",
        traits={"own": True, "columns": ["text"]},
    ),
}
