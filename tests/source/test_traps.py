"""Specs made to break a reader: each is refused in time, in memory, by its code, at a place."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runexp.source import read, read_text

M = 1024 * 1024 - 200

# Two seconds is the promise, on a machine that does nothing else; here it only has to be told from a hang.
_HANG_S = 8

TRAPS = {
    "one byte too many": ("a: 1\n" + "#" * 1024 * 1024, "limit-exceeded"),
    "a long value": ("a: " + "x" * M, "limit-exceeded"),
    "a long text of words": ("a: " + "x " * (M // 2), "limit-exceeded"),
    "a long quoted text": ('a: "' + "\\x41" * (M // 4) + '"', "limit-exceeded"),
    "a quote never closed": ('a: "' + "\\x" * (M // 2), "unclosed"),
    "many quotes never closed": ("a:\n" + ' "x\n' * (M // 4), "unclosed"),
    "a long block": ("a: |\n" + "  x\n" * (M // 4), "limit-exceeded"),
    "a long key": ("x" * 300 + ": 1", "limit-exceeded"),
    "brackets": ("a: " + "[" * M, "limit-exceeded"),
    "braces": ("a: " + "{" * M, "key-not-text"),
    "dashes": ("- " * (M // 2), "limit-exceeded"),
    "question marks": ("? " * (M // 2), "yaml-syntax"),
    "colons": ("a: " * (M // 3), "yaml-syntax"),
    "tags": ("a: " + "! " * (M // 2), "yaml-syntax"),
    "anchors": ("a: " + "&a " * (M // 3), "yaml-syntax"),
    "many values": ("a: [" + "a," * (M // 2) + "]", "limit-exceeded"),
    "only line ends": ("\n" * M, "empty-spec"),
    "only comments": ("# x\n" * (M // 4), "empty-spec"),
    "the same key again and again": ("a: 1\n" * 40_000, "duplicate-key"),
    "aliases of aliases": (
        "b0: &b0 [1, 2]\n" + "".join(f"b{i}: &b{i} [*b{i - 1}, *b{i - 1}]\n" for i in range(1, 40)),
        "limit-exceeded",
    ),
    "aliases nested in depth": (
        "b0: &b0 [1]\n" + "".join(f"b{i}: &b{i} [*b{i - 1}]\n" for i in range(1, 60)),
        "limit-exceeded",
    ),
    "a merge bomb": (
        "a: &a {" + ",".join(f" k{i}: 1" for i in range(500)) + "}\n"
        + "".join(f"b{i}: {{<<: [*a, *a, *a]}}\n" for i in range(300)),
        "limit-exceeded",
    ),
    "more than a thousand aliases": ("a: &a 1\nb: [" + "*a ," * 1001 + "]", "limit-exceeded"),
    "an anchor inside itself": ("a: &a [*a]", "unknown-anchor"),
    "variables that double": (
        "vars:\n  a0: xy\n" + "".join(f"  a{i}: '${{vars.a{i - 1}}}${{vars.a{i - 1}}}'\n" for i in range(1, 60)),
        "limit-exceeded",
    ),
    "lists that double": (
        "vars:\n  a0: [x]\n" + "".join(f"  a{i}: ['${{vars.a{i - 1}}}', '${{vars.a{i - 1}}}']\n" for i in range(1, 30)),
        "limit-exceeded",
    ),
    "a long way through variables": (
        "vars:\n" + "".join(f"  a{i}: '${{vars.a{i + 1}}}'\n" for i in range(5_000)) + "  a5000: 1\n",
        "limit-exceeded",
    ),
    "references without end": ("".join(f"k{i}: ${{vars.x}}\n" for i in range(40_000)), "limit-exceeded"),
    "repeats in repeats": (
        "phases:\n"
        + "".join(
            f"{'    ' * i}  g:\n{'    ' * i}    repeat: [{'{a: 1},' * 10}]\n{'    ' * i}    phases:\n" for i in range(8)
        )
        + " " * 36 + "x: 1\n",
        "limit-exceeded",
    ),
    "a huge integer": ("a: " + "9" * 5_000, "bad-number"),
    "a huge float": ("a: 1e400", "bad-number"),
    "a tag that does not fit": ("a: !!int abc", "bad-tag-value"),
    "a tag of a boolean": ("a: !!bool maybe", "bad-tag-value"),
    "a python object": ("a: !!python/object/apply:os.system [ls]", "unknown-yaml-tag"),
    "a timestamp tag": ("a: !!timestamp 2001-99-99", "unknown-yaml-tag"),
    "latin-1": ("a: ä".encode("latin-1"), "not-utf8"),
    "utf-16": ("a: 1".encode("utf-16"), "not-utf8"),
    "an escape character": ("a: \x1b[31m", "bad-character"),
    "a NUL": ("a: \0", "bad-character"),
    "right to left": ("a: \u202ex", "bad-character"),
    "a zero-width space": ("a: x\u200b", "bad-character"),
    "half a surrogate": ('a: "\\ud800"', "bad-escape"),
    "two documents": ("a: 1\n---\nb: 2", "many-documents"),
    "keys that look the same": ("\u00e9: 1\ne\u0301: 2", "duplicate-key"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "code"), TRAPS.values(), ids=TRAPS.keys())
def test_a_trap_is_refused_quickly_by_its_code_and_place(text, code):
    start = time.process_time()
    _, found = read_text(text, environ={})
    assert time.process_time() - start < _HANG_S
    assert code in {one.code for one in found if one.is_error}
    assert all(one.span for one in found)
    assert len(found) <= 110


def test_a_byte_order_mark_is_allowed():
    document, found = read_text(b"\xef\xbb\xbfa: 1")
    assert not found and document is not None and document.plain() == {"a": 1}


@pytest.mark.parametrize("make", ["fifo", "folder", "loop", "missing", "nul", "device"])
def test_what_is_no_file_is_refused_at_once(tmp_path, make):
    path = tmp_path / "spec.yaml"
    if make == "fifo":
        os.mkfifo(path)
    if make == "folder":
        path.mkdir()
    if make == "loop":
        path.symlink_to(path)
    shown = {"nul": "a\0b", "device": "/dev/zero"}.get(make, str(path))
    document, found = read(shown)
    assert document is None
    assert [one.code for one in found] == ["cannot-read"] and found[0].span.file == shown


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from Linux's /proc")
def test_the_worst_specs_stay_under_300_megabytes():
    script = (
        "from pathlib import Path\nfrom runexp.source import read_text\n"
        "read_text('a: [' + 'a,' * 500_000 + ']')\n"
        "read_text(''.join(f'k{i}: v\\n' for i in range(49_000)))\n"
        "read_text('vars:\\n  a0: x\\n' + ''.join(f\"  a{i}: '${{vars.a{i-1}}}'\\n\" for i in range(1, 9_000)))\n"
        "peak = next(line for line in Path('/proc/self/status').read_text().splitlines() if 'VmHWM' in line)\n"
        "print(peak.split()[1])\n"  # ru_maxrss would count what the parent held when it forked
    )
    src = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(src)}, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 300 * 1024
