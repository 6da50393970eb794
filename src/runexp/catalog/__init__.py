"""What `use:` can name: entries with their parameters, read from files; none of the libraries is imported."""

from runexp.catalog.accepted_values import accepted_text
from runexp.catalog.argument_check import ArgumentProblem, check_arguments
from runexp.catalog.entry import Entry, Json, Parameter, Range
from runexp.catalog.lookup import KINDS, lookup, names, search, suggest
from runexp.catalog.own_code import CallShape, OwnCode, adapted, find_own, read_own
from runexp.catalog.source_reader import SignatureProblem, read_signature

__all__ = [
    "KINDS",
    "ArgumentProblem",
    "CallShape",
    "Entry",
    "Json",
    "OwnCode",
    "Parameter",
    "Range",
    "SignatureProblem",
    "accepted_text",
    "adapted",
    "check_arguments",
    "find_own",
    "lookup",
    "names",
    "read_own",
    "read_signature",
    "search",
    "suggest",
]
