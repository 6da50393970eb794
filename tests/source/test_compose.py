"""`extends`, `--set`, repeats and references: what wins, where it was written, and every mistake at its place."""

import pytest

from runexp.source import read, read_text


def written(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return str(folder / "a.yaml")


def told(found):
    return [(one.code, one.span.file.rsplit("/", 1)[-1], one.span.line, one.span.column) for one in found]


def test_a_file_wins_over_its_bases_and_a_later_base_over_an_earlier_one(tmp_path):
    path = written(
        tmp_path,
        a="extends: [b.yaml, c.yaml]\nx: {own: 1, gone: null}\nlist: [9]\n",
        b="x: {own: 0, b: 1, both: 1, gone: 1}\nlist: [1, 2]\n",
        c="x: {both: 2}\n",
    )
    document, found = read(path)
    assert not found
    assert document.plain() == {"x": {"own": 1, "b": 1, "both": 2}, "list": [9]}
    assert document.value_span(("x", "b")).file.endswith("b.yaml")
    assert [step.message for step in document.chain(("x", "both"))] == ["extended here"]
    beaten = document.history(("x", "both")).beat
    assert [node.value for node in beaten] == [1]


def test_bases_are_relative_to_the_file_that_names_them(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.yaml").write_text("extends: ../c.yaml\nb: 1\n")
    document, found = read(written(tmp_path, a="extends: deep/b.yaml\n", c="c: 1\n"))
    assert not found and document.plain() == {"c": 1, "b": 1}


def test_a_circle_of_bases_and_a_missing_one_are_told_where_they_are_named(tmp_path):
    path = written(tmp_path, a="x: 1\nextends: [b.yaml, nope.yaml, 3]\n", b="y: 1\nextends: a.yaml\n")
    document, found = read(path)
    assert document is None  # what seems to be missing may stand in the base that is not there
    assert told(found) == [
        ("cannot-read", "a.yaml", 2, 19),
        ("bad-extends", "a.yaml", 2, 30),
        ("extends-cycle", "b.yaml", 2, 10),
    ]


def test_an_override_reaches_everything_that_refers_to_it():
    text = "vars: {lr: 1e-3}\nphases:\n  train: {lr: '${vars.lr}', name: 'lr ${vars.lr}'}\n"
    document, found = read_text(text, overrides=["vars.lr=5e-4", "seed=3"])
    assert not found
    assert document.plain()["phases"]["train"] == {"lr": 5e-4, "name": "lr 5e-4"}
    span = document.value_span(("phases", "train", "lr"))
    assert (span.file, span.line, span.column, span.end_column) == ("--set", 1, 9, 13)
    assert [step.message for step in document.chain(("phases", "train", "lr"))] == ["used here as `${vars.lr}`"]
    assert [node.text for node in document.history(("vars", "lr")).beat] == ["1e-3"]
    assert document.files["--set"] == "vars.lr=5e-4\nseed=3"


@pytest.mark.parametrize(
    ("override", "code", "columns", "help"),
    [
        ("lr", "bad-override", (1, 3), "phases.train.epochs=3"),
        ("=3", "bad-override", (1, 3), "write"),
        ("a..b=3", "bad-override", (1, 7), "write"),
        ("phases.trian.lr=3", "unknown-path", (8, 13), "did you mean `phases.train.lr`?"),
        ("losses.ce.weight=3", "unknown-path", (8, 10), "nothing under `losses`"),
        ("phases.train.list[7]=3", "unknown-path", (19, 20), "it has 2 items"),
        ("phases.train.list.x=3", "unknown-path", (19, 20), "write"),
        ("phases.train.lr.x=3", "unknown-path", (17, 18), ""),
        ("pahses.train.lr=3", "unknown-path", (1, 7), "did you mean `phases`?"),
        ("phases.train.lr=[1", "unclosed", (17, 18), "`]`"),
        ("seed=1e999", "bad-number", (6, 11), "quotes"),
    ],
)
def test_a_wrong_override_is_told_by_its_columns(override, code, columns, help):
    text = "phases:\n  train: {lr: 1, list: [1, 2]}\n"
    document, found = read_text(
        text, overrides=["seed=1", override], known_sections=frozenset(("phases", "losses", "seed"))
    )
    (one,) = found
    assert one.code == code and help in one.help
    assert (one.span.file, one.span.line, one.span.column, one.span.end_column) == ("--set", 2, *columns)
    assert document.plain()["phases"] == {"train": {"lr": 1, "list": [1, 2]}}


def test_overrides_reach_items_and_make_what_is_missing():
    document, found = read_text("a: [1, {b: 2}]\n", overrides=["a[0]=9", "a.1.b={c: d}", "x.y.z=true"])
    assert not found
    assert document.plain() == {"a": [9, {"b": {"c": "d"}}], "x": {"y": {"z": True}}}


def test_a_reference_keeps_the_type_of_its_variable():
    text = "vars: {n: 3, l: [1, 2], d: {e: {f: 1.5}}}\n"
    text += "a: ${vars.n}\nb: ${vars.l}\nc: ${vars.d.e.f}\nd: x${vars.n}y\ne: $${vars.n}\n"
    document, found = read_text(text)
    assert not found
    assert {k: v for k, v in document.plain().items() if k != "vars"} == {
        "a": 3, "b": [1, 2], "c": 1.5, "d": "x3y", "e": "${vars.n}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vars: {width: 1}\na: ${vars.widht}\n", [("unknown-variable", "did you mean `width`?")]),
        ("vars: {a: '${vars.b}', b: '${vars.a}'}\nc: ${vars.a}\n", [("variable-cycle", "")]),
        ("vars: {a: '${vars.nope}'}\nb: ${vars.a}\nc: x${vars.a}\n", [("unknown-variable", "variables: a")]),
        ("a: ${env:NOPE}\n", [("missing-env", "export NOPE")]),
        ("a: ${1 + 1}\n", [("bad-reference", "no expressions")]),
        ("a: ${vars.x\n", [("bad-reference", "${vars.x}")]),
        ("a: ${each.x}\n", [("bad-reference", "inside a repeat")]),
        ("vars: {l: [1]}\na: x${vars.l}\n", [("bad-reference", "")]),
    ],
)
def test_one_mistake_in_a_reference_is_one_diagnostic(text, expected):
    _, found = read_text(text, environ={})
    assert [one.code for one in found] == [code for code, _ in expected]
    assert all(help in one.help for one, (_, help) in zip(found, expected, strict=True))


