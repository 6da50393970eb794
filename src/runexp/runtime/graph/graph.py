"""The live graph: modules and estimators by node, built forward from the data as soon as it can be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.graph import Feed, NodePlan
from runexp.plan.values import Call
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.problems import first_line
from runexp.runtime.graph.counts import embedded, with_counts
from runexp.runtime.graph.embeddings import too_small
from runexp.runtime.graph.estimators import apply
from runexp.runtime.graph.infer import check_steps, misfit, with_inferred
from runexp.runtime.graph.initialize import initialize
from runexp.runtime.graph.memory import check_chunks, sparing
from runexp.runtime.graph.outputs import Several, check_named, picked
from runexp.runtime.graph.own_module import check_output, own_module
from runexp.runtime.graph.weights import load_weights
from runexp.runtime.own_code import guarded, running
from runexp.runtime.randomness import seed_torch
from runexp.runtime.resolve import REFUSALS, keyword_arguments, resolve
from runexp.runtime.seeds import derive_seed

N_EXAMPLE_ROWS = 2
"""Rows of the data that are sent forward while building, to learn shapes."""


class Graph:
    """The nodes of one experiment. What depends on an estimator is built once that is fitted (S-10).

    With `is_weightless` modules stand on torch's meta device: they cost nothing and know shapes only.
    Files of weights are looked for from `folder`. `version` grows whenever an
    estimator is fitted or a module built: what was derived before is then stale. Modules built once `compiles` is set
    are compiled at their first call.
    """

    def __init__(
        self,
        plans: Sequence[NodePlan],
        sets: Mapping[str, FeatureSet],
        device: torch.device,
        seed: int,
        *,
        is_weightless: bool = False,
        folder: Path = Path(),
    ) -> None:
        self.plans = {plan.name: plan for plan in plans}
        self.modules: dict[str, nn.Module] = {}
        self.estimators: dict[str, Any] = {}
        self.frozen = {plan.name for plan in plans if plan.freeze}
        self.version = 0
        self.compiles = False
        self._sets = sets
        self._device = device
        self._seed = seed
        self._is_weightless = is_weightless
        self._folder = folder
        self._examples: dict[str, Any] = {}  # of a node with several outputs, a tuple

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._device

    def build(self) -> None:
        """Build every module whose inputs are known by now; raises `SpecError` with all that does not fit."""
        found: list[Diagnostic] = []
        for plan in self.plans.values():
            if plan.name in self._examples or not self._is_ready(plan):
                continue
            try:
                self._build_node(plan)
            except SpecError as error:
                found += error.diagnostics
        if found:
            raise SpecError(found)

    def set_estimator(self, name: str, estimator: Any) -> None:  # noqa: ANN401 - scikit-learn is untyped
        """Put a fitted estimator in its place and build what waited for it.

        Raises `SpecError` where it gives another shape than what was built on it takes.
        """
        before = self._examples.pop(name, None)
        self.estimators[name] = estimator
        self.version += 1
        self.build()
        after = self._examples.get(name)
        behind = [plan.name for plan in self.plans.values() if name in _sources(plan) and plan.name in self.modules]
        if behind and before is not None and after is not None and before.shape[1:] != after.shape[1:]:
            raise SpecError([_reshaped(self.plans[name], behind[0], before, after)])

    def forget(self, names: Iterable[str]) -> None:
        """Take back modules and estimators that were made since a snapshot."""
        for name in names:
            self.modules.pop(name, None)
            self.estimators.pop(name, None)
            self._examples.pop(name, None)
        self.version += 1

    def example(self, feed: Feed) -> Tensor:
        """What a feed gives for the first rows of the data."""
        if feed.source == "node":
            known: Tensor = self._examples[feed.name]
            return known
        return self._sets[feed.name].tensor(feed.key, self._device)[:N_EXAMPLE_ROWS]

    def is_built(self, names: Iterable[str]) -> bool:
        """Whether all of these nodes can run."""
        return all(name in self._examples for name in names)

    def output(self, name: str) -> Tensor | None:
        """What a node gives for the first rows of the data; None if it is not built yet, or gives several tensors."""
        known = self._examples.get(name)
        return known if isinstance(known, Tensor) else None

    def call_of(self, name: str) -> Callable[..., Tensor]:
        """What computes a node: the module itself, or the estimator's method on tensors."""
        plan = self.plans[name]
        if plan.kind == "output":
            return picked(self.plans, plan)
        own = next((call for call in plan.calls if call.code), None)
        if name in self.modules:
            module: Callable[..., Any] = sparing(plan, self.modules[name])
            if plan.outputs:
                module = Several(plan.outputs, self.modules[name], module)
            return guarded(own, module) if own else module
        applied = partial(_apply_to, self.estimators[name], plan.method)
        return guarded(own, applied) if own else applied

    def freeze(self, names: Iterable[str]) -> None:
        """Stop gradients, updates and statistics of these nodes until something says otherwise (S-12)."""
        self.frozen.update(names)

    def set_modes(self, training: Iterable[str]) -> None:
        """Put the nodes of `training` in train mode with gradients; every other one in eval mode without."""
        names = set(training)
        for name, module in self.modules.items():
            module.train(name in names)
            module.requires_grad_(name in names)

    def _is_ready(self, plan: NodePlan) -> bool:
        return all(
            feed.name in self._examples if feed.source == "node" else feed.key in self._sets[feed.name].gathered
            for feed in plan.feeds
        )

    def _build_node(self, plan: NodePlan) -> None:
        inputs = [self.example(feed) for feed in plan.feeds]
        if plan.kind == "output":
            self._examples[plan.name] = self.call_of(plan.name)(*inputs)
        elif not plan.is_estimator:
            self._examples[plan.name] = self._build_module(plan, inputs)
        elif plan.name in self.estimators:
            self._examples[plan.name] = self.call_of(plan.name)(*inputs)

    def _build_module(self, plan: NodePlan, inputs: list[Tensor]) -> Tensor | tuple[Tensor, ...]:
        outside = too_small(plan, self._sets)
        if outside:
            raise SpecError([outside])
        seed_torch(derive_seed(self._seed, "node", plan.name))
        positional = [value for feed, value in zip(plan.feeds, inputs, strict=True) if not feed.argument]
        keyword = {feed.argument: value for feed, value in zip(plan.feeds, inputs, strict=True) if feed.argument}
        try:
            module, output = self._sequence(plan, positional, keyword)
        except REFUSALS as error:
            raise SpecError([_misfit(plan, inputs, error)]) from error
        check_named(plan, output)
        check_chunks(plan, module)
        initialize(module, plan.init)
        load_weights(plan, module, self._folder)
        module.eval().requires_grad_(False)
        if self.compiles:
            module.compile()  # in place: names of weights stay
        self.modules[plan.name] = module
        self.version += 1
        return Several(plan.outputs, module, lambda: output)() if plan.outputs else output

    def _sequence(
        self, plan: NodePlan, positional: list[Tensor], keyword: dict[str, Tensor]
    ) -> tuple[nn.Module, Tensor]:
        """Build the calls one by one, each from what the one before gives."""
        layers = []
        for index, written in enumerate(plan.calls):
            call = with_counts(written if index else embedded(plan.feeds, written, self._sets), self._sets)
            first = next(iter([*positional, *keyword.values()]))
            layer = self._layer(call, first, has_weights=plan.kind != "keys")
            try:
                with torch.no_grad(), running(call):
                    output: Tensor = layer(*positional, **keyword)
                check_output(call, output)
            except REFUSALS as error:
                raise ValueError(_reason(call, first, error)) from error
            positional, keyword = [output], {}
            layers.append(layer)
        return (nn.Sequential(*layers) if plan.kind == "layers" else layers[0]), output

    def _layer(self, call: Call, first: Tensor, *, has_weights: bool) -> nn.Module:
        make: Any = resolve(call)
        arguments = with_inferred(make, keyword_arguments(call, make), first)
        if call.code is not None:
            make, arguments = partial(own_module, call, make, arguments), {}
        if self._is_weightless and has_weights:
            light = _weightless(make, arguments)
            check_steps(light, first)
            return light
        layer: nn.Module = make(**arguments)
        check_steps(layer, first)
        return layer.to(self._device).eval()


