"""What torch's signatures do not say about its classes."""

from __future__ import annotations

from runexp.catalog.entry import Json, Range

# Not to be named in a spec: containers take their parts by position (a node's `layers` does that), the
# rest are bases, deprecated, or a matter of `execution:`.
LEFT_OUT = {
    "Container",
    "DataParallel",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss2d",
    "ParameterDict",
    "ParameterList",
    "RNNBase",
    "RNNCellBase",
    "Sequential",
}

# Losses by name of the class: what a target is, and whether `reduction: none` keeps every element.
# class: an index; binary: between 0 and 1; sign: 1 or -1; none: there is no target.
_CLASS: dict[str, Json] = {"target": "class", "elementwise": False}
_VALUE: dict[str, Json] = {"target": "value", "elementwise": True}
_BINARY: dict[str, Json] = {"target": "binary", "elementwise": True}
LOSS_TRAITS: dict[str, dict[str, Json]] = {
    "BCELoss": _BINARY,
    "BCEWithLogitsLoss": _BINARY,
    "CTCLoss": {"target": "sequence", "elementwise": False},
    "CosineEmbeddingLoss": {"target": "sign", "elementwise": False},
    "CrossEntropyLoss": _CLASS,
    "GaussianNLLLoss": _VALUE,
    "HingeEmbeddingLoss": {"target": "sign", "elementwise": True},
    "HuberLoss": _VALUE,
    "KLDivLoss": {"target": "distribution", "elementwise": True},
    "L1Loss": _VALUE,
    "LinearCrossEntropyLoss": _CLASS,
    "MSELoss": _VALUE,
    "MarginRankingLoss": {"target": "sign", "elementwise": True},
    "MultiLabelMarginLoss": {"target": "classes", "elementwise": False},
    "MultiLabelSoftMarginLoss": {"target": "binary", "elementwise": False},
    "MultiMarginLoss": _CLASS,
    "NLLLoss": _CLASS,
    "PoissonNLLLoss": {"target": "count", "elementwise": True},
    "SmoothL1Loss": _VALUE,
    "SoftMarginLoss": {"target": "sign", "elementwise": True},
    "TripletMarginLoss": {"target": "none", "elementwise": False},
    "TripletMarginWithDistanceLoss": {"target": "none", "elementwise": False},
}

# Parameters that follow from what comes in: (which input, which of its axes), batch first.
INFERRED: dict[str, tuple[int, int]] = {
    "in_features": (0, -1),
    "in1_features": (0, -1),
    "in2_features": (1, -1),
    "in_channels": (0, 1),
    "num_features": (0, 1),
    "num_channels": (0, 1),
    "normalized_shape": (0, -1),
    "input_size": (0, -1),
    "embed_dim": (0, -1),
    "d_model": (0, -1),
}

_LEAST_ONE = Range("int", 1)
_LEAST_ZERO = Range("int", 0)
_FRACTION = Range("real", 0, 1)
_NOT_NEGATIVE = Range("real", 0)
_POSITIVE = Range("real", 0, includes_minimum=False)

MODULE_RANGES = {
    **dict.fromkeys(
        (
            "d_model",
            "dilation",
            "dim_feedforward",
            "embed_dim",
            "embedding_dim",
            "groups",
            "hidden_size",
            "in1_features",
            "in2_features",
            "in_channels",
            "in_features",
            "input_size",
            "kernel_size",
            "nhead",
            "num_channels",
            "num_classes",
            "num_embeddings",
            "num_features",
            "num_groups",
            "num_heads",
            "num_layers",
            "num_parameters",
            "out_channels",
            "out_features",
            "upscale_factor",
            "downscale_factor",
        ),
        _LEAST_ONE,
    ),
    "proj_size": _LEAST_ZERO,
    "dropout": _FRACTION,
    "label_smoothing": _FRACTION,
}

# `p` is a probability in a dropout and the order of a norm elsewhere.
DROPOUT_RANGES = {**MODULE_RANGES, "p": _FRACTION}

# A rate of 0 trains nothing: torch takes it, runexp does not.
OPTIMIZER_RANGES = {
    "lr": _POSITIVE,
    "eps": _NOT_NEGATIVE,
    "weight_decay": _NOT_NEGATIVE,
    "lr_decay": _NOT_NEGATIVE,
    "momentum": _NOT_NEGATIVE,
    "rho": _FRACTION,
}

CHOICES: dict[str, tuple[str, ...]] = {
    "reduction": ("none", "mean", "sum"),
    "nonlinearity": ("tanh", "relu"),
    "approximate": ("none", "tanh"),
}
KLDIV_REDUCTIONS = ("none", "batchmean", "sum", "mean")
