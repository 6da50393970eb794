"""Tokenizers: text ↔ codes, learnt once and kept with the run as JSON that anyone can read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from runexp.plan.data import TokenizerPlan
from runexp.runtime.data.gathering import Gathered
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array, Source

FOLDER = "tokenizers"
UNKNOWN = "\ufffd"
"""What an unknown token is read back as."""


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """Characters by their code, 0 … in the order of Unicode; with `has_unknown` one more code for all others."""

    vocabulary: tuple[str, ...]
    has_unknown: bool

    @property
    def n_codes(self) -> int:
        """How many codes there are."""
        return len(self.vocabulary) + self.has_unknown

    @property
    def labels(self) -> tuple[str, ...]:
        """What the codes stand for."""
        return (*self.vocabulary, UNKNOWN) if self.has_unknown else self.vocabulary

    def encode(self, text: str) -> Array:
        """Codes, int64 (len,); `ValueError` with the first character that has none."""
        points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        codes, is_known = self.codes_of(points)
        if not is_known.all() and not self.has_unknown:
            raise ValueError(f"the character {text[int(np.argmin(is_known))]!r} has no code")
        return codes

    def codes_of(self, points: Array) -> tuple[Array, Array]:
        """The codes of code points, int64 (N,), and which are known; the others have the code after the last."""
        known = np.array([ord(letter) for letter in self.vocabulary], dtype=points.dtype)
        at = np.searchsorted(known, points)
        is_known = np.append(known, 0)[at] == points
        is_known &= at < len(known)
        return np.where(is_known, at, len(known)).astype(np.int64, copy=False), is_known

    def decode(self, codes: Iterable[int]) -> str:
        """The text of codes; `IndexError` for one that there is not."""
        labels = self.labels
        numbers = [int(code) for code in codes]
        if numbers and not 0 <= min(numbers) <= max(numbers) < len(labels):
            raise IndexError(f"codes go from 0 to {len(labels) - 1}")
        return "".join(labels[code] for code in numbers)

    def to_json(self) -> str:
        """What `load_tokenizer` reads."""
        content = {"kind": "char", "unknown": len(self.vocabulary) if self.has_unknown else None}
        return json.dumps(content | {"vocabulary": list(self.vocabulary)}, ensure_ascii=False, indent=1) + "\n"


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a run from its file; `ValueError` where the file holds none."""
    content = json.loads(path.read_text(encoding="utf-8"))
    letters = content.get("vocabulary") if isinstance(content, dict) and content.get("kind") == "char" else None
    if not isinstance(letters, list) or not all(isinstance(one, str) and len(one) == 1 for one in letters):
        raise ValueError(f"{path.name} holds no tokenizer")
    return Tokenizer(tuple(letters), content.get("unknown") is not None)


def tokenizer_files(tokenizers: Mapping[str, Tokenizer | None]) -> Iterator[tuple[str, str]]:
    """The path in a run folder and the content of each tokenizer, by feature set."""
    for name, tokenizer in tokenizers.items():
        if tokenizer is not None:
            yield f"{FOLDER}/{name}.json", tokenizer.to_json()


def learn_tokenizer(plan: TokenizerPlan, points: Array, splits: Mapping[str, Array]) -> Tokenizer:
    """Learn from the rows of one split of a stream of code points; `SpecError` where there is no such split."""
    if plan.fit_on not in splits:
        message = f"there is no split {shown(plan.fit_on)} for the tokenizer to learn from"
        raise wrong(plan.origin, "unknown-split", message)
    seen = np.unique(points[splits[plan.fit_on]])
    return Tokenizer(tuple(chr(point) for point in seen.tolist()), plan.unknown == "other")


def encode_keys(
    plan: TokenizerPlan, tokenizer: Tokenizer, gathered: Mapping[str, Gathered], source: Source
) -> dict[str, Gathered]:
    """The keys of a stream with codes in place of code points; they share one array."""
    keys = {name: found for name, found in gathered.items() if found.key.is_tokens}
    if not keys:
        return {}
    points = next(iter(keys.values())).raw
    codes, is_known = tokenizer.codes_of(points)
    if not is_known.all() and not tokenizer.has_unknown:
        row = int(np.argmin(is_known))
        where = f"{source.place(row)} of {shown(source.label)}"
        message = f"the character {shown(repr(chr(points[row])))} in {where} is not in {shown(plan.fit_on)}"
        hint = "`tokenizer: {use: char, unknown: other}` gives such characters a code of their own"
        raise wrong(plan.origin, "unknown-category", message, hint=hint)
    as_asked = {dtype: codes.astype(dtype, copy=False) for dtype in {found.key.dtype for found in keys.values()}}
    return {
        name: replace(found, raw=as_asked[found.key.dtype], exact=as_asked[found.key.dtype], classes=tokenizer.labels)
        for name, found in keys.items()
    }