def _apply_to(estimator: Any, method: str, *inputs: Tensor) -> Tensor:  # noqa: ANN401 - scikit-learn is untyped
    return apply(estimator, method, inputs)


def _sources(plan: NodePlan) -> set[str]:
    return {feed.name for feed in plan.feeds if feed.source == "node"}


def _reshaped(plan: NodePlan, behind: str, before: Tensor, after: Tensor) -> Diagnostic:
    return Diagnostic(
        code="shape-mismatch",
        message=f"fitted anew, `{plan.name}` gives {_shape(after)}; `{behind}` was built on {_shape(before)}",
        span=plan.origin.span,
        help="give the estimator a fixed number of outputs",
        path=plan.origin.path,
    )


def _weightless(make: Callable[..., nn.Module], arguments: Mapping[str, Any]) -> nn.Module:
    """A layer without memory, which takes inputs from any device to its own."""
    with torch.device("meta"):
        layer = make(**arguments).eval()
    layer.register_forward_pre_hook(
        lambda _, positional, keyword: (
            tuple(map(_to_meta, positional)),
            {name: _to_meta(value) for name, value in keyword.items()},
        ),
        with_kwargs=True,
    )
    return layer


def _to_meta(value: Any) -> Any:  # noqa: ANN401 - whatever a forward is given
    return value.to("meta") if isinstance(value, Tensor) else value


def _misfit(plan: NodePlan, inputs: Sequence[Tensor], error: Exception) -> Diagnostic:
    shapes = ", ".join(f"{feed} {_shape(value)}" for feed, value in zip(plan.feeds, inputs, strict=True))
    return Diagnostic(
        code="shape-mismatch",
        message=f"the node `{plan.name}` cannot take its input: {first_line(error)}",
        span=plan.origin.span,
        label=f"is given {shapes}",
        help="" if plan.kind == "keys" else _remedy(inputs, error),
        path=plan.origin.path,
    )


def _reason(call: Call, first: Tensor, error: Exception) -> str:
    written = misfit(call.arguments, first)
    return f"{written} (`{call.name}`)" if written else str(error)


def _remedy(inputs: Sequence[Tensor], error: Exception) -> str:
    wants_whole = "Long" in str(error) or "indices" in str(error)
    if wants_whole and any(value.is_floating_point() for value in inputs):
        return "it takes whole numbers: say `dtype: int64` at the key"
    if "same dtype" in str(error) and not all(value.is_floating_point() for value in inputs):
        return "it takes decimals: say `dtype: float32` at the key"
    return "sizes of inputs may be left out: they are then read off the data"


def _shape(value: Tensor) -> str:
    return f"(rows, {', '.join(str(size) for size in value.shape[1:])})" if value.ndim > 1 else "(rows)"
