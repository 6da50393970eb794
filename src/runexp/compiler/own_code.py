"""Code of the user's: what `imports` allows, and whether what is called can take what it is given."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path as FilePath

from runexp.catalog import CallShape, OwnCode, SignatureProblem
from runexp.diagnostics import Related, Span
from runexp.records import dataclass

_CATALOG = frozenset({"torch", "sklearn", "torchmetrics", "runexp"})
_SUPPLIED = {"dataset": frozenset({"seed", "random_state"}), "optimizer": frozenset({"params"})}
_CALLED = frozenset({"loss", "metric"})
_TRACKER = ("start", "log", "keep", "finish")


def is_allowed(use: str, imports: Iterable[str]) -> bool:
    """Whether a dotted path lies below a prefix of `imports`; what no prefix may name is never allowed."""
    prefixes = (bare(prefix) for prefix in imports if not why_refused(prefix))
    return any(use.startswith(f"{prefix}.") for prefix in prefixes)


def bare(prefix: str) -> str:
    """A prefix without the `.*` that may be written behind it."""
    return prefix.removesuffix(".*")


def why_refused(prefix: str) -> str:
    """Why `imports` may not name a prefix; empty where it may."""
    root = prefix.partition(".")[0]
    if not all(part.isidentifier() for part in bare(prefix).split(".")):
        return "is no dotted name of a module"
    if root in sys.stdlib_module_names:
        return f"would let a spec run all of Python's own `{root}`"
    if root in _CATALOG:
        return f"would let a spec run more of `{root}` than the catalog has"
    return ""


def supplied_to(own: OwnCode | SignatureProblem | None, kind: str) -> frozenset[str]:
    """The arguments that need not stand under `with`: the rows a function is called with, a source's seed."""
    if kind in _SUPPLIED:
        return _SUPPLIED[kind]
    if isinstance(own, OwnCode) and own.call is not None:
        return own.call.required  # whether it is given them is known where it is used
    return frozenset()


def misuse(own: OwnCode, kind: str) -> str:
    """Why a class cannot be what is asked for, as far as its source tells; empty where it can."""
    if kind == "dataset":
        return "is a class, and a source is a function that returns rows" if own.is_class else ""
    if kind == "tracker" and not own.is_class:
        return "is a function, and a tracker is a class"
    if not own.is_class or own.ancestors:
        return ""
    if kind == "tracker":
        lacking = [name for name in _TRACKER if name not in own.methods]
        return f"has no `{'`, no `'.join(lacking)}`, which a tracker has" if lacking else ""
    if kind == "module" and not {"forward", "__call__"} & own.methods.keys():
        return "has neither `forward` nor a base class that could bring it"
    if kind in _CALLED and not {"forward", "__call__"} & own.methods.keys():
        return "cannot be called: it has neither `forward` nor `__call__`"
    if kind in ("transform", "estimator") and not {"fit", "transform", "predict"} & own.methods.keys():
        return "has neither `fit` nor `transform`"
    return ""


def place_in(problem: SignatureProblem) -> tuple[Related, ...]:
    """Where a file of the user's is wrong."""
    if not problem.line:
        return ()
    file = os.path.relpath(problem.file) if FilePath(problem.file).is_relative_to(FilePath.cwd()) else problem.file
    span = Span(file, problem.line, problem.column, problem.line, problem.column + 1)
    return (Related(span, "Python stops here"),)


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing a call cannot take or lacks; `argument` is the keyword it was given by, empty for none."""

    code: str
    message: str
    argument: str = ""


def called_with(own: OwnCode | SignatureProblem | None, written: Iterable[str]) -> CallShape | None:
    """How something of the user's is called once it is made with the arguments of those names; None: unknown."""
    if not isinstance(own, OwnCode):
        return None
    if own.is_class:
        return own.methods.get("forward") or own.methods.get("__call__")
    given = frozenset(written)
    if own.call is None or own.call.required <= given:  # a factory: what it makes is called
        return None
    return CallShape(
        positional=tuple(name for name in own.call.positional if name not in given),
        required=own.call.required - given,
        keywords=own.call.keywords - given,
        takes_more=own.call.takes_more,
        takes_any=own.call.takes_any,
    )


def misfits(shape: CallShape, what: str, n_positional: int, keywords: Sequence[str]) -> Iterator[Misfit]:
    """What does not go together between how something is called and what it takes."""
    unknown = [] if shape.takes_any else [name for name in keywords if name not in shape.keywords]
    yield from (Misfit("unknown-parameter", f"{what} takes no `{name}`", name) for name in unknown)
    if n_positional > len(shape.positional) and not shape.takes_more:
        taken = f"{len(shape.positional)} input{'' if len(shape.positional) == 1 else 's'}"
        yield Misfit("wrong-value", f"{what} takes {taken}, and {n_positional} are given")
        return
    if unknown:
        return  # one of these is likely what is missing
    filled = {*shape.positional[:n_positional], *keywords}
    twice = sorted({*shape.positional[:n_positional]} & {*keywords})
    if twice:
        yield Misfit("wrong-value", f"{what} is given `{twice[0]}` twice: by its place and by its name", twice[0])
    for name in (*shape.positional, *sorted(shape.keywords - {*shape.positional})):
        if name in shape.required and name not in filled:
            yield Misfit("missing-parameter", f"{what} needs `{name}`, which nothing gives")
