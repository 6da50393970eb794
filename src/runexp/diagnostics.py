"""What is wrong with a spec, and where: spans, diagnostics, and the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from unicodedata import normalize

from runexp.records import dataclass


class Severity(StrEnum):
    """How bad a diagnostic is: an error stops the pipeline, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of text; lines and columns count from 1, the end is exclusive.

    `file` is a path as the user gave it, or `--set` for the command line.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that a diagnostic needs in order to be understood."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: a stable kebab-case code, one sentence, where it stands, and how to mend it."""

    code: str
    message: str
    span: Span | None = None
    label: str = ""
    help: str = ""
    related: tuple[Related, ...] = ()
    severity: Severity = Severity.ERROR
    path: str = ""

    @property
    def is_error(self) -> bool:
        """Whether this stops the pipeline."""
        return self.severity is Severity.ERROR


class SpecError(Exception):
    """A spec cannot be used; carries every diagnostic found, in document order."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(_headline(diagnostics))
        self.diagnostics = in_document_order(diagnostics)


def in_document_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort by file, line and column; what has no place comes last."""
    return tuple(sorted(diagnostics, key=lambda found: (found.span is None, found.span or _NOWHERE)))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, if any is close enough."""
    candidates = list(known)
    if not name.isascii():
        name = normalize("NFKC", name).translate(_LOOK_ALIKES)
    folded = {candidate.casefold(): candidate for candidate in reversed(candidates)}
    if name.casefold() in folded:
        return folded[name.casefold()]
    swapped = next((folded[near] for near in _with_two_letters_swapped(name.casefold()) if near in folded), None)
    if swapped is not None:
        return swapped
    begun = [candidate for word, candidate in folded.items() if word.startswith(name.casefold())]
    if len(begun) == 1 and len(name) >= _SHORTEST_BEGINNING:
        return begun[0]
    close = get_close_matches(name, candidates, n=1, cutoff=0.6)
    return close[0] if close else _by_words(name.casefold(), folded)


def _by_words(name: str, folded: Mapping[str, str]) -> str | None:
    """The only known name that is one of the words of `name`, or their first letters: `batch_size`, `learning_rate`."""
    words = name.split("_")
    initials = "".join(word[:1] for word in words)
    near = {folded[word] for word in (*words, initials) if len(word) > 1 and word in folded and word != name}
    return near.pop() if len(near) == 1 else None


def _with_two_letters_swapped(name: str) -> Iterator[str]:
    """The commonest slip of the fingers, which a ratio of common letters rates low in short names."""
    for at in range(len(name) - 1):
        yield f"{name[:at]}{name[at + 1]}{name[at]}{name[at + 2 :]}"


def did_you_mean(name: str, known: Iterable[str], *, kind: str = "", most: int = 12) -> str:
    """Help text for an unknown name: the nearest one, then the ones there are."""
    candidates = list(known)
    close = nearest(name, candidates)
    guess = f"did you mean `{close}`?" if close else ""
    if not candidates or candidates == [close]:
        return guess
    shown = ", ".join(candidates[:most]) + (", …" if len(candidates) > most else "")
    return f"{guess} {kind or 'known'}: {shown}".strip()


def _headline(diagnostics: Sequence[Diagnostic]) -> str:
    first = diagnostics[0] if diagnostics else None
    place = f" ({first.span.file}:{first.span.line}:{first.span.column})" if first and first.span else ""
    more = f" and {len(diagnostics) - 1} more" if len(diagnostics) > 1 else ""
    return f"{first.message}{place}{more}" if first else "the spec is wrong"


# Cyrillic and Greek letters that a reader cannot tell from Latin ones.
_LOOK_ALIKES = str.maketrans("асеорхуіјѕԁһԛԝοανιρτυκ", "aceopxyijsdhqwoaviptuk")
_NOWHERE = Span("", 0, 0, 0, 0)
_SHORTEST_BEGINNING = 3
