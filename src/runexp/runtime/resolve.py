"""From a call of the plan to the live object it names."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from functools import partial, reduce
from typing import Any

import torch

from runexp.catalog.functions import NUMPY_TARGETS
from runexp.plan.values import Call
from runexp.runtime.own_code import find_own, make_own

REFUSALS = (RuntimeError, ValueError, TypeError, LookupError, AssertionError, AttributeError, ArithmeticError)
"""What libraries raise for arguments and arrays that they do not take."""

ROOTS = frozenset({"torch", "sklearn", "torchmetrics", "runexp"})


def resolve(call: Call) -> Any:  # noqa: ANN401 - a class or function of any library
    """The class or function that the call's target names.

    Raises `LookupError` where there is none, or where the object is another one than was asked for: a name
    must not reach a third module through what a library happens to import. `OwnCodeError` for code that is not the
    catalog's.
    """
    if call.code is not None:
        return find_own(call)
    module, _, qualname = call.target.partition(":")
    root = module.partition(".")[0]
    if root not in ROOTS and call.target not in NUMPY_TARGETS:
        raise LookupError(f"`{call.target}` is outside of {', '.join(sorted(ROOTS))}")
    try:
        found = reduce(getattr, qualname.split("."), importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        raise LookupError(f"`{call.target}` cannot be found: {error}") from error
    home = getattr(found, "__module__", None) or ""
    if not callable(found) or home.partition(".")[0] != root or found.__qualname__ != qualname:
        raise LookupError(f"`{call.target}` is not defined where its name says")
    return found


def make(call: Call) -> Any:  # noqa: ANN401 - an instance of any library's class
    """An instance of the call's target, with its arguments and those its short name implies."""
    target = resolve(call)
    arguments = keyword_arguments(call, target)
    return make_own(call, target, arguments) if call.code is not None else target(**arguments)


def keyword_arguments(call: Call, target: Any) -> dict[str, Any]:  # noqa: ANN401 - any callable
    """The call's arguments as live values: what they name is made, lists become tuples or tensors where wanted."""
    defaults = _defaults(target)
    given = {**call.arguments, **call.fixed}
    arguments = {name: _live(value, wants_tuple=isinstance(defaults.get(name), tuple)) for name, value in given.items()}
    return arguments | {name: torch.as_tensor(arguments[name]) for name in call.tensors if arguments[name] is not None}


def _live(value: Any, *, wants_tuple: bool = False) -> Any:  # noqa: ANN401 - any value of a plan
    if isinstance(value, Call):
        return _part(value)
    if isinstance(value, Mapping):
        return {key: _live(item) for key, item in value.items()}
    if isinstance(value, tuple):
        items = [_live(item) for item in value]
        return tuple(items) if wants_tuple else items
    return value


def _part(call: Call) -> Any:  # noqa: ANN401 - an instance, or a function of any library
    """What an argument names: an instance of a class, or a function itself, with the arguments it is given."""
    target = resolve(call)
    if isinstance(target, type):
        return make(call)
    arguments = keyword_arguments(call, target)
    return partial(target, **arguments) if arguments else target


def _defaults(target: Any) -> dict[str, Any]:  # noqa: ANN401 - any callable
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):  # written in C, without a signature
        return {}
    return {name: parameter.default for name, parameter in parameters.items()}
