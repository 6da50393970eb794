"""One-line summaries out of docstrings: numpydoc's `Parameters` and torch's `Args:` sections."""

from __future__ import annotations

import re
from inspect import cleandoc

_LONGEST = 120


def first_sentence(docstring: str | None) -> str:
    """The first sentence of the first paragraph that is prose."""
    paragraphs = re.split(r"\n\s*\n", cleandoc(docstring or ""))
    prose = (text for text in paragraphs if text and not text.lstrip().startswith((".. ", ">>>", "__init__(")))
    return _sentence(next(prose, ""))


def parameter_summaries(docstring: str | None) -> dict[str, str]:
    """What the docstring says about each parameter, a sentence each."""
    text = cleandoc(docstring or "")
    return _numpydoc(text) or _args_section(text)


def _numpydoc(text: str) -> dict[str, str]:
    section = re.search(r"^Parameters\n-{3,}\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", text, re.M | re.S)
    if section is None:
        return {}
    found = re.findall(r"^(\*{0,2}\w[\w, *]*?) ?(?::[^\n]*)?\n((?:[ \t]+[^\n]*\n|\n)+)", section[1] + "\n", re.M)
    return _by_name(found)


def _args_section(text: str) -> dict[str, str]:
    section = re.search(r"^(?:Args|Arguments|Parameters|Keyword args)::?\n((?:[ \t]+[^\n]*\n?|\n)+)", text, re.M | re.I)
    if section is None:
        return {}
    body = cleandoc("\n" + section[1])
    found = re.findall(r"^(\w+)[ ]*(?:\([^\n]*?\))?[ ]*:[ ]*((?:[^\n]*)(?:\n[ \t]+[^\n]*|\n(?=\s))*)", body, re.M)
    return _by_name(found)


def _by_name(found: list[tuple[str, str]]) -> dict[str, str]:
    return {name.strip(" *"): _sentence(cleandoc("\n" + text)) for names, text in found for name in names.split(",")}


def _sentence(text: str) -> str:
    """The first sentence without markup, on one line, cut at a word where it is long."""
    paragraph = re.split(r"\n\s*\n|\n\s*(?:[-*] |\.\. )", text)[0]
    plain = re.sub(r":[\w:]+:`~?([^`<]*?)(?:\s*<[^`]*>)?`", r"\1", " ".join(paragraph.split()))
    plain = re.sub(r"`+|\*\*", "", plain)
    sentence = re.split(r"(?<=[^.A-Z\s][.])\s+(?=[A-Z`(])|\s*\(?Default(?:s to|:)|\s*\(default", plain)[0]
    sentence = sentence.strip().rstrip(".:;,")
    if len(sentence) <= _LONGEST:
        return sentence
    return sentence[:_LONGEST].rpartition(" ")[0] + " …"