def test_the_environment_is_read_and_secrets_are_never_shown():
    text = "n: ${env:N}\nkey: ${secret:KEY}\nurl: 'https://${secret:KEY}@host'\n"
    document, found = read_text(text, environ={"N": "1e-3", "KEY": "hush"})
    assert not found
    assert document.plain() == {"n": 0.001, "key": "hush", "url": "https://hush@host"}
    assert document.plain(redact=True) == {"n": 0.001, "key": "${secret:KEY}", "url": "https://${secret:KEY}@host"}
    assert document.env == ("N", "KEY")


REPEAT = """\
phases:
  grid:
    kind: group
    repeat: [{lr: 1, tag: a}, {lr: 2, tag: b}]
    phases:
      train: {kind: train, lr: "${each.lr}", name: "run-${each.tag}"}
"""


def test_a_repeat_becomes_a_group_for_every_item():
    document, found = read_text(REPEAT)
    assert not found
    grid = document.plain()["phases"]["grid"]
    assert list(grid) == ["kind", "phases"] and list(grid["phases"]) == ["0", "1"]
    assert grid["phases"]["1"] == {"kind": "group", "phases": {"train": {"kind": "train", "lr": 2, "name": "run-b"}}}
    path = ("phases", "grid", "phases", "1", "phases", "train", "lr")
    assert (document.value_span(path).line, document.value_span(path).column) == (4, 36)
    assert [step.message for step in document.chain(path)] == ["used here as `${each.lr}`", "repeated for item 1"]


def test_a_mistake_in_a_repeat_is_told_once():
    _, found = read_text(REPEAT.replace("each.tag", "each.tga"))
    assert told(found) == [("unknown-variable", "<text>", 6, 57)]
    assert "did you mean `tag`?" in found[0].help


def test_repeats_nest_and_the_inner_names_win():
    text = (
        "phases:\n  g:\n    repeat: [{a: 1, b: 1}]\n    phases:\n      h:\n"
        "        repeat: [{b: '${each.a}2'}, {b: 3}]\n        phases: {t: {x: '${each.a}-${each.b}'}}\n"
    )
    document, found = read_text(text)
    assert not found
    inner = document.plain()["phases"]["g"]["phases"]["0"]["phases"]["h"]["phases"]
    assert [inner[key]["phases"]["t"]["x"] for key in inner] == ["1-12", "1-3"]


def test_a_repeat_of_a_wrong_shape_is_left_for_the_schema():
    document, found = read_text("phases:\n  g: {repeat: 3, phases: {t: {x: 1}}}\n")
    assert not found and document.plain()["phases"]["g"]["repeat"] == 3


def test_merged_and_aliased_values_point_to_where_they_were_written():
    document, _ = read_text("a: &a\n  x: 1\nb:\n  <<: *a\n  y: 2\nc: *a\n")
    assert document.value_span(("b", "x")).line == 2
    assert [(step.message, step.span.line) for step in document.chain(("b", "x"))] == [("merged here by `<<`", 4)]
    assert [(step.message, step.span.line) for step in document.chain(("c", "x"))] == [("used here as `*a`", 6)]


def test_every_path_has_a_place():
    document, _ = read_text("a:\n  b: 1\n")
    assert (document.span_of(("a", "nope", 3)).line, document.span_of(("a", "nope", 3)).column) == (1, 1)
    assert document.span_of(("a", "b")).column == 6
    assert document.span_of(("a", "b"), "key").column == 3
    assert document.span_of(("nope",)).line == 1
    assert document.find(("a", "b", "c")) is None


def test_texts_are_given_even_where_there_is_no_document():
    texts = {}
    document, _ = read("-", stdin=b"a: [1\n", texts=texts)
    assert document is None and texts == {"<stdin>": "a: [1\n"}
