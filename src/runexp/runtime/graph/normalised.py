"""Which nodes need more than one row to train on: where batch normalisation sees one value a channel and row."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from runexp.runtime.graph.graph import N_EXAMPLE_ROWS, Graph

_KINDS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def needs_two_rows(graph: Graph, name: str) -> bool:
    """Whether a node cannot be trained on a batch of one row; an image has many values a channel, and can.

    Sends the example rows through the node once more, in eval mode, which changes nothing.
    """
    module, feeds = graph.modules[name], graph.plans[name].feeds
    parts = [part for part in module.modules() if isinstance(part, _KINDS)]
    if not parts:
        return False
    found: list[bool] = []

    def note(part: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        n_rows = min(N_EXAMPLE_ROWS, len(inputs[0]))
        found.append(inputs[0].numel() == inputs[0].shape[1] * n_rows)

    watches = [part.register_forward_pre_hook(note) for part in parts]
    was_training = module.training
    try:
        with torch.no_grad():
            positional = [graph.example(feed) for feed in feeds if not feed.argument]
            module.eval()(*positional, **{feed.argument: graph.example(feed) for feed in feeds if feed.argument})
    finally:
        module.train(was_training)
        for watch in watches:
            watch.remove()
    return any(found)
