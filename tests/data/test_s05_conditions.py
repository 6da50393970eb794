"""S-05: splits by conditions and by files, and what the run folder says of them; from the text of a spec."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.plans import features, misread, parquet_file, plan, read, specified, splits
from runexp.api.running import Place, run
from runexp.plan.values import FrozenMap
from runexp.runtime.data import build_feature_set

PEOPLE = "age,name,day\n17,ann,2024-01-01\n18,bob,2024-02-01\n40,cid,2024-03-01\n65,dot,2024-04-01\n,eve,\n"
HEAD = "source: p.csv\nfeatures: {x: old}\ntags: {age: age}\n"
TABLE = PEOPLE.replace("age,name", "old,age,name").replace("\n", "\n1,").removesuffix("1,")


def divided(folder, where, more=""):
    rows = read(folder, f"{HEAD}splits: {{where: {where}{more}}}", p__csv=TABLE)
    return {name: part.tolist() for name, part in rows.splits.items()}


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("age: {ge: 18}", [1, 2, 3]),
        ("age: {gt: 18, lt: 65}", [2]),
        ("age: {le: 18}, name: {ne: bob}", [0]),
        ("age: {eq: 40}", [2]),
        ("age: {ne: 40}", [0, 1, 3]),
        ("name: {in: [ann, eve, zoe]}", [0, 4]),
        ("name: {not_in: [ann, eve]}", [1, 2, 3]),
        ("name: {ge: cid}", [2, 3, 4]),
        ('day: {ge: "2024-02-01", lt: "2024-03-15"}', [1, 2]),
        ('day: {eq: "2024-04-01"}', [3]),
    ],
)
def test_s05_a_split_has_the_rows_that_fulfil_its_conditions_and_a_missing_value_fulfils_none(
    tmp_path, condition, rows
):
    assert divided(tmp_path, f"{{train: {{{condition}}}}}") == {"train": rows}


def test_s05_rows_of_no_condition_are_in_no_split_and_the_run_folder_says_so(tmp_path):
    data = f"{HEAD}splits: {{where: {{train: {{age: {{le: 18}}}}, test: {{age: {{ge: 60}}}}}}}}"
    finished = run(specified(tmp_path, data, p__csv=TABLE), Place(at=tmp_path / "run"), watch=lambda live: ())
    assert finished.status == "completed"
    written = pq.read_table(tmp_path / "run" / "splits.parquet").to_pylist()
    assert written == [
        {"data": "d", "row": row, "id": row, "split": split}
        for row, split in enumerate(["train", "train", None, "test", None])
    ]


def test_s05_overlapping_splits_are_an_error_unless_allowed(tmp_path):
    where = "{train: {age: {le: 40}}, test: {age: {ge: 18}}}"
    found = misread(tmp_path, f"{HEAD}splits: {{where: {where}}}", p__csv=TABLE)
    assert found.code == "overlapping-splits"
    assert "row 1 (line 3) of `p.csv` is in split `train` and in `test`; these have 2 rows in common" in found.message
    assert divided(tmp_path, where, ", allow_overlap: true") == {"train": [0, 1, 2], "test": [1, 2, 3]}
    data = f"{HEAD}splits: {{where: {where}, allow_overlap: true}}"
    run(specified(tmp_path, data), Place(at=tmp_path / "run"), watch=lambda live: ())
    table = pq.read_table(tmp_path / "run" / "splits.parquet")
    assert table.column("row").to_pylist() == [0, 1, 1, 2, 2, 3, 4]
    assert table.column("split").to_pylist() == ["train", "train", "test", "train", "test", "test", None]


@pytest.mark.parametrize(
    ("condition", "code", "says"),
    [
        ("age: {ge: old}", "wrong-value", "`age` holds numbers, which cannot be compared with `old`"),
        ("name: {eq: 3}", "wrong-value", "`name` holds text, which cannot be compared with `3`"),
        ("day: {ge: soon}", "wrong-value", "`day` holds times, which cannot be compared with `soon`"),
        ("age: {ge: 100}", "empty-split", "split `train` gets no rows"),
    ],
)
def test_s05_a_condition_that_cannot_be_is_refused(tmp_path, condition, code, says):
    found = misread(tmp_path, f"{HEAD}splits: {{where: {{train: {{{condition}}}}}}}", p__csv=TABLE)
    assert found.code == code
    assert says in found.message


@given(
    values=st.lists(st.integers(-5, 5), min_size=1, max_size=40),
    bound=st.integers(-5, 5),
)
def test_s05_a_condition_and_its_contrary_divide_all_rows(tmp_path_factory, values, bound):
    source = parquet_file(tmp_path_factory.mktemp("t"), {"v": values})
    where = FrozenMap({"low": {"v": {"lt": bound}}, "high": {"v": {"ge": bound}}})
    if min(values) >= bound or max(values) < bound:
        return
    by = type(splits())("where", FrozenMap(), "", "", "", splits().origin, where)
    rows = build_feature_set(plan(source, features("v"), splits=by), seed=1, folder=tmp_path_factory.getbasetemp())
    assert np.array_equal(rows.splits["low"], np.flatnonzero(np.array(values) < bound))
    assert np.array_equal(rows.splits["high"], np.flatnonzero(np.array(values) >= bound))


def test_s05_each_split_can_have_a_file_of_its_own(tmp_path):
    data = "features: {x: '*'}\nsplits: {files: {train: a.csv, test: 'b*.jsonl'}}\n"
    data += "transforms: [{on: x, use: min_max_scaler}]"
    lines = {"b1__jsonl": '{"v": 3, "u": 1}\n', "b2__jsonl": '{"u": 1, "v": 5}\n'}
    rows = read(tmp_path, data, a__csv="u,v\n1,1\n0,2\n", **lines)
    assert {name: part.tolist() for name, part in rows.splits.items()} == {"train": [0, 1], "test": [2, 3]}
    assert rows.raw("x").tolist() == [[1, 1], [0, 2], [1, 3], [1, 5]]
    assert rows.array("x")[:, 1].tolist() == [0, 1, 2, 4]
    found = misread(tmp_path, data, b2__jsonl='{"u": 1, "w": 5}\n')
    assert found.code == "mixed-columns"
