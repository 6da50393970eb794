"""What a compile pass has found so far, and how it says where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Literal

from runexp import catalog
from runexp.catalog import Entry, OwnCode, SignatureProblem
from runexp.compiler.own_code import is_allowed, misuse, place_in, supplied_to, why_refused
from runexp.diagnostics import (
    Diagnostic,
    Related,
    Severity,
    Span,
    did_you_mean,
    in_document_order,
    nearest,
)
from runexp.plan.values import COUNT, Call, Code, FrozenMap, Origin
from runexp.source import Document, MappingNode
from runexp.spec import Parsed, Spec
from runexp.spec.shape import dotted, sameness

Path = tuple[str | int, ...]
Part = Literal["key", "value"]


class Findings:
    """Collects diagnostics with the place each item was written at; silent about what is broken already."""

    def __init__(self, parsed: Parsed, folder: FilePath) -> None:
        self._parsed = parsed
        self._folder = folder
        self._found = {sameness(found): found for found in parsed.diagnostics}
        self._names: dict[str, tuple[str, ...]] = {}
        self._unsure: set[str | int] = set()
        self._distrusted: set[Path] = set()
        self._unreadable: set[str] = set()
        self._foreign: set[str] = set()
        self._own: dict[str, OwnCode | SignatureProblem | None] = {}

    @property
    def spec(self) -> Spec:
        """The spec, without its broken parts."""
        return self._parsed.spec

    @property
    def folder(self) -> FilePath:
        """The spec's own folder, which relative paths start from."""
        return self._folder

    @property
    def document(self) -> Document:
        """The document the spec was read from."""
        return self._parsed.document

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Everything found, in document order."""
        return in_document_order(self._found.values())

    @property
    def has_errors(self) -> bool:
        """Whether anything found stops the pipeline."""
        return any(found.is_error for found in self._found.values())

    def lacks(self, path: Path, key: str) -> bool:
        """Whether the absence of `key` at `path` is news: nothing broken there was meant to be it."""
        return self._parsed.lacks(path, key)

    def is_damaged(self, path: Path) -> bool:
        """Whether part of what stands at `path` was cut out, so that something missing there is no news."""
        return self._parsed.is_damaged(path) or any(path[: len(one)] == one for one in self._distrusted)

    def distrust(self, path: Path) -> None:
        """Note that what stands at `path` lacks something, which has been reported: what follows from it is no news."""
        self._distrusted.add(path)

    def names(self, section: str) -> tuple[str, ...]:
        """The names defined in a section, broken definitions and those under a misspelled section too."""
        known = self._names.get(section)
        if known is None:
            written = self.document.find((self._parsed.meant.get((section,), section),))
            known = self._names[section] = tuple(written.keys()) if isinstance(written, MappingNode) else ()
        return known

    def is_unsure(self, section: str) -> bool:
        """Whether a link in a section is broken, so that what is missing elsewhere may follow from it."""
        return section in self._unsure or self.is_damaged((section,))

    def doubt(self, section: str) -> None:
        """Note that a link to a section is broken, so that what is missing elsewhere may follow from it."""
        self._unsure.add(section)

    def origin(self, path: Path) -> Origin:
        """Where an item stands: at its key."""
        return Origin(dotted(path), self.document.span_of(path, "key"))

    def error(
        self,
        code: str,
        message: str,
        path: Path,
        *,
        part: Part = "value",
        label: str = "",
        help: str = "",
        related: Iterable[Related] = (),
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Report one mistake at the key or the value of `path`."""
        found = Diagnostic(
            code=code,
            message=message,
            span=self._missing_by(path) if code == "missing-parameter" else self.document.span_of(path, part),
            label=label,
            help=help,
            related=(*related, *self.document.chain(path)),
            severity=severity,
            path=dotted(path),
        )
        self._found.setdefault(sameness(found), found)  # a definition used twice is wrong once
        if found.is_error and code not in _ARGUMENT_CODES:
            self._unsure.add(path[0])

    def _missing_by(self, path: Path) -> Span:
        """Where an argument is missing: at the override of `use`, if there is one."""
        owner = path[:-1] if path[-1] == "with" else path
        return self.document.redirected(owner) or self.document.span_of(path, "key")

    def not_yet(self, what: str, path: Path) -> None:
        """Report something the language has and this version cannot run."""
        self.error(
            "not-yet-supported",
            f"not supported yet: {what}",
            path,
            label="runexp reads this and cannot run it",
            part="key",
        )

    def unknown(
        self,
        kind: str,
        name: str,
        path: Path,
        known: Iterable[str],
        *,
        subject: str = "",
        part: Part = "value",
    ) -> None:
        """Report a name that nothing defines, with the nearest one; says so if another section has it."""
        if self.is_damaged((_SECTIONS.get(kind, ""),)) and not self.names(_SECTIONS[kind]):
            return  # the section itself is wrong
        if kind == "loss":
            self._unsure.add("losses")
        elsewhere = self._elsewhere(name, kind)
        hint = did_you_mean(
            "" if elsewhere else name, tuple(known), kind=f"{kind}es" if kind[-1] == "s" else f"{kind}s"
        )
        if elsewhere:
            hint = f"`{name}` is {elsewhere}, not {with_article(kind)}" + (f"; {hint}" if hint else "")
        self.error(
            f"unknown-{kind.replace(' ', '-')}",
            f"{subject or f'`{dotted(path)}`'} names the {kind} `{name}`, which is not defined",
            path,
            part=part,
            label=f"no such {kind}",
            help=hint or f"no {kind} is defined",
        )

    def call(
        self,
        use: str,
        arguments: Mapping[str, object],
        path: Path,
        *,
        kinds: tuple[str, ...],
        supplied: frozenset[str] = frozenset(),
        use_path: Path | None = None,
        use_part: Part = "value",
        with_path: Path | None = None,
    ) -> tuple[Call, Entry] | None:
        """Link `use`/`with` to the catalog or to code of the user's, and check the arguments.

        None if it names nothing of these kinds.
        """
        entry = catalog.lookup(use, kinds)
        own = None
        if entry is None or entry.traits.get("plugin"):
            written = use_path or (*path, "use")
            if entry is None and not is_allowed(use, self.spec.imports):
                self._unknown_use(use, written, use_part, kinds)
                return None
            own = self.own_code(entry.target if entry else use)
            entry = self._own_entry(use, own, kinds, written, plugin=entry)
            if entry is None:
                return None
            supplied |= supplied_to(own, entry.kind)
        code = (
            Code("plugin" if entry.traits.get("plugin") else "imports", self.origin(path)) if _is_own(entry) else None
        )
        inferred = frozenset(entry.words("infers"))
        numbers = {name: 1 if _is_count(value) else value for name, value in arguments.items()}
        checked = numbers if "module" in kinds else arguments  # only layers take numbers that the data give
        self._check_arguments(entry, checked, with_path or (*path, "with"), supplied | inferred)
        tensors = tuple(
            item.name
            for item in entry.parameters
            if item.name in arguments and "tensor" in item.types and "float" not in item.types
        )
        place = with_path or (*path, "with")
        linked = {
            name: self._function(entry, name, value, place) or self._nested(value, (*place, name))
            for name, value in arguments.items()
        }
        return Call(use, entry.target, FrozenMap(linked), FrozenMap(entry.fixed), tensors, code), entry

    def own_code(self, target: str) -> OwnCode | SignatureProblem | None:
        """What a class or function that is not the catalog's own is, by its source: it is read, never imported."""
        if target not in self._own:
            self._own[target] = catalog.read_own(target, (self._folder, FilePath.cwd()))
        return self._own[target]

    def custom(self, use: str, arguments: Mapping[str, object], path: Path) -> Call | None:
        """Link a class that can only be the user's, such as a callback by its dotted path."""
        linked = self.call(use, arguments, path, kinds=("callback",))
        return linked[0] if linked else None

    def _own_entry(
        self,
        use: str,
        own: OwnCode | SignatureProblem | None,
        kinds: tuple[str, ...],
        path: Path,
        *,
        plugin: Entry | None,
    ) -> Entry | None:
        """The entry of code of the user's or of a plug-in; None where it cannot be what is asked for."""
        if isinstance(own, SignatureProblem) and plugin is None:
            module = own.file or own.message  # a module that is broken or not there is one mistake
            if own.code not in _ABOUT_MODULES or module not in self._unreadable:
                self.error(own.code, own.message, path, label="cannot be found", help=own.help, related=place_in(own))
            self._unreadable.add(module)
            return None
        if not isinstance(own, OwnCode):
            module, _, attribute = use.rpartition(".")
            return plugin or Entry(use, f"{module}:{attribute}", kinds[0], accepts_any=True, traits={"user": True})
        kind = "estimator" if own.is_estimator and "estimator" in kinds and kinds[0] != "transform" else kinds[0]
        wrong = misuse(own, kind)
        if wrong:
            self.error("wrong-use", f"`{use}` {wrong}", path, label=f"not {with_article(kind)}")
            return None
        found = catalog.adapted(own, kind)
        return found if plugin is None else replace(found, name=use, traits={**found.traits, "plugin": True})

    def _function(self, entry: Entry, name: str, value: object, path: Path) -> Call | None:
        """A function of the catalog that is named outright where one is wanted: `func: numpy.log1p`."""
        parameter = entry.parameter(name)
        if not isinstance(value, str) or parameter is None or "callable" not in parameter.types:
            return None
        function = catalog.lookup(value, "function")
        root, dot, _ = value.partition(".")
        if function is None and dot and root in _CATALOG_ROOTS and catalog.lookup(value) is None:
            self._unknown_use(value, (*path, name), "value", ("function",))
        return Call(value, function.target) if function else None

    def _nested(self, value: object, path: Path) -> object:
        """An argument with every `{use:, with:}` inside it linked."""
        if isinstance(value, Mapping):
            inner = value.get("with", {})
            if "use" in value and value.keys() <= {"use", "with"} and isinstance(inner, Mapping):
                linked = self.call(str(value["use"]), inner, path, kinds=_NESTED_KINDS)
                return linked[0] if linked else None
            return {str(key): self._nested(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._nested(item, (*path, index)) for index, item in enumerate(value)]
        return value

    def _check_arguments(
        self, entry: Entry, arguments: Mapping[str, object], path: Path, supplied: frozenset[str]
    ) -> None:
        for problem in catalog.check_arguments(entry, arguments, supplied=supplied):
            is_missing = problem.code == "missing-parameter"
            if is_missing and self.is_damaged(path[:-1] if path[-1] == "with" else path):
                continue
            place = path if is_missing else (*path, problem.parameter)
            part: Part = "key" if problem.code != "bad-value" else "value"
            self.error(problem.code, problem.message, place, part=part, help=problem.help)

    def _unknown_use(self, use: str, path: Path, part: Part, kinds: tuple[str, ...]) -> None:
        other = catalog.lookup(use)
        wanted = either(kinds)
        if other is not None:
            self.error(
                "wrong-use",
                f"`{use}` is {with_article(other.kind)}, and `{dotted(path[:-1])}` needs {with_article(wanted)}",
                path,
                part=part,
                label=with_article(other.kind),
                help=did_you_mean(use, catalog.suggest(use, kinds), kind="near"),
            )
            return
        near = did_you_mean(use, catalog.suggest(use, kinds), kind="near")
        root, _, rest = use.partition(".")
        why = why_refused(root)
        is_foreign = bool(rest) and not why
        whole = next((name for name in catalog.names(kinds) if name.endswith(f".{use}")), None) if rest else None
        meant = nearest(root, self.spec.imports)
        if whole or meant:
            near, is_foreign = f"did you mean `{whole or f'{meant}.{rest}'}`?", False
        if is_foreign and root in self._foreign:
            return  # one line under `imports` mends them all
        if is_foreign:
            self._foreign.add(root)
        if why and rest and root not in _CATALOG_ROOTS:
            near = f"no spec may name what is in Python's own `{root}`; a function of yours may, under `imports`"
        self.error(
            "unknown-use",
            f"the catalog has no {wanted} named `{use}`",
            path,
            part=part,
            label="not in the catalog",
            help=f"code of yours is named under `imports`: `imports: [{root}]`" if is_foreign else near,
        )

    def _elsewhere(self, name: str, kind: str) -> str:
        for section, word in _SECTION_WORDS.items():
            if word != kind and name in self.names(section):
                return with_article(word)
        splits = {split for data in self.spec.data.values() if data.splits for split in data.splits.names or ()}
        return "a split" if kind != "split" and name in splits else ""


def _is_count(value: object) -> bool:
    return isinstance(value, str) and COUNT.fullmatch(value) is not None


def _is_own(entry: Entry) -> bool:
    return bool(entry.traits.get("user") or entry.traits.get("plugin"))


def with_article(words: str) -> str:
    """`a node`, `an estimator`."""
    return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"


def either(words: Sequence[str]) -> str:
    """`module, estimator or transform`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


_CATALOG_ROOTS = frozenset({"torch", "sklearn", "torchmetrics", "runexp", "numpy"})
_NESTED_KINDS = ("module", "estimator", "transform", "splitter", "metric", "loss", "function")
_SECTION_WORDS = {
    "data": "feature set",
    "nodes": "node",
    "bindings": "binding",
    "losses": "loss",
    "metrics": "metric",
    "callbacks": "callback",
    "phases": "phase",
    "samplers": "sampler",
    "experiment_callbacks": "experiment callback",
}
_SECTIONS = {word: section for section, word in _SECTION_WORDS.items()}
_ABOUT_MODULES = frozenset(("unreadable-module", "unknown-module"))
_ARGUMENT_CODES = frozenset(("unknown-parameter", "missing-parameter", "bad-value", "fixed-parameter"))
