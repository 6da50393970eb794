"""Text read as a stream of tokens: the source, the keys that hold codes, and the tokenizer that gives them."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

from runexp.compiler.columns import STREAM_COLUMNS
from runexp.compiler.findings import Findings, Path
from runexp.plan.data import KeyPlan, SourcePlan, TokenizerPlan
from runexp.plan.values import FrozenMap
from runexp.spec.data import Data, Key, Tokenizer

_TEXT = STREAM_COLUMNS[0]
TEXTS = frozenset({"runexp.data.python_topics"})
"""What the catalog has of texts."""


def streamed(found: Findings, source: SourcePlan | None, path: Path) -> SourcePlan | None:
    """The source with a row for each token, where a tokenizer asks for it."""
    data = found.spec.data[str(path[1])]
    if data.tokenizer is None or source is None:
        return source
    if is_text(source):
        return _as_stream(source)
    if source.kind == "files" and all(is_text(part) for part in source.parts.values()):
        parts = {name: _as_stream(part) for name, part in source.parts.items()}
        return replace(_as_stream(source), parts=FrozenMap(parts))
    found.error(
        "exclusive-keys",
        "`tokenizer` is for a text, and the source is a table",
        (*path, "tokenizer"),
        part="key",
        help="a text is a `.txt` file, a glob of them, or `runexp.data.python_topics`; a table's column of codes is "
        "a key with `dtype: int64` and `shape: []`",
    )
    return source


def stream_keys(found: Findings, data: Data, keys: tuple[KeyPlan, ...], path: Path) -> tuple[KeyPlan, ...]:
    """The keys, those over the column `text` marked as codes of a tokenizer."""
    if data.tokenizer is None:
        return keys
    return tuple(_stream_key(found, data, key, path) for key in keys)


def link_tokenizer(found: Findings, data: Data, path: Path) -> TokenizerPlan | None:
    """The tokenizer of a feature set; reports a split that there is not."""
    if data.tokenizer is None:
        return None
    written = Tokenizer(use=data.tokenizer) if isinstance(data.tokenizer, str) else data.tokenizer
    place = (*path, "tokenizer")
    names = data.splits.names if data.splits else None
    if names and written.fit_on not in names and not found.is_damaged((*path, "splits")):
        if "fit_on" in written.model_fields_set:
            found.unknown("split", written.fit_on, (*place, "fit_on"), names)
        else:
            found.error(
                "unknown-split",
                "a tokenizer learns on the split `train`, which is not defined",
                place,
                part="key",
                help="say on which: `{use: char, fit_on: …}`; splits: " + ", ".join(names),
            )
    return TokenizerPlan(written.use, written.unknown, written.fit_on if data.splits else "all", found.origin(place))


def is_text(source: SourcePlan) -> bool:
    """Whether a source is a text, whose rows are lines unless a tokenizer reads it."""
    return source.kind == "text" or (source.call is not None and source.call.name in TEXTS)


def _as_stream(source: SourcePlan) -> SourcePlan:
    return replace(source, is_stream=True)


def _stream_key(found: Findings, data: Data, key: KeyPlan, path: Path) -> KeyPlan:
    place = (*path, key.domain, key.name)
    if key.columns != (_TEXT,):
        if any(fnmatchcase(_TEXT, pattern) for pattern in key.columns):
            message = f"`{key.name}` gathers `text` in another way than by its name, and codes stand alone"
            found.error("wrong-value", message, place, help=f"`{key.name}: text`")
        return key
    written = getattr(data, key.domain).get(key.name)
    for option in ("categorical", "missing", "shape"):
        if isinstance(written, Key) and option in written.model_fields_set:
            message = f"`{option}` and `tokenizer` exclude each other: the key holds a code a row"
            found.error("exclusive-keys", message, (*place, option), part="key")
    for index, transform in enumerate(data.transforms):
        if key.name in ((transform.on,) if isinstance(transform.on, str) else transform.on):
            message = f"`{key.name}` holds codes of a tokenizer, which no transform takes"
            found.error("exclusive-keys", message, (*path, "transforms", index, "on"))
    return replace(key, dtype=key.dtype or "int64", is_tokens=True)
