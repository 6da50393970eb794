"""The language: what a spec may say, and whether a document says it in the right shape."""

from runexp.spec.experiment import Spec
from runexp.spec.parse import Parsed, parse

__all__ = ["Parsed", "Spec", "parse"]
