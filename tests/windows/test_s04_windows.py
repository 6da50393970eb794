"""S-04: windows are views over rows, in order, within one group and one split."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.plans import parquet_file
from windows.specs import FORECAST, finished, misread, read, series

KINDS = st.sampled_from(["next", "each", "", 1, 3])


@st.composite
def tables(draw):
    """Rows of several groups in any order of rows and of times; splits by value, with rows of none."""
    groups = draw(st.lists(st.integers(0, 2), min_size=1, max_size=60))
    n = len(groups)
    times = draw(st.permutations(range(n)))
    edges = sorted(draw(st.lists(st.integers(0, n), min_size=2, max_size=2)))
    splits = ["a" if time < edges[0] else "b" if time < edges[1] else "c" for time in times]
    return {"v": np.arange(n) * 10.0, "g": groups, "t": list(times), "s": splits}


def naive(table, split, size, stride, ahead):
    """The rows (of the source) of every window, the slow way."""
    found = []
    for group in dict.fromkeys(table["g"]):
        rows = [row for row in np.argsort(table["t"]).tolist() if table["g"][row] == group]
        stretch = []
        for row in [*rows, None]:
            if row is not None and table["s"][row] == split:
                stretch.append(row)
                continue
            starts = range(0, len(stretch) - size - ahead + 1, stride)
            found += [(stretch[at : at + size], stretch[at + size - 1 : at + size + ahead]) for at in starts]
            stretch = []
    return found


@settings(max_examples=60, deadline=None)
@given(table=tables(), size=st.integers(1, 6), stride=st.integers(1, 8), predict=KINDS)
def test_each_window_is_the_naive_slice_and_crosses_no_group_and_no_split(table, size, stride, predict):
    """S-04, S-05: nothing of one split is ever seen from another, neither in a window nor in what it predicts."""
    ahead = 1 if predict == "next" else predict if isinstance(predict, int) else 0
    expected = {split: naive(table, split, size, stride, ahead) for split in dict.fromkeys(table["s"])}
    if not all(expected.values()):
        return  # refused: another test
    asked = f"predict: {predict}, " if predict else ""
    with TemporaryDirectory() as name:
        folder = Path(name)
        parquet_file(folder, table)
        made = build_any(folder, f"windows: {{size: {size}, stride: {stride}, {asked}order: t, group_by: g}}")
    assert made.splits.keys() == expected.keys()
    for split, windows in expected.items():
        x, y, row = (made.view(split).array(key) for key in "xyr")
        values = table["v"]
        assert x.tolist() == [[[values[row]] for row in rows] for rows, _ in windows]
        assert row.tolist() == [values[rows[-1]] for rows, _ in windows]
        for target, (rows, later) in zip(y.tolist(), windows, strict=True):
            shifted = [values[row] for row in [*rows[1:], *later[1:2]]]
            each = [values[row] for row in rows]
            assert target == (shifted if predict == "next" else each if predict == "each" else values[later[-1]])
        assert {table["s"][row] for rows, later in windows for row in (*rows, *later)} == {split}
        assert all(len({table["g"][row] for row in (*rows, *later)}) == 1 for rows, later in windows)


def build_any(folder, windows):
    keys = "features: {x: v}\ntargets: {y: v}\ntags: {r: v}"
    return read(folder, f"source: table.parquet\n{keys}\nsplits: {{column: s}}\n{windows}")


def test_windows_are_views_of_the_rows_that_were_read(tmp_path):
    made = read(tmp_path, "source: t.csv\nfeatures: {x: [a, b]}\nwindows: {size: 5}", t__csv=series(40, ("p",)))
    assert made.array("x").shape == (36, 5, 2)
    assert np.shares_memory(made.array("x"), made.gathered["x"].raw)
    tensor = made.tensor("x", "cpu")
    assert tensor.shape == (36, 5, 2)
    assert tensor.untyped_storage().nbytes() == 40 * 2 * 4
    assert tensor.numpy().tolist() == made.array("x").tolist()


def test_rows_last_gives_what_convolutions_want(tmp_path):
    data = "source: t.csv\nfeatures: {x: [a, b]}\ntags: {y: a}\nwindows: {size: 5, predict: {y: each}, rows: last}"
    made = read(tmp_path, data, t__csv=series(40, ("p",)))
    assert made.shape_of("x") == (2, 5)
    assert made.shape_of("y") == (5,)
    assert made.array("x").tolist() == np.moveaxis(made.array("x"), 1, 2).swapaxes(1, 2).tolist()
    assert np.array_equal(made.array("x")[3, 0], made.array("y")[3].astype(np.float32))
    assert made.tensor("x", "cpu").numpy().tolist() == made.array("x").tolist()


def test_a_masked_window_is_zeros_with_mask_zero(tmp_path):
    made = read(tmp_path, "source: t.csv\nfeatures: {x: a}\nwindows: {size: 3}", t__csv=series(9, ("p",)))
    view = made.view([1, -1])
    assert view.mask().tolist() == [1, 0]
    assert view.array("x")[1].tolist() == [[0], [0], [0]]
    assert view.array("x")[0].tolist() == made.array("x")[1].tolist()


def test_a_million_windows_take_the_memory_of_their_rows(tmp_path, run_python):
    """Windows of 64 rows at each of a million rows would take 256 MB if they were copied; the rows take 4."""
    parquet_file(tmp_path, {"v": np.random.default_rng(0).normal(size=1_000_000).astype(np.float32)})
    code = """if True:
        import resource, sys, torch
        from pathlib import Path
        from windows.specs import FORECAST, opened
        def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        folder = Path(sys.argv[1])
        data = 'source: table.parquet\\nfeatures: {x: v}\\ntargets: {y: v}\\nwindows: {size: 64, predict: 1}'
        rest = FORECAST.replace('kind: train', 'kind: train, split: all').replace('split: test', 'split: all')
        opened(folder, data.replace('size: 64', 'size: 2'), rest)
        before = peak()
        plan, runtime = opened(folder, data, rest)
        program = runtime.open_train(plan.phase('train'))
        batches = program.draw(0)
        shapes = [tuple(column.shape) for column in next(batches)]
        evaluation = runtime.open_eval(plan.phase('test'))
        print(peak() - before, program.n_rows, shapes)
    """
    found = run_python("-c", code, str(tmp_path), path=[Path(__file__).parents[1]])  # where `windows.specs` lies
    assert found.returncode == 0, found.stderr
    grown, n_rows, *shapes = found.stdout.split(maxsplit=2)
    assert int(n_rows) == 1_000_000 - 64
    assert "(32, 64, 1)" in shapes[0]
    print(found.stdout)
    assert float(grown) < 100  # MiB


def test_the_stream_shifted_by_one_is_what_next_asks_for(tmp_path):
    text = "to be, or not to be: that is the question\n" * 4
    data = """
        source: t.txt
        tokenizer: char
        features: {tokens: text}
        targets: {ahead: text}
        windows: {size: 7, stride: 7, predict: next}
    """
    made = read(tmp_path, data, t__txt=text)
    tokens, ahead = made.view("all").array("tokens"), made.view("all").array("ahead")
    assert tokens.dtype == ahead.dtype == np.int64
    assert tokens.shape == ((len(text) - 1) // 7, 7)
    read_back = [made.tokenizer.decode(row) for row in tokens], [made.tokenizer.decode(row) for row in ahead]
    assert read_back == (
        [text[at : at + 7] for at in range(0, len(text) - 7, 7)],
        [text[at + 1 : at + 8] for at in range(0, len(text) - 7, 7)],
    )


def test_targets_take_what_is_said_of_each_and_masks_go_with_them(tmp_path):
    rows = "t,v,w\n" + "".join(f"{row},{row * 1.0},{'' if row == 6 else row}\n" for row in range(12))
    data = """
        source: t.csv
        features: {x: v}
        targets: {far: {columns: w, missing: mask}, label: v, last: v}
        tags: {when: t}
        windows: {size: 3, predict: {far: 2, label: each}}
    """
    made = read(tmp_path, data, t__csv=rows)
    assert made.shape_of("label") == (3,)
    assert made.array("far")[2] == 0  # row 6, which has no value
    assert made.array("far_mask")[:4].tolist() == [1, 1, 0, 1]
    assert made.array("last")[:3].tolist() == [2, 3, 4]
    assert made.array("when")[:3].tolist() == [2, 3, 4]


def test_transforms_learn_from_the_rows_of_train_and_results_come_back_in_units(tmp_path):
    """S-03: fitted before windows are cut, on the rows of the split, each of them once."""
    data = """
        source: t.csv
        features: {x: [a, b]}
        targets: {y: a, z: b}
        splits: {train: 0.5, test: 0.5, order: t}
        windows: {size: 4, predict: {y: 2, z: next}, group_by: g}
        transforms: [{on: [x, y, z], use: standard_scaler}]
    """
    made = read(tmp_path, data, t__csv=series(30))
    trained = np.array([np.sin(t / 3 + index) for t in range(15) for index in range(2)])
    assert made.transformers("y")[0].mean_ == pytest.approx([trained.mean()], abs=1e-5)
    for key in "xyz":
        assert made.inverse(key, made.array(key)) == pytest.approx(made.raw(key), abs=1e-5)


def test_the_run_folder_names_windows_by_their_first_and_last_row(tmp_path):
    keys = "features: {x: [a]}\ntargets: {y: b}\ntags: {id: id}"
    splits = "splits: {train: 0.5, test: 0.5, order: true}"
    data = f"source: t.csv\n{keys}\n{splits}\nwindows: {{size: 4, stride: 3}}"
    rows = "id,a,b\n" + "".join(f"r{row},{row % 5},{row % 3}\n" for row in range(20))
    made = finished(tmp_path, data, FORECAST, t__csv=rows)
    table = pq.read_table(made.folder / "splits.parquet").to_pylist()
    assert table[0] == {"data": "d", "row": 0, "id": "r0", "split": "train", "last_id": "r3"}
    assert [(row["id"], row["last_id"]) for row in table if row["split"] == "test"] == [
        ("r10", "r13"), ("r13", "r16"), ("r16", "r19"),
    ]  # fmt: skip


def test_a_column_that_a_table_of_unknown_columns_lacks_is_named(tmp_path):
    parquet_file(tmp_path, {"v": [1.0, 2.0, 3.0], "when": [1, 2, 3]})
    found = misread(tmp_path, "source: table.parquet\nfeatures: {x: v}\nwindows: {size: 2, order: wehn}")
    assert found.code == "unknown-column"
    assert "`when`" in found.help


@pytest.mark.parametrize(
    ("windows", "rows", "code", "message"),
    [
        pytest.param("size: 12", series(10), "empty-split", "split `train` has no window of 12 rows", id="short split"),
        pytest.param("size: 3, predict: 8", series(10), "empty-split", "3 rows and 8 more to predict", id="horizon"),
        pytest.param("size: 3, group_by: a", series(10), "empty-split", "stretch of rows in order has 2", id="groups"),
        pytest.param("size: 2", series(10) + "10,p,0.5,x\n", "non-numeric-column", "is text", id="words"),
        pytest.param("size: 2", series(10) + "10,p,0.5,\n", "missing-values", "row 20 (line 22)", id="gap"),
        pytest.param("size: 2, order: w", "t,g,a,b,w\n1,p,1,2,\n2,p,3,4,1\n", "missing-values", "no window", id="time"),
    ],
)
def test_rows_that_give_no_windows_are_refused_where_it_was_asked(tmp_path, windows, rows, code, message):
    splits = "splits: {train: 0.5, test: 0.5, order: true}"
    data = f"source: t.csv\nfeatures: {{x: [a, b]}}\ntargets: {{y: t}}\n{splits}\nwindows: {{{windows}}}"
    found = misread(tmp_path, data, t__csv=rows)
    assert found.code == code
    assert message in found.message
    assert found.span.line > 1
