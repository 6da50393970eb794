"""runexp's own losses, beside those of torch."""

from __future__ import annotations

from runexp.catalog.entry import Entry, Json, Parameter, Range

_DISTANCE = (
    Parameter(
        "distance", False, "euclidean", "", ("str",), ("euclidean", "cosine"), (),
        "how far two outputs are from each other; cosine is 1 - the cosine of their angle, from 0 to 2",
    ),
    Parameter(
        "p", False, 2.0, "", ("float",), (), (Range("real", 1.0),),
        "the power of the euclidean distance: 2, or 1 for the sum of absolute differences",
    ),
)  # fmt: skip


def _loss(name: str, label: str, inputs: tuple[str, ...], summary: str, *more: Parameter) -> Entry:
    traits: dict[str, Json] = {"own": True, "inputs": inputs, "reduction": False}
    parameters = (*_DISTANCE, *more)
    return Entry(name, f"runexp.runtime.objectives:{label}", "loss", summary, parameters, short=(name,), traits=traits)


LOSSES = {
    "pairwise_distance": _loss(
        "pairwise_distance",
        "PairwiseDistanceLoss",
        ("input", "target", "mask"),
        "The mean squared difference between the distances of a batch's outputs and those of a matrix, over all pairs.",
    ),
    "contrastive": _loss(
        "contrastive",
        "ContrastiveLoss",
        ("input", "target", "mask"),
        "Draws pairs of one label together and others apart up to a margin: the mean over all pairs of a batch.",
        Parameter(
            "margin", False, 1.0, "", ("float",), (), (Range("real", 0.0, includes_minimum=False),),
            "how far apart pairs of different labels have to be",
        ),
    ),
}  # fmt: skip
