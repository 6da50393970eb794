"""Files made to break a reader: name → how to make it, and the code `validate` must end with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from corpus.tables import GOOD

RICH = GOOD["rich"].read_text(encoding="utf-8")
Maker = Callable[[Path], object]


def _text(text: str) -> Maker:
    return lambda path: path.write_text(text, encoding="utf-8")


def _bytes(data: bytes) -> Maker:
    return lambda path: path.write_bytes(data)


def _with(old: str, new: str) -> Maker:
    assert RICH.count(old) == 1, old
    return _text(RICH.replace(old, new))


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"runexp: 1\n")
        file.truncate(50 * 1024 * 1024)


def _unreadable(path: Path) -> None:
    path.write_text(RICH)
    path.chmod(0)


def _bomb(n: int) -> str:
    return "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]\n" for i in range(1, n))


HOSTILE: dict[str, tuple[Maker, str]] = {
    "nothing": (_bytes(b""), "empty-spec"),
    "only comments": (_text("# nothing\n" * 9), "empty-spec"),
    "a list at the top": (_text("- a\n- b\n"), "not-a-mapping"),
    "a number at the top": (_text("3\n"), "not-a-mapping"),
    "a word at the top": (_text("runexp\n"), "not-a-mapping"),
    "true at the top": (_text("true\n"), "not-a-mapping"),
    "null at the top": (_text("null\n"), "not-a-mapping"),
    "JSON cut short": (_text('{"runexp": 1, "name": "x'), "unclosed"),
    "an image": (_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256))), "not-utf8"),
    "a tab": (_with("  width: 64", "\twidth: 64"), "tab-indentation"),
    "latin-1": (_bytes(RICH.replace("everything", "ä").encode("latin-1")), "not-utf8"),
    "utf-16": (_bytes(RICH.encode("utf-16")), "not-utf8"),
    "utf-16 without a mark": (_bytes(RICH.encode("utf-16-le")), "bad-character"),
    "utf-8 cut short": (_bytes("runexp: 1\nname: é".encode()[:-1]), "not-utf8"),
    "an overlong byte pair": (_bytes(b"name: \xc0\xaf\n"), "not-utf8"),
    "NUL": (_with("everything", "every\0thing"), "bad-character"),
    "a second byte order mark": (_text("\ufeff\ufeff" + RICH), "bad-character"),
    "an escape character": (_with("everything", "\x1b[2J"), "bad-character"),
    "right to left": (_with("everything", "\u202egnihtyreve"), "bad-character"),
    "isolates": (_with("everything", "\u2066x\u2069"), "bad-character"),
    "a tag character": (_with("everything", "x\U000e0041"), "bad-character"),
    "a line separator": (_with("everything", "x\u2028y"), "bad-character"),
    "half a surrogate": (_with("everything", '"\\ud800"'), "bad-escape"),
    "an alias bomb": (_text(_bomb(60)), "limit-exceeded"),
    "an alias of itself": (_text("a: &a [*a]\n"), "unknown-anchor"),
    "a merge bomb": (
        _text("a: &a {" + ", ".join(f"k{i}: 1" for i in range(900)) + "}\n"
              + "".join(f"b{i}: {{<<: [*a, *a, *a]}}\n" for i in range(300))),
        "limit-exceeded",
    ),
    "a merge with itself": (_text("a: &a {<<: *a}\n"), "unknown-anchor"),
    "a merge of a list": (_with("{split: test}", "{<<: [3], split: test}"), "bad-merge-key"),
    "lists 10,000 deep": (_text("a: " + "[" * 10_000 + "]" * 10_000), "limit-exceeded"),
    "mappings 10,000 deep": (_text("a: " + "{a: " * 10_000 + "}" * 10_000), "limit-exceeded"),
    "blocks 1,400 deep": (_text("".join(" " * i + "a:\n" for i in range(1_400))), "limit-exceeded"),
    "dashes 10,000 deep": (_text("- " * 10_000 + "a"), "limit-exceeded"),
    "50 MB": (_large, "limit-exceeded"),
    "a million line ends": (_bytes(b"\n" * 1_000_000), "empty-spec"),
    "one long line": (_text("a: " + "x" * 1_000_000), "limit-exceeded"),
    "a hundred thousand keys": (_text("".join(f"k{i}: 1\n" for i in range(90_000))), "limit-exceeded"),
    "forty thousand unknown keys": (_text(RICH + "".join(f"k{i}: 1\n" for i in range(40_000))), "unknown-key"),
    "a huge repeat": (_with("- {split: val}", "\n".join(["- {split: val}"] + ["      - {split: tset}"] * 2_500)),
                      "unknown-split"),
    "variables that double": (
        _text("vars:\n  a0: x\n" + "".join(f"  a{i}: ${{vars.a{i - 1}}}${{vars.a{i - 1}}}\n" for i in range(1, 60))),
        "limit-exceeded",
    ),
    "a pipe": (os.mkfifo, "cannot-read"),
    "a folder": (Path.mkdir, "cannot-read"),
    "a loop of links": (lambda path: path.symlink_to(path), "cannot-read"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "cannot-read"),
    "a terminal": (lambda path: path.symlink_to("/dev/tty"), "cannot-read"),
    "nothing there": (lambda path: None, "cannot-read"),
    "an extends of itself": (lambda path: path.write_text(f"extends: {path.name}\n"), "extends-cycle"),
    "an extends of a device": (_text("extends: /dev/zero\n"), "cannot-read"),
    "a python tag": (_with("seed: 7", "seed: !!python/object/apply:os.system [ls]"), "unknown-yaml-tag"),
    "a python name": (_with("seed: 7", "seed: !!python/name:os.system"), "unknown-yaml-tag"),
    "a tag with an address": (_with("seed: 7", "seed: !<tag:yaml.org,2002:python/none> 7"), "unknown-yaml-tag"),
    "two documents": (_text(RICH + "---\n" + RICH), "many-documents"),
    "an integer of 5,000 digits": (_with("seed: 7", "seed: " + "9" * 5_000), "bad-number"),
    "an integer of 60,000 octal digits": (_with("seed: 7", "seed: 0o" + "7" * 60_000), "bad-number"),
    "not a number": (_with("weight: 1.0", "weight: .nan"), "wrong-value"),
    "1e400": (_with("weight: 1.0", "weight: 1e400"), "bad-number"),
    "sexagesimal": (_with("epochs: 30", "epochs: 1:30:00"), "wrong-type"),
    "a Norway word": (_with("restore_best: true", "restore_best: no"), "wrong-type"),
    "a date": (_with("seed: 7", "seed: 2001-99-99"), "wrong-type"),
    "a Cyrillic key": (_with("epochs: 30", "\u0435pochs: 30"), "unknown-key"),
    "a Greek key": (_with("epochs: 30", "ep\u03bfchs: 30"), "unknown-key"),
    "a full-width key": (_with("seed: 7", "\uff53\uff45\uff45\uff44: 7"), "unknown-key"),
    "markup in a key": (_with("seed: 7", "'[/red]': 7"), "unknown-key"),
    "a template that eats memory": (_with("at: epoch_end", 'at: "{epoch:>999999999}"'), "unknown-word"),
}  # fmt: skip
FINE: dict[str, Maker] = {
    "a byte order mark": _text("\ufeff" + RICH),
    "line ends of Windows": _bytes(RICH.replace("\n", "\r\n").encode()),
    "line ends of old": _bytes(RICH.replace("\n", "\r").encode()),
    "JSON": _text('{"extends": "rich.yaml"}'),
    "a marked document": _text("%YAML 1.2\n---\n" + RICH + "...\n"),
}
