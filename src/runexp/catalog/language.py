"""runexp's own loss and metric for models of language, beside those of torch and scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping

from runexp.catalog.entry import Entry, Parameter, Range

_LOGITS = "logits (…, tokens of the vocabulary), such as (batch, time, vocabulary)"

CAUSAL_LM = Entry(
    "causal_lm",
    "runexp.runtime.language:CausalLM",
    "loss",
    f"Cross-entropy of every token of a sequence: {_LOGITS} against codes (batch, time), with `mask` as a third input "
    "where not every token counts.",
    (
        Parameter(
            "label_smoothing", False, 0.0, "0.0", ("float",), (), (Range("real", 0, 1),), "share given to other tokens"
        ),
    ),
    short=("causal_lm",),
    traits={"own": True, "target": "class", "elementwise": False},
)

PERPLEXITY = Entry(
    "perplexity",
    "runexp.runtime.language:perplexity",
    "metric",
    f"The exponential of the mean cross-entropy of all tokens of a split: {_LOGITS} against codes (batch, time).",
    (
        Parameter("y_true", True, None, "", ("tensor",), (), (), "codes of tokens"),
        Parameter("y_pred", True, None, "", ("tensor",), (), (), "logits"),
        Parameter("mask", False, None, "None", ("tensor", "none"), (), (), "1 where a token counts"),
    ),
    short=("perplexity",),
    traits={"own": True, "takes": "values", "higher_is_better": False},
)

LANGUAGE: Mapping[str, Mapping[str, Entry]] = {
    "loss": {CAUSAL_LM.name: CAUSAL_LM},
    "metric": {PERPLEXITY.name: PERPLEXITY},
}
"""Kind → name → entry."""
