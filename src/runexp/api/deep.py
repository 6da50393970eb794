"""A valid spec tried deeply: imports torch and scikit-learn, reads rows, trains nothing, writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from runexp.api.checking import Checked
from runexp.api.lineage import default_runs, recorded, traced
from runexp.api.redaction import redacted_text
from runexp.api.tracking import missing_libraries
from runexp.api.trust import distrusted, own_modules
from runexp.diagnostics import Diagnostic, SpecError, in_document_order
from runexp.plan.experiment import Plan
from runexp.plan.picture import Size
from runexp.report.sizes import DataFacts, PhaseFacts, SizeFacts
from runexp.runtime.deep import Sizes, deep_check
from runexp.source import Document


@dataclass(frozen=True, slots=True)
class DeepChecked:
    """A spec with all that was found; `sizes` is None where plain checking found errors already."""

    checked: Checked
    sizes: SizeFacts | None
    drawn: Mapping[str, Size] = field(default_factory=dict)
    """What is known of nodes and keys, for pictures of the graph."""


def check_deep(checked: Checked) -> DeepChecked:
    """Look deeper into a spec in which plain checking found no error. Never raises for what a user wrote.

    Code that the spec brings is imported, if it may be.
    """
    if checked.plan is None or not checked.is_valid:
        return DeepChecked(checked, None)
    untrusted = distrusted(checked)
    if untrusted:
        return DeepChecked(replace(checked, diagnostics=in_document_order((*checked.diagnostics, *untrusted))), None)
    with own_modules(checked):
        plan, lost = _traced(checked.plan)
        deep = deep_check(plan, folder=checked.folder)
    found = (*missing_libraries(checked.plan), *lost, *deep.diagnostics)
    located = [_located(item, checked.document) for item in found]
    everything = in_document_order(dict.fromkeys((*checked.diagnostics, *located)))
    return DeepChecked(
        replace(checked, diagnostics=everything), _facts(checked.path, deep.sizes, deep.notes), deep.drawn
    )


def _traced(plan: Plan) -> tuple[Plan, tuple[Diagnostic, ...]]:
    """The plan with the weights of earlier runs; without those that cannot be found, and why."""
    try:
        return traced(plan, default_runs())[0], ()
    except SpecError as error:
        return recorded(plan, {})[0], tuple(error.diagnostics)


def _located(item: Diagnostic, document: Document | None) -> Diagnostic:
    """What no item of the plan owns is shown where its section was written; code may have told a secret."""
    item = replace(item, message=redacted_text(item.message, document))
    if item.span is not None or document is None or not item.path:
        return item
    return replace(item, span=document.span_of(tuple(item.path.split("."))))


def _facts(path: str, sizes: Sizes, notes: tuple[str, ...]) -> SizeFacts:
    return SizeFacts(
        path=path,
        data=tuple(DataFacts(item.name, item.n_rows, item.n_bytes, item.is_estimate) for item in sizes.data),
        n_parameters=sizes.n_parameters,
        weights=sizes.weights,
        phases=tuple(
            PhaseFacts(
                label=phase.label,
                n_trainable=phase.n_trainable,
                gradients=phase.gradients,
                optimizer=phase.optimizer,
                activations=phase.activations,
                peak=sizes.peak(phase),
            )
            for phase in sizes.phases
        ),
        memory=sizes.memory,
        notes=notes,
    )
