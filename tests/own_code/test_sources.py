"""A function of the user's gives rows in any of the usual forms, and they are checked as those of a file."""

from __future__ import annotations

import pytest

from own_code.specs import CODE, SPEC, found_in, refused
from runexp.api.checking import check
from runexp.api.trust import own_modules
from runexp.diagnostics import SpecError
from runexp.runtime.data import build_feature_set

HEAD = "import numpy as np\nimport pyarrow as pa\nimport torch\n\n\ndef rows(n, seed=None):\n    "


def built(folder, body, spec=SPEC):
    code = HEAD + body + "\n" + CODE.replace("def rows", "def other")
    (folder / "mine.py").write_text(code)
    (folder / "spec.yaml").write_text(spec)
    checked = check(folder / "spec.yaml").require()
    with own_modules(checked):
        return build_feature_set(checked.linked.data[0], seed=checked.linked.seed, folder=folder)


def wrong(folder, body):
    with pytest.raises(SpecError) as error:
        built(folder, body)
    return error.value.diagnostics[0]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("return {'a': np.arange(4.), 'b': [1, 2, 3, 4], 'y': range(4)}", id="arrays and lists"),
        pytest.param("return {'a': torch.arange(4.), 'b': torch.arange(1, 5), 'y': np.arange(4)}", id="tensors"),
        pytest.param("return pa.table({'a': [0., 1, 2, 3], 'b': [1, 2, 3, 4], 'y': [0, 1, 2, 3]})", id="arrow table"),
        pytest.param("return pa.record_batch({'a': [0., 1, 2, 3], 'b': [1, 2, 3, 4], 'y': [0, 1, 2, 3]})", id="batch"),
        pytest.param("return ({'a': i, 'b': i + 1, 'y': i} for i in range(4))", id="generator"),
        pytest.param("return [{'y': i, 'b': i + 1, 'a': i} for i in range(4)]", id="list of mappings"),
        pytest.param(
            "return np.array([(i, i + 1, i) for i in range(4)], [('a', 'f8'), ('b', 'i4'), ('y', 'i8')])",
            id="structured array",
        ),
        pytest.param(
            "yield from ({'a': np.float64(i), 'b': i + 1, 'y': i} for i in range(4))", id="generator function"
        ),
    ],
)
def test_rows_come_in_any_usual_form(home, body):
    features = built(home, body)
    assert features.raw("x").tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert features.raw("y").tolist() == [0, 1, 2, 3]
    assert len(features.fingerprint) == 64


@pytest.mark.parametrize("module", ["pandas", "polars"])
def test_a_data_frame_is_read_by_its_columns_without_its_index(home, module):
    pytest.importorskip(module, reason=f"{module} is not installed")
    body = f"import {module}\n    return {module}.DataFrame({{'a': [0., 1, 2], 'b': [1, 2, 3], 'y': [0, 1, 2]}})"
    if module == "pandas":
        body += ".set_index(np.array([5, 6, 7]))"
    assert built(home, body).raw("x").tolist() == [[0, 1], [1, 2], [2, 3]]


def test_an_array_a_row_keeps_its_shape(home):
    features = built(home, "return {'a': np.ones((4, 2, 3)), 'y': np.arange(4.)}", SPEC.replace("[a, b]", "a"))
    assert features.raw("x").shape == (4, 2, 3)
    features = built(home, "return ({'a': np.ones((2, 3)), 'y': i} for i in range(4))", SPEC.replace("[a, b]", "a"))
    assert features.raw("x").shape == (4, 2, 3)


def test_words_and_missing_values_are_told_by_row_and_column(home):
    one = wrong(home, "return ({'a': i, 'b': 'x' if i == 2 else i, 'y': i} for i in range(4))")
    assert "column `b` holds `x` in row 2 of `mine.rows`" in one.message
    one = wrong(home, "return [{'a': 1, 'b': 2, 'y': 3}, {'a': 1, 'y': 3}]")
    assert "column `b` of `mine.rows` has no value in row 1" in one.message


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("return 3", "failed-code", "gives a `int`, and a source gives a table"),
        ("return 'a.csv'", "failed-code", "gives a `str`"),
        ("return np.ones((3, 2))", "failed-code", "gives a `ndarray`"),
        ("return [[1, 2], [3, 4]]", "failed-code", "gives a `list` as row 0"),
        ("yield {'a': 1, 'b': 1, 'y': 1}\n    yield 7", "failed-code", "gives a `int` as row 1"),
        ("yield {'a': 1, 'b': 1, 'y': 1}\n    raise OSError('gone')", "failed-code", "OSError: gone"),
        ("return {'a': [1], 'b': [1, 2], 'y': [1]}", "failed-code", "gives 1 rows of `a` and 2 of `b`"),
        ("return {'a': 1, 'b': 2, 'y': 3}", "failed-code", "gives a `int` as column `a`"),
        ("return {'a': [], 'b': [], 'y': []}", "empty-source", "has no rows"),
        ("return iter(())", "empty-source", "has no rows"),
        ("return {'a': np.ones(3), 'y': np.ones(3)}", "unknown-column", "`mine.rows` has no column `b`"),
    ],
)
def test_what_is_no_table_is_told(home, body, code, says):
    one = wrong(home, body)
    assert one.code == code
    assert says in one.message


def test_a_seed_that_was_left_out_comes_from_the_spec(home):
    body = "return {'a': np.random.default_rng(seed).normal(size=9), 'b': np.ones(9), 'y': np.ones(9)}"
    first, again = built(home, body), built(home, body)
    assert first.fingerprint == again.fingerprint
    assert built(home, body, SPEC.replace("name: own", "name: own\nseed: 1")).fingerprint != first.fingerprint
    fixed = [
        built(home, body, SPEC.replace("n: 40", "n: 40, seed: 5") + seed).raw("x").tolist()
        for seed in ("", "seed: 1\n")
    ]
    assert fixed[0] == fixed[1]


def test_objects_are_never_unpickled(home):
    """A mapping of object arrays is taken for its values, and what they are is checked."""
    one = wrong(home, "return {'a': np.array([object()] * 3), 'b': np.ones(3), 'y': np.ones(3)}")
    assert one.code == "non-numeric-column"


def test_a_source_by_its_name_alone_is_called_without_arguments(home):
    code = CODE.replace("def rows(n, seed=None):\n", "def rows(n=6, seed=None):\n")
    spec = SPEC.replace("source: {use: mine.rows, with: {n: 40}}", "source: mine.rows")
    assert found_in(home, spec, code) == ()
    (one,) = refused(home, spec, code.replace("draw =", "raise LookupError(n)\n    draw ="))
    assert "LookupError: 6" in one.message
