"""A right spec of about as many lines as asked for: networks side by side, each with its loss and its phase."""

from __future__ import annotations

_HEAD = """runexp: 1
name: long
vars: {lr: 1e-3}
data:
  digits:
    source: sklearn.datasets.load_digits
    features: {pixels: pixel_*}
    targets: {label: target}
    splits: {train: 0.7, val: 0.15, test: 0.15}
"""
_SECTIONS = {
    "nodes": """  encoder@:
    inputs: digits.pixels
    layers:
      - torch.nn.Linear:
          out_features: 64
      - torch.nn.ReLU
  head@:
    inputs: encoder@
    use: torch.nn.Linear
    with:
      out_features: 10
""",
    "losses": """  ce@:
    node: head@
    use: cross_entropy
""",
    "callbacks": "  validate@: {use: evaluation, split: val, losses: [ce@], metrics: [accuracy]}\n",
    "phases": """  train@:
    kind: train
    epochs: 3
    losses: [ce@]
    optimizer:
      use: adamw
      with: {lr: "${vars.lr}"}
    callbacks: [validate@]
    clip:
      norm: 1.0
""",
}


def long_spec(n_lines: int) -> str:
    """The text of a valid spec."""
    each = sum(text.count("\n") for text in _SECTIONS.values())
    n_networks = max(1, (n_lines - _HEAD.count("\n") - len(_SECTIONS)) // each)
    parts = [_HEAD]
    for section, text in _SECTIONS.items():
        parts += [f"{section}:\n", *(text.replace("@", str(number)) for number in range(n_networks))]
    return "".join(parts)
