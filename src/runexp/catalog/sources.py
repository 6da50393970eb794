"""runexp's own sources of rows, beside the sets and generators of scikit-learn."""

from __future__ import annotations

from runexp.catalog.entry import Entry, Parameter, Range


def _text(name: str, summary: str) -> Parameter:
    return Parameter(name, True, None, "", ("str",), (), (), summary)


def _whole(name: str, default: int, summary: str) -> Parameter:
    return Parameter(name, False, default, repr(default), ("int",), (), (Range("int", 1),), summary)


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
        "Python's own help, half a million characters of English that every Python ships with: a row for each line, "
        "or with a `tokenizer` for each token.",
        traits={"own": True, "columns": ["text"]},
    ),
    "runexp.data.waves": Entry(
        "runexp.data.waves",
        "",
        "dataset",
        "Series to try forecasts on, each the sum of two waves of its own and noise: `time`, `series`, `value`.",
        (
            _whole("n_rows", 1000, "rows of each series"),
            _whole("n_series", 4, "how many series there are"),
            Parameter("noise", False, 0.1, "0.1", ("float",), (), (Range("real", 0),), "spread of the noise"),
            Parameter(
                "random_state", False, None, "None", ("int", "none"), (), (Range("int", 0),), "left out: by the seed"
            ),
        ),
        traits={"own": True, "columns": ["time", "series", "value"]},
    ),
}
