"""Code of the user's and of plug-ins: found, made, and called so that what it raises is told where it was written."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, reduce
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from runexp.diagnostics import Diagnostic, Related, Span, SpecError
from runexp.plan.values import Call

_MOST_FRAMES = 3
_OURS = str(Path(__file__).resolve().parents[1]) + os.sep
_INSTALLED = tuple({f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_OUT_OF_MEMORY = (MemoryError, torch.OutOfMemoryError)


class OwnCodeError(SpecError):
    """Code that the spec names and runexp does not bring could not be imported, or raised something."""

    def __str__(self) -> str:
        """In one line, for a log: what happened, and the innermost line of the user's."""
        place = self.diagnostics[0].related[-1] if self.diagnostics[0].related else None
        where = f"; {place.span.file}:{place.span.line} {place.message}" if place else ""
        return f"{super().__str__()}{where}"


def find_own(call: Call) -> Any:  # noqa: ANN401 - whatever the user wrote
    """The class or function that a call of own code names; `OwnCodeError` where it cannot be had.

    A name may reach what its package defines, and nothing that the package happens to import.
    """
    module, _, qualname = call.target.partition(":")
    found: Any = reduce(lambda owner, name: _attribute(call, owner, name), qualname.split("."), _imported(call, module))
    home = getattr(found, "__module__", None) or ""
    is_definition = inspect.isclass(found) or inspect.isroutine(found)
    if is_definition and home.partition(".")[0] != module.partition(".")[0]:
        hint = f"`{home}.{qualname}` is its own name" if home else ""
        raise _problem(call, "failed-import", f"`{call.name}` is not defined in `{module}`, only imported there", hint)
    if not callable(found):
        raise _problem(call, "failed-import", f"`{call.name}` is {_kind(found)}, which cannot be called")
    return found


def make_own(call: Call, target: Any, arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the user wrote
    """An instance of a class, what a factory gives, or the function itself with its arguments filled in (S-15).

    A function is a factory where its arguments are all it needs.
    """
    if not inspect.isclass(target) and not _is_complete(target, arguments):
        return partial(target, **arguments) if arguments else target
    with running(call):
        return target(**arguments)


def guarded(call: Call, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; one of own code raises `OwnCodeError` for whatever it raises. The catalog's costs nothing."""
    return function if call.code is None else _Guarded(call, function)


@contextmanager
def running(call: Call) -> Iterator[None]:
    """Whatever own code raises inside becomes an `OwnCodeError` that tells the spec's place and the code's."""
    try:
        yield
    except (Exception, SystemExit) as error:
        if call.code is None or isinstance(error, (SpecError, *_OUT_OF_MEMORY)):
            raise
        raise failure(call, error) from error


def failure(call: Call, error: BaseException) -> OwnCodeError:
    """What own code raised: the exception, and the lines of the user's that led to it."""
    said = str(error).strip().splitlines()
    message = f"{_owner(call)} fails: {type(error).__name__}{f': {said[0][:300]}' if said else ''}"
    return _problem(call, "failed-code", message, related=_places(call, error))


def misfit(call: Call, message: str, hint: str = "") -> OwnCodeError:
    """Own code gave what it may not give."""
    return _problem(call, "failed-code", f"{_owner(call)} {message}", hint)


class _Guarded:
    """A function of own code."""

    def __init__(self, call: Call, function: Callable[..., Any]) -> None:
        self._call = call
        self._function = function

    def __call__(self, *positional: Any, **keyword: Any) -> Any:  # noqa: ANN401 - whatever the user wrote
        try:
            return self._function(*positional, **keyword)
        except (Exception, SystemExit) as error:
            if isinstance(error, (SpecError, *_OUT_OF_MEMORY)):
                raise
            raise failure(self._call, error) from error


def _imported(call: Call, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except _OUT_OF_MEMORY:
        raise
    except ModuleNotFoundError as error:
        missing = error.name or module
        hint = f"modules are looked for in `{_from_here(sys.path[0])}` first, then where packages are installed"
        message = f"`{module}` cannot be imported: there is no module `{missing}`"
        raise _problem(call, "failed-import", message, hint, _places(call, error)) from error
    except (Exception, SystemExit) as error:
        message = f"`{module}` cannot be imported: {type(error).__name__}: {error}"
        raise _problem(call, "failed-import", message, related=_places(call, error)) from error


def _attribute(call: Call, owner: Any, name: str) -> Any:  # noqa: ANN401 - whatever the user wrote
    try:
        found = getattr(owner, name)
    except AttributeError as error:
        raise _problem(call, "failed-import", f"`{call.name}` cannot be found: {error}") from error
    if isinstance(found, ModuleType):
        raise _problem(call, "failed-import", f"`{call.name}` leads through the module `{found.__name__}`")
    return found


def _is_complete(function: Callable[..., Any], arguments: Mapping[str, Any]) -> bool:
    try:
        inspect.signature(function).bind(**arguments)
    except (TypeError, ValueError):
        return False
    return True


def _owner(call: Call) -> str:
    return f"`{call.name}` of `{call.code.origin.path}`" if call.code else f"`{call.name}`"


def _kind(found: object) -> str:
    return f"a `{type(found).__name__}`"


def _problem(call: Call, code: str, message: str, hint: str = "", related: tuple[Related, ...] = ()) -> OwnCodeError:
    if call.code is None:
        raise LookupError(message)
    origin = call.code.origin
    return OwnCodeError([Diagnostic(code, message, origin.span, help=hint, related=related, path=origin.path)])


def _places(call: Call, error: BaseException) -> tuple[Related, ...]:
    """The lines of the user's that led to an exception, the innermost last."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        span = _span(error.filename, error.lineno, error.offset or 1, (error.offset or 1) + 1)
        return (Related(span, "Python stops here"),)
    root = call.target.partition(":")[0].partition(".")[0]
    frames = [
        summary
        for (frame, _), summary in zip(
            traceback.walk_tb(error.__traceback__), traceback.extract_tb(error.__traceback__), strict=True
        )
        if _is_own(summary.filename, str(frame.f_globals.get("__name__", "")), root)
    ]
    return tuple(_related(frame) for frame in frames[-_MOST_FRAMES:])


def _is_own(file: str, module: str, root: str) -> bool:
    if module.partition(".")[0] == root:
        return True
    return os.path.isabs(file) and not file.startswith((_OURS, *_INSTALLED))


def _related(frame: traceback.FrameSummary) -> Related:
    start = (frame.colno or 0) + 1
    is_short = frame.end_lineno == frame.lineno and frame.end_colno is not None
    end = (frame.end_colno or 0) + 1 if is_short else start + len(frame.line or "")
    where = "at its top" if frame.name == "<module>" else f"in `{frame.name}`"
    return Related(_span(frame.filename, frame.lineno or 1, start, end), where)


def _span(file: str, line: int, start: int, end: int) -> Span:
    """A place in a file, which is told from here where it lies below."""
    return Span(_from_here(file), line, start, line, end)


def _from_here(place: str) -> str:
    return os.path.relpath(place) if Path(place).is_relative_to(Path.cwd()) else place
