"""Check the arguments written under `with:` against what an entry takes. Where in doubt, say nothing."""

from __future__ import annotations

from collections.abc import Mapping

from runexp.catalog.accepted_values import accepted_text, accepts, value_text, whole_number_meant
from runexp.catalog.entry import Entry, Parameter
from runexp.diagnostics import did_you_mean, nearest
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class ArgumentProblem:
    """One thing wrong with an argument; `parameter` is its name as written, or the one that is missing.

    Codes: unknown-parameter, fixed-parameter, missing-parameter, bad-value.
    """

    code: str
    parameter: str
    message: str
    help: str = ""


def check_arguments(
    entry: Entry, arguments: Mapping[str, object], *, supplied: frozenset[str] = frozenset()
) -> tuple[ArgumentProblem, ...]:
    """Wrong arguments in the order written, then missing ones.

    What is `supplied` may be left out: the runtime fills it in. An unknown name that is near a missing one is
    one mistake, not two.
    """
    found = [
        problem for name, value in arguments.items() if (problem := _argument_problem(entry, name, value)) is not None
    ]
    names = [parameter.name for parameter in entry.parameters]
    meant = {nearest(problem.parameter, names) for problem in found if problem.code == "unknown-parameter"}
    missing = [
        _missing(entry, parameter)
        for parameter in entry.parameters
        if parameter.required and parameter.name not in {*arguments, *supplied, *meant}
    ]
    return (*found, *missing)


def _argument_problem(entry: Entry, name: str, value: object) -> ArgumentProblem | None:
    if name in entry.fixed:
        message = f"`{entry.label}` already sets `{name}` to {value_text(entry.fixed[name])}"
        return ArgumentProblem("fixed-parameter", name, message)
    parameter = entry.parameter(name)
    if parameter is None:
        return None if entry.accepts_any else _unknown(entry, name)
    return None if accepts(parameter, value) else _bad_value(entry, parameter, value)


def _unknown(entry: Entry, name: str) -> ArgumentProblem:
    known = [parameter.name for parameter in entry.parameters]
    message = f"`{entry.label}` has no parameter `{name}`"
    return ArgumentProblem("unknown-parameter", name, message, did_you_mean(name, known, kind="parameters"))


def _missing(entry: Entry, parameter: Parameter) -> ArgumentProblem:
    message = f"`{entry.label}` needs `{parameter.name}`"
    return ArgumentProblem("missing-parameter", parameter.name, message, parameter.summary)


def _bad_value(entry: Entry, parameter: Parameter, value: object) -> ArgumentProblem:
    message = f"`{parameter.name}` of `{entry.label}` cannot be {value_text(value)}"
    return ArgumentProblem("bad-value", parameter.name, message, _value_help(parameter, value))


def _value_help(parameter: Parameter, value: object) -> str:
    takes = f"it takes {accepted_text(parameter)}"
    whole = whole_number_meant(parameter, value)
    texts = [choice for choice in parameter.choices if isinstance(choice, str)]
    guess = str(whole) if whole is not None else nearest(value, texts) if isinstance(value, str) else None
    return f"did you mean `{guess}`? {takes}" if guess else takes
