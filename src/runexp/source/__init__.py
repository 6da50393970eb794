"""text → Document: a spec with every key and value at its place, composed, overridden and resolved."""

from runexp.source.document import Document, History
from runexp.source.nodes import Entry, MappingNode, Node, Path, Scalar, ScalarNode, SequenceNode
from runexp.source.read import NAMED_SECTIONS, Reading, read, read_text

__all__ = [
    "NAMED_SECTIONS",
    "Document",
    "Entry",
    "History",
    "MappingNode",
    "Node",
    "Path",
    "Reading",
    "Scalar",
    "ScalarNode",
    "SequenceNode",
    "read",
    "read_text",
]
