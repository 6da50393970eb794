"""`runexp fmt` and changing specs in Python: one style, the same meaning, every comment kept."""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from commands.layouts import yaml_texts
from runexp.api.checking import check
from runexp.api.formatting import format_text
from runexp.plan.experiment import digest
from runexp.source import read_text

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted([*ROOT.glob("specs/*.yaml"), *ROOT.glob("src/runexp/templates/*.yaml")])

UNTIDY = """\
# head
nodes:
    a:
       layers:
       - torch.nn.ReLU:
            x: 1
       # about b
       -   'b c'
       - - "q"
         - 'it''s'
         # end
    # of nodes
    b: {x: 'relu',
        # in flow
        z: "on"}

# the data
data:
 d: |
    text
      more

    end
 e: &a-b
   - 1
   -
     k: v
     l: '${vars.w}'
# the name
name: 'x'   # why
runexp: 1
# foot
"""
TIDY = """\
# head
runexp: 1

# the name
name: x   # why

# the data
data:
  d: |
     text
       more

     end
  e: &a-b
    - 1
    -
      k: v
      l: "${vars.w}"

nodes:
  a:
    layers:
      - torch.nn.ReLU:
          x: 1
      # about b
      - "b c"
      - - q
        - "it's"
        # end
  # of nodes
  b: {x: relu,
      # in flow
      z: "on"}
# foot
"""


def _meaning(text):
    document, found = read_text(text)
    assert document is not None, found
    return document.plain()


def _comments(text):
    return sorted(re.findall(r"# (?:[a-z ]+)", text))


def test_sections_indentation_and_quotes_come_into_one_style():
    assert format_text(UNTIDY, "a.yaml") == TIDY


def test_formatting_twice_changes_nothing_more():
    assert format_text(TIDY, "a.yaml") == TIDY


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_what_ships_is_in_the_style_already(path):
    text = path.read_text(encoding="utf-8")
    assert format_text(text, str(path)) == text


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_shuffled_and_deeper_spec_keeps_plan_and_comments(path, tmp_path):
    text = path.read_text(encoding="utf-8")
    starts = [0, *(found.start() for found in re.finditer(r"(?m)^(?=[a-z]+:)", text))]
    chunks = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    shuffled = chunks[0] + "".join(reversed(chunks[1:])).replace("\n  ", "\n    ")
    formatted = format_text(shuffled, "s.yaml")
    (tmp_path / "s.yaml").write_text(formatted, encoding="utf-8")
    assert digest(check(tmp_path / "s.yaml", folder=path.parent).require().plan) == digest(check(path).require().plan)
    assert _comments(formatted) == _comments(text)
    assert re.findall(r"(?m)^([a-z]+):", formatted) == re.findall(r"(?m)^([a-z]+):", text)


def test_a_section_stays_behind_the_anchor_it_uses():
    text = "name: x\nphases: &p {a: 1}\ndata: *p\n"
    assert format_text(text, "a.yaml") == text


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(yaml_texts())
def test_any_layout_keeps_its_meaning_and_comments_and_is_done_after_one_pass(text):
    document, _ = read_text(text, environ={})
    assume(document is not None)
    formatted = format_text(text, "a.yaml")
    assert _meaning(formatted) == document.plain()
    assert _comments(formatted) == _comments(text)
    assert format_text(formatted, "a.yaml") == formatted


def test_the_file_is_rewritten_with_its_mode_and_check_and_diff_write_nothing(call, tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(UNTIDY, encoding="utf-8")
    path.chmod(0o640)
    checked, shown = call("fmt", path, "--check"), call("fmt", path, "--diff")
    assert (checked.exit_code, shown.exit_code) == (1, 0)
    assert "-    a:" in shown.stdout
    assert path.read_text(encoding="utf-8") == UNTIDY
    assert call("fmt", path).exit_code == 0
    assert path.read_text(encoding="utf-8") == TIDY
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert call("fmt", path, "--check").exit_code == 0
    assert os.listdir(tmp_path) == ["s.yaml"]


def test_standard_input_goes_to_standard_output(call):
    outcome = call("fmt", "-", stdin=UNTIDY)
    assert (outcome.exit_code, outcome.stdout) == (0, TIDY)


def test_one_file_that_cannot_be_read_leaves_all_as_they_are(call, tmp_path):
    (tmp_path / "good.yaml").write_text(UNTIDY, encoding="utf-8")
    (tmp_path / "bad.yaml").write_text("a: [1\nb: 2\n", encoding="utf-8")
    outcome = call("fmt", "good.yaml", "bad.yaml")
    assert outcome.exit_code == 2
    assert "bad.yaml:1:4" in outcome.stderr
    assert (tmp_path / "good.yaml").read_text(encoding="utf-8") == UNTIDY


@pytest.mark.parametrize("text", ["", "- a\n", "a: 1\na: 2\n", "a: *b\n", "a:\n\tb: 1\n", "a: 1\n---\nb: 2\n"])
def test_what_is_no_spec_is_refused_with_its_place(call, text):
    outcome = call("fmt", "-", stdin=text)
    assert outcome.exit_code == 2
    assert "<stdin>:" in outcome.stderr
    assert outcome.stdout == ""


def test_a_missing_file_exits_2(call):
    assert call("fmt", "nowhere.yaml").exit_code == 2


LONG = [
    pytest.param("# c\n" * 100_000 + "a: 1\n" + " # c\n" * 50_000, id="comments"),
    pytest.param("n:\n" + "".join(f"   k{index}:\n  # c\n" for index in range(8_000)), id="empty values"),
]


@pytest.mark.parametrize("text", LONG)
def test_a_long_spec_takes_time_in_proportion(text):
    started = time.process_time()
    assert format_text(text, "a.yaml") != text
    assert time.process_time() - started < 30
