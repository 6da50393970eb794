"""What can be known of code of the user's by reading it is told before anything runs."""

from __future__ import annotations

import pytest

from own_code.specs import CODE, SPEC, found_in


def only(found):
    (one,) = found
    return one


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        pytest.param("mine.Net,", "mine.Nut,", "unknown-attribute", "did you mean `Net`?", id="a misspelled class"),
        pytest.param("mine.loss", "mine.los", "unknown-attribute", "did you mean `loss`?", id="a misspelled function"),
        pytest.param("{width: 4}", "{with: 4}", "unknown-parameter", "did you mean `width`?", id="a wrong argument"),
        pytest.param("{n: 40}", "{}", "missing-parameter", "`rows` needs `n`", id="an argument of a source"),
        pytest.param("mine.loss", "mine.Distance", "missing-parameter", "needs `power`", id="an argument of a class"),
        pytest.param("{width: 4}", "{width: wide}", "bad-value", 'cannot be "wide"', id="an argument of another type"),
        pytest.param("inputs: d.x", "inputs: {z: d.x}", "unknown-parameter", "takes no `z`", id="a keyword of forward"),
        pytest.param("inputs: d.x", "inputs: [d.x, d.x, d.x]", "wrong-value", "takes 2 inputs, and 3", id="too many"),
        pytest.param("inputs: d.x", "inputs: {mask: d.x}", "missing-parameter", "needs `x`", id="an input that lacks"),
        pytest.param(
            "use: mine.loss",
            "use: mine.loss, inputs: {outputs: outputs, target: targets.y}",
            "unknown-parameter",
            "takes no `target`",
            id="a keyword of a loss",
        ),
        pytest.param("mine.worst", "mine.worst, inputs: [outputs]", "missing-parameter", "`targets`", id="metric"),
        pytest.param("{use: mine.rows", "{use: mine.Net", "wrong-use", "a source is a function", id="a class"),
        pytest.param("mine.Net,", "os.system,", "unknown-use", "Python's own `os`", id="Python's own"),
        pytest.param("mine.Net,", "builtins.eval,", "unknown-use", "Python's own `builtins`", id="eval"),
        pytest.param("mine.Net,", "other.Net,", "unknown-use", "`imports: [other]`", id="outside of imports"),
        pytest.param("imports: [mine]", "imports: [mine, subprocess]", "unsafe-import", "all of Python", id="a prefix"),
        pytest.param("imports: [mine]", "imports: [mine, torch]", "unsafe-import", "more of `torch`", id="the catalog"),
        pytest.param("imports: [mine]", "imports: [mine, ../x]", "unsafe-import", "no dotted name", id="no name"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_by_reading_the_code(home, old, new, code, says):
    assert old in SPEC
    one = only(found_in(home, SPEC.replace(old, new, 1)))
    assert one.code == code
    assert says in f"{one.message}\n{one.help}"


def test_a_class_that_nothing_can_call_is_no_node(home):
    one = only(found_in(home, code=CODE.replace("class Net(nn.Module)", "class Net").replace("def forward", "def go")))
    assert one.code == "wrong-use"
    assert "neither `forward`" in one.message


def test_a_broken_file_is_one_mistake_and_shown_where_python_stops(home):
    one = only(found_in(home, code=CODE.replace("def loss(", "def loss((")))
    assert one.code == "unreadable-module"
    (place,) = one.related
    assert (place.span.file, place.span.line) == ("mine.py", 1 + CODE[: CODE.index("def loss(")].count("\n"))


def test_checking_imports_nothing(home):
    assert found_in(home, code="raise SystemExit('imported')\n" + CODE) == ()


def test_what_is_a_module_inside_of_a_package_is_read_too(home):
    (home / "lab").mkdir()
    (home / "lab/__init__.py").write_text("from .nets import Net\n")
    (home / "lab/nets.py").write_text(CODE)
    spec = SPEC.replace("[mine]", "[mine, lab]").replace("mine.Net, with: {width: 4}", "lab.Net, with: {wdth: 4}")
    assert only(found_in(home, spec)).code == "unknown-parameter"


def test_a_metric_of_ones_own_has_no_better_direction_by_itself(home):
    watch = "callbacks: [{use: evaluation, split: test, metrics: [{use: mine.worst, node: net}]}, %s]}"
    stop = "{use: early_stopping, monitor: test_worst, patience: 1%s}"
    spec = SPEC.replace("{lr: 0.01}}}", "{lr: 0.01}}, " + watch)
    assert only(found_in(home, spec % (stop % ""))).code == "missing-key"
    assert found_in(home, spec % (stop % ", mode: min")) == ()
