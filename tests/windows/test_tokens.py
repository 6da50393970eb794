"""Text as a stream of tokens: learnt from one split, kept with the run, read back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runexp.runtime.data import Tokenizer, load_tokenizer
from windows.specs import LANGUAGE, finished, misread, read

DATA = """\
source: t.txt
tokenizer: {use: char, unknown: other}
features: {tokens: text}
targets: {ahead: text}
splits: {train: 0.5, test: 0.5, order: true}
windows: {size: 4, stride: 4, predict: next}
"""
LETTERS = st.characters(exclude_categories=["Cs"])


@given(known=st.sets(LETTERS, min_size=1), text=st.text(LETTERS))
def test_what_is_known_comes_back_and_what_is_not_has_one_code(known, text):
    tokenizer = Tokenizer(tuple(sorted(known)), has_unknown=True)
    codes = tokenizer.encode(text)
    assert codes.dtype == np.int64
    assert tokenizer.decode(codes) == "".join(letter if letter in known else "\ufffd" for letter in text)
    assert all(code == len(known) for code, letter in zip(codes.tolist(), text, strict=True) if letter not in known)


@given(known=st.sets(LETTERS, min_size=1), has_unknown=st.booleans())
def test_a_file_gives_the_same_tokenizer_again(known, has_unknown, tmp_path_factory):
    tokenizer = Tokenizer(tuple(sorted(known)), has_unknown)
    path = tmp_path_factory.mktemp("kept") / "t.json"
    path.write_text(tokenizer.to_json(), encoding="utf-8")
    assert load_tokenizer(path) == tokenizer


def test_without_a_code_for_it_an_unknown_character_is_refused():
    tokenizer = Tokenizer(("a", "b"), has_unknown=False)
    with pytest.raises(ValueError, match="'c' has no code"):
        tokenizer.encode("abc")
    with pytest.raises(IndexError):
        tokenizer.decode([2])


def test_a_file_that_holds_no_tokenizer_is_refused(tmp_path):
    path = tmp_path / "t.json"
    path.write_text('{"kind": "char", "vocabulary": ["ab"]}')
    with pytest.raises(ValueError, match="holds no tokenizer"):
        load_tokenizer(path)


def test_the_tokens_are_learnt_from_train_alone(tmp_path):
    made = read(tmp_path, DATA, t__txt="abababababab" + "abzbababyaba")
    assert made.tokenizer.vocabulary == ("a", "b")
    assert made.view("test").array("tokens")[0].tolist() == [0, 1, 2, 1]
    assert made.n_classes("tokens") == 3


def test_a_token_that_train_lacks_is_refused_with_its_line(tmp_path):
    found = misread(tmp_path, DATA.replace(", unknown: other", ""), t__txt="abab\nabababa\nabzbabab")
    assert found.code == "unknown-category"
    assert "row 15 (line 3)" in found.message
    assert "unknown: other" in found.help


def test_line_ends_of_windows_and_a_mark_at_the_start_are_no_tokens(tmp_path):
    made = read(tmp_path, DATA, t__txt="\ufeffab\r\n" * 1 + "ab\r\n" * 9)
    assert made.tokenizer.vocabulary == ("\n", "a", "b")


def test_documents_of_a_pattern_are_groups_where_it_is_asked(tmp_path):
    data = DATA.replace("t.txt", '"*.txt"').replace("order: true", "group_by: document")
    files = {f"part{index}__txt": letter * 9 for index, letter in enumerate("abcd")}
    made = read(tmp_path, data, **files)
    for split in ("train", "test"):
        for row in made.view(split).array("tokens"):
            assert len(set(row.tolist())) == 1
    assert len(made.view("train")) + len(made.view("test")) == 4 * 2


def test_each_split_may_have_its_own_text(tmp_path):
    data = DATA.replace("source: t.txt\n", "")
    data = data.replace("{train: 0.5, test: 0.5, order: true}", "{files: {train: a.txt, test: b.txt}}")
    made = read(tmp_path, data, a__txt="abcdefgh", b__txt="hgfedcba")
    assert made.tokenizer.decode(made.view("test").array("tokens")[0]) == "hgfe"


@pytest.mark.parametrize(
    ("content", "code"),
    [pytest.param("", "empty-source", id="empty"), pytest.param(b"ab\ncd\xff\n", "unreadable-file", id="not utf-8")],
)
def test_a_text_that_is_none_is_refused(tmp_path, content, code):
    found = misread(tmp_path, DATA, t__txt=content)
    assert found.code == code
    assert code == "empty-source" or "line 2" in found.message


def test_a_run_keeps_its_tokenizer_as_json_that_reads_the_same_codes(tmp_path):
    text = "the quick brown fox jumps over the lazy dog. " * 12
    made = finished(tmp_path, DATA, LANGUAGE, t__txt=text)
    path = made.folder / "tokenizers" / "d.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["kind"] == "char"
    assert content["vocabulary"] == sorted(set(text))
    again = load_tokenizer(path)
    assert again.decode(again.encode("the lazy fox?")) == "the lazy fox\ufffd"
