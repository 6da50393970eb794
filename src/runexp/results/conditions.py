"""The language of `--where`: comparisons of a run's values, joined by and, or, not and parentheses. Never eval.

condition  = conjunction { "or" conjunction }
conjunction= negation { "and" negation }
negation   = "not" negation | "(" condition ")" | test
test       = path | path operator value | path ["not"] "in" "[" value { "," value } "]"
operator   = "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runexp.diagnostics import did_you_mean
from runexp.results.run_record import Steps, steps_of

Value = float | str | bool | None

OPERATORS = ("=", "==", "!=", "<", "<=", ">", ">=", "~", "!~", "in", "not in")
_DEEPEST = 50
_LONGEST = 10_000
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<operator>==|!=|<=|>=|!~|=|<|>|~|\(|\)|\[|\]|,)
    |(?P<quoted>"[^"]*"|'[^']*')
    |(?P<word>(?:`[^`]*`|[^\s()\[\],"'`=<>!~]+|\[\d+\])+)""",
    re.VERBOSE,
)
_KEYWORDS = ("and", "or", "not", "in")


class ConditionError(ValueError):
    """A condition cannot be understood: what is wrong, from which character to which, and how to mend it."""

    def __init__(self, message: str, start: int, end: int, *, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = max(end, start + 1)
        self.help = help


@dataclass(frozen=True, slots=True)
class Path:
    """A value of a run, and where it was written in the condition."""

    text: str
    steps: Steps
    start: int = 0

    @property
    def end(self) -> int:
        """Where it ends in the condition."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Known:
    """Whether a run has the value, and it is neither false nor empty."""

    path: Path


@dataclass(frozen=True, slots=True)
class Compared:
    """A value against others; several only for `in` and `not in`."""

    path: Path
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    inner: Condition


@dataclass(frozen=True, slots=True)
class Joined:
    """`all` of the parts, or `any` of them."""

    how: str
    parts: tuple[Condition, ...]


Condition = Known | Compared | Not | Joined


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def shown(self) -> str:
        return f"`{self.text}`" if self.kind != "end" else "the end"


def parse_condition(text: str) -> Condition:
    """The condition that a text says; `ConditionError` with its place where it says none."""
    if len(text) > _LONGEST:
        raise ConditionError("this condition is too long", 0, 1, help=f"at most {_LONGEST:,} characters")
    parser = _Parser([*_tokens(text), _Token("end", "", len(text))])
    condition = parser.condition(0)
    rest = parser.here
    if rest.kind != "end":
        raise ConditionError(f"{rest.shown} cannot stand here", rest.start, rest.end, help=_what_may_follow(rest))
    return condition


def paths_in(condition: Condition) -> Iterator[Path]:
    """Every path a condition asks for, in order."""
    match condition:
        case Known(path=path) | Compared(path=path):
            yield path
        case Not(inner=inner):
            yield from paths_in(inner)
        case Joined(parts=parts):
            for part in parts:
                yield from paths_in(part)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            if text[at] in "\"'`":
                raise ConditionError("this quote is never closed", at, len(text))
            raise ConditionError(f"`{text[at]}` cannot stand in a condition", at, at + 1, help=_HELP)
        kind = match.lastgroup or ""
        if kind == "word" and match[0].lower() in _KEYWORDS:
            kind = "keyword"
        if kind != "space":
            yield _Token(kind, match[0], at)
        at = match.end()


class _Parser:
    """Reads the tokens from left to right; one that cannot stand where it does raises `ConditionError`."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def here(self) -> _Token:
        """The next token."""
        return self._tokens[self._at]

    def condition(self, depth: int) -> Condition:
        """Conjunctions joined by `or`."""
        parts = [self._conjunction(depth)]
        while self._takes("or"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else Joined("any", tuple(parts))

    def _conjunction(self, depth: int) -> Condition:
        parts = [self._negation(depth)]
        while self._takes("and"):
            parts.append(self._negation(depth))
        return parts[0] if len(parts) == 1 else Joined("all", tuple(parts))

    def _negation(self, depth: int) -> Condition:
        if depth > _DEEPEST:
            raise ConditionError("this is nested too deeply", self.here.start, self.here.end)
        if self._takes("not"):
            return Not(self._negation(depth + 1))
        opening = self.here
        if not self._takes("("):
            return self._test()
        inner = self.condition(depth + 1)
        if not self._takes(")"):
            raise ConditionError("this parenthesis is never closed", opening.start, opening.end)
        return inner

    def _test(self) -> Condition:
        token = self._taken("word", "the name of a value", "such as `summary.val_loss`, `vars.lr` or `status`")
        path = Path(token.text, steps_of(token.text), token.start)
        operator = self.here
        if operator.kind == "operator" and operator.text in OPERATORS:
            self._at += 1
            return Compared(path, operator.text.replace("==", "="), (self._value(),))
        if self._takes("in"):
            return Compared(path, "in", self._values())
        if operator.text.lower() == "not" and self._tokens[self._at + 1].text.lower() == "in":
            self._at += 2
            return Compared(path, "not in", self._values())
        return Known(path)

    def _values(self) -> tuple[Value, ...]:
        opening = self.here
        closing = {"[": "]", "(": ")"}.get(opening.text)
        if closing is None:
            raise ConditionError("`in` needs a list", opening.start, opening.end, help="such as `[adam, sgd]`")
        self._at += 1
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        if not self._takes(closing):
            raise ConditionError("this list is never closed", opening.start, opening.end)
        return tuple(values)

    def _value(self) -> Value:
        if self.here.kind == "quoted":
            self._at += 1
            return self._tokens[self._at - 1].text[1:-1]
        return value_of(self._taken("word", "a value", "a number, a word, or text in quotes").text)

    def _takes(self, text: str) -> bool:
        if self.here.kind in ("operator", "keyword") and self.here.text.lower() == text:
            self._at += 1
            return True
        return False

    def _taken(self, kind: str, wanted: str, help: str) -> _Token:
        token = self.here
        if token.kind != kind:
            raise ConditionError(f"{wanted} is missing before {token.shown}", token.start, token.end, help=help)
        self._at += 1
        return token


def value_of(word: str) -> Value:
    """What a bare word means: true, false, null, a number, or itself."""
    if word in _WORDS:
        return _WORDS[word]
    try:
        return float(word) if not word.strip("0123456789.+-eE_") else word
    except ValueError:
        return word


def _what_may_follow(token: _Token) -> str:
    if token.kind == "word":
        return did_you_mean(token.text, ["and", "or", "in", "not in"], kind="what may follow") or _HELP
    return _HELP


_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}
_HELP = f"operators: {', '.join(OPERATORS)}, and, or, not"
