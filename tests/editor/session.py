"""A session with the language server, step by step, and how it reads as a page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from editor.language_server import CURSOR, LanguageServer

_SHOWN = 8
_INTRODUCTION = f"""# What an editor makes of a spec

This is a session with [yaml-language-server](https://github.com/redhat-developer/yaml-language-server) {{version}}, the
one that VS Code's YAML extension, Neovim and Helix run. It was asked over its protocol. It found the schema,
`schemas/runexp.schema.json`, through the first line of each spec, which is left out below. `{CURSOR}` is the cursor.
A test asks everything again and compares.
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing asked: `completion`, `hover` or `diagnostics`."""

    title: str
    ask: str
    text: str


@dataclass(slots=True)
class Answer:
    """What came back: `labels` of completions with what each says, or `lines` of a hover or of diagnostics."""

    told: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


STEPS = {
    "top": Step("At the top level", "completion", f"runexp: 1\nname: a\n{CURSOR}\n"),
    "kind": Step("What a phase can be", "completion", f"phases:\n  train:\n    kind: {CURSOR}\n"),
    "phase": Step("What a train phase holds", "completion", f"phases:\n  train:\n    kind: train\n    {CURSOR}\n"),
    "loss": Step("What a loss can be", "completion", f"losses:\n  ce:\n    node: head\n    use: {CURSOR}\n"),
    "conv": Step(
        "The parameters of torch.nn.Conv1d",
        "completion",
        f"nodes:\n  encoder:\n    use: torch.nn.Conv1d\n    with:\n      {CURSOR}\n",
    ),
    "layer": Step(
        "The same in a layer, by its short name",
        "completion",
        f"nodes:\n  encoder:\n    layers:\n      - conv1d:\n          {CURSOR}\n",
    ),
    "choice": Step(
        "The words a parameter takes",
        "completion",
        f"nodes:\n  encoder:\n    use: torch.nn.Conv1d\n    with:\n      padding_mode: {CURSOR}\n",
    ),
    "nested": Step(
        "Something made inside an argument",
        "completion",
        "nodes:\n  bag:\n    use: sklearn.ensemble.BaggingClassifier\n    with:\n      estimator:\n"
        f"        use: sklearn.svm.SVC\n        with:\n          {CURSOR}\n",
    ),
    "group": Step(
        "Options of an optimizer's group",
        "completion",
        "phases:\n  train:\n    kind: train\n    optimizer:\n      use: adamw\n      groups:\n"
        f"        encoder:\n          {CURSOR}\n",
    ),
    "hover kind": Step("On a kind", "hover", f"phases:\n  train:\n    kind: tr{CURSOR}ain\n"),
    "hover use": Step(
        "On a name", "hover", f"phases:\n  train:\n    kind: train\n    optimizer: {{use: ad{CURSOR}amw}}\n"
    ),
    "hover lr": Step(
        "On a parameter",
        "hover",
        "phases:\n  train:\n    kind: train\n    optimizer:\n      use: adamw\n      with:\n"
        f'        l{CURSOR}r: "${{vars.lr}}"\n',
    ),
    "hover choice": Step(
        "On a parameter with choices",
        "hover",
        f"nodes:\n  encoder:\n    use: torch.nn.Conv1d\n    with:\n      padd{CURSOR}ing_mode: zeros\n",
    ),
    "wrong": Step(
        "Mistakes",
        "diagnostics",
        """\
runexp: 1
name: slips
data:
  digits:
    source: sklearn.datasets.load_digits
    features: {pixels: pixel_*}
nodes:
  encoder:
    inputs: digits.pixels
    use: torch.nn.Conv1d
    with: {out_channels: 8, kernel_size: 3, paddding: 1, padding_mode: zeroes}
  head: {inputs: encoder, use: torch.nn.Linaer}
losses:
  ce: {node: head, use: cross_entropy, weigth: 2.0}
phases:
  train: {kind: train, epochs: many, losses: [ce], optimizer: {use: adamw, with: {lr: -1}}}
""",
    ),
}


def ask(server: LanguageServer, step: Step, modeline: str) -> Answer:
    """Put one question."""
    text = modeline + step.text
    if step.ask == "completion":
        return Answer(told={item["label"]: _plain(item) for item in server.complete(text)})
    if step.ask == "hover":
        return Answer(lines=server.hover(text).partition("\n\nSource: [")[0].strip().splitlines())
    found = sorted(server.diagnostics(text), key=lambda item: (item["range"]["start"]["line"], item["message"]))
    return Answer(lines=[_underlined(text, item) for item in found])


def page(answers: dict[str, Answer], version: str) -> str:
    """The session as Markdown."""
    parts = [_INTRODUCTION.format(version=version)]
    parts += [_section(STEPS[name], answer) for name, answer in answers.items()]
    return "\n".join(parts)


def _section(step: Step, answer: Answer) -> str:
    shown = [f"- `{label}`: {text}" if text else f"- `{label}`" for label, text in answer.told.items()][:_SHOWN]
    more = len(answer.told) - len(shown)
    lines = [f"> {line}".rstrip() for line in answer.lines] if step.ask == "hover" else [f"- {x}" for x in answer.lines]
    body = "\n".join([*shown, *([f"- … and {more} more"] if more else []), *lines])
    return f"## {step.title} ({step.ask})\n\n```yaml\n{step.text}```\n\n{body}\n"


def _plain(item: dict) -> str:
    found = item.get("documentation") or ""
    text = found["value"] if isinstance(found, dict) else found
    return re.sub(r"\s+", " ", text.partition("----")[0].replace("```yaml", "").replace("```", "")).strip()


def _underlined(text: str, item: dict) -> str:
    start, end = item["range"]["start"], item["range"]["end"]
    marked = text.splitlines()[start["line"]][start["character"] : end["character"]]
    return f"line {start['line']}, `{marked}`: {item['message']}"
