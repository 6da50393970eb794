"""What a graph that is built knows of its nodes, for pictures of it."""

from __future__ import annotations

from collections.abc import Mapping

from runexp.plan.picture import Size
from runexp.runtime.data import FeatureSet
from runexp.runtime.graph.graph import Graph


def sizes_of(graph: Graph, sets: Mapping[str, FeatureSet]) -> dict[str, Size]:
    """The sizes of all nodes that are built, by name, and of all keys of numbers, by `<data>.<key>`."""
    sizes = {
        f"{name}.{key}": Size(features.shape_of(key), str(features.dtype_of(key)))
        for name, features in sets.items()
        for key in features.keys
        if features.dtype_of(key).kind in "biuf"
    }
    for name in graph.plans:
        if not graph.is_built([name]):
            continue
        output, module = graph.output(name), graph.modules.get(name)
        n_parameters = sum(one.numel() for one in module.parameters()) if module is not None else 0
        if output is None:
            sizes[name] = Size(None, "", n_parameters)
        else:
            sizes[name] = Size(tuple(output.shape[1:]), str(output.dtype).removeprefix("torch."), n_parameters)
    return sizes
