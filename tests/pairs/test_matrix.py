"""A matrix between rows: the block of a batch's own rows, whatever their order, and files that are none refused."""

from __future__ import annotations

import tempfile
from pathlib import Path
from textwrap import indent

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairs.points import (
    DISTANCES,
    HEAD,
    NAMES,
    NEAR,
    N,
    X,
    bare,
    labelled,
    numbers,
    opened,
    read,
    refused,
    write_points,
)
from runexp.api.checking import check
from runexp.api.deep import check_deep

IN_ORDER = "source: near.csv\nmatrix: {rows: points}"
ORDERS = st.permutations(range(N))


@settings(max_examples=40)
@given(
    table=ORDERS,
    file=ORDERS,
    rows=st.lists(st.integers(-1, N - 1), max_size=2 * N),
    triangle=st.sampled_from(["full", "lower", "upper"]),
)
def test_s01_a_block_is_the_double_loop_over_its_rows_in_any_order(table, file, rows, triangle):
    """S-01, S-04: rows may repeat, or be masked (-1), whose values are zeros."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_points(folder, table)
        kept = {"full": np.ones((N, N)), "lower": np.tril(np.ones((N, N))), "upper": np.triu(np.ones((N, N)))}[triangle]
        inside = np.where(kept > 0, 1.0, np.nan)
        values = np.empty((N, N))
        values[np.ix_(file, file)] = DISTANCES[np.ix_(file, file)] * inside
        (folder / "near.csv").write_text(labelled(file, values).replace("nan", ""))
        block = read(folder, f"source: near.csv\nmatrix: {{rows: points, id: id, triangle: {triangle}}}").pairs["near"]
        found = block.block(rows)
    for i, row in enumerate(rows):
        for j, other in enumerate(rows):
            expected = 0.0 if -1 in (row, other) else DISTANCES[table[row], table[other]]
            assert found[i, j] == np.float32(expected)


def test_s19_the_loss_over_pairs_is_right_in_training_and_evaluation_whatever_the_order(tmp_path):
    """S-07, S-19: shuffled batches of 4 of 9 rows, the last of one; evaluations in chunks of 3 and at once."""
    write_points(tmp_path, list(reversed(range(N))))
    order = list(np.random.default_rng(1).permutation(N))
    (tmp_path / "near.csv").write_text(labelled(order))
    found = numbers(tmp_path)
    assert found["train"]["train_apart"] == pytest.approx(0, abs=1e-9)
    assert found["train"]["val_apart"] == pytest.approx(0, abs=1e-9)
    assert found["test"]["apart"] == pytest.approx(0, abs=1e-9)


def test_matching_by_order_takes_the_rows_as_they_stand(tmp_path):
    order = list(reversed(range(N)))
    write_points(tmp_path, order)
    (tmp_path / "near.csv").write_text(bare(order))
    assert numbers(tmp_path, IN_ORDER)["test"]["apart"] == pytest.approx(0, abs=1e-9)
    (tmp_path / "near.csv").write_text(bare())
    assert numbers(tmp_path, IN_ORDER)["test"]["apart"] > 0.01


@pytest.mark.parametrize("batch_size", [1, 2, 3, 1000])
def test_s19_a_loss_over_pairs_is_over_all_pairs_of_the_split_whatever_the_chunks(batch_size, tmp_path):
    write_points(tmp_path)
    other = np.random.default_rng(2).uniform(size=(N, N)).round(4)
    (tmp_path / "near.csv").write_text(labelled(values=other))
    found = numbers(tmp_path, head=HEAD.replace("batch_size: 1000", f"batch_size: {batch_size}"))["test"]["apart"]
    pairs = [(i, j) for i in range(9, N) for j in range(9, N) if i != j]
    expected = np.mean([(np.linalg.norm(X[i] - X[j]) - other[i, j]) ** 2 for i, j in pairs])
    assert found == pytest.approx(expected, rel=1e-5)


def test_numpy_files_hold_matrices_too(tmp_path):
    write_points(tmp_path)
    np.save(tmp_path / "near.npy", DISTANCES)
    assert numbers(tmp_path, "source: near.npy\nmatrix: {rows: points}")["test"]["apart"] == pytest.approx(0, abs=1e-9)


def test_a_header_of_ids_may_stand_alone(tmp_path):
    write_points(tmp_path, list(reversed(range(N))))
    text = ",".join(NAMES) + "\n" + bare()
    (tmp_path / "near.csv").write_text(text)
    assert numbers(tmp_path)["test"]["apart"] == pytest.approx(0, abs=1e-9)


def test_columns_may_stand_in_another_order_than_rows(tmp_path):
    write_points(tmp_path)
    (tmp_path / "near.csv").write_text(labelled(columns=list(reversed(range(N)))))
    assert np.allclose(read(tmp_path).pairs["near"].block(range(N)), DISTANCES)


def test_a_full_matrix_may_differ_by_direction(tmp_path):
    write_points(tmp_path)
    values = DISTANCES + np.triu(np.ones((N, N)), 1)
    (tmp_path / "near.csv").write_text(labelled(values=values))
    assert np.array_equal(
        read(tmp_path).pairs["near"].block([0, 1])[[0, 1], [1, 0]], np.float32(values[[0, 1], [1, 0]])
    )
    assert numbers(tmp_path)["test"]["apart"] == pytest.approx(0.5, rel=1e-4)  # off by 1 in one of two directions


def test_short_lines_are_a_lower_triangle_and_what_lacks_on_the_diagonal_is_as_said(tmp_path):
    write_points(tmp_path)
    lines = [",".join(["", *NAMES])] + [
        ",".join([name, *(str(value) for value in DISTANCES[row, :row])]) for row, name in enumerate(NAMES)
    ]
    (tmp_path / "near.csv").write_text("\n".join(lines) + "\n")
    near = "source: near.csv\nmatrix: {rows: points, id: id, triangle: lower, diagonal: 7}"
    assert np.allclose(read(tmp_path, near).pairs["near"].block(range(N)), DISTANCES + 7 * np.eye(N))


def test_ids_of_no_row_are_allowed_and_counted(tmp_path):
    write_points(tmp_path, range(2, N))
    (tmp_path / "near.csv").write_text(labelled())
    found = read(tmp_path).pairs["near"]
    assert found.n_surplus == 2
    assert np.allclose(found.block(range(N - 2)), DISTANCES[2:, 2:])


def test_rows_of_no_split_need_no_values(tmp_path):
    write_points(tmp_path)
    text = (tmp_path / "points.csv").read_text().replace("p3,", "elsewhere,")
    (tmp_path / "points.csv").write_text("\n".join(
        line.rpartition(",")[0] + "," if line.startswith("elsewhere") else line for line in text.splitlines()
    ))  # fmt: skip
    (tmp_path / "near.csv").write_text(labelled())
    assert read(tmp_path).pairs["near"].places[3] == 0


def test_numbers_as_ids_match_however_they_are_written(tmp_path):
    (tmp_path / "points.csv").write_text("name,x0,part\n7,0,train\n8,0,train\n9,4,val\n10,4,val\n")
    (tmp_path / "near.csv").write_text(",010,009,008,007\n010,0,3,4,5\n009,3,0,5,4\n008,4,5,0,3\n007,5,4,3,0\n")
    assert read(tmp_path).pairs["near"].block([0, 1, 2, 3])[0].tolist() == [0, 3, 4, 5]


def test_a_matrix_is_held_once(tmp_path):
    write_points(tmp_path)
    (tmp_path / "near.csv").write_text(labelled())
    _, runtime = opened(tmp_path)
    matrix = runtime.sets["points"].pairs["near"]
    assert matrix.padded.dtype == np.float32
    assert matrix.tensor("cpu") is matrix.tensor("cpu")
    assert np.shares_memory(matrix.tensor("cpu").numpy(), matrix.padded)


REFUSED = {
    "missing ids": (labelled(range(10)), "unaligned-data", "lacks 3 of 13 rows, by `id`: `p10`, `p11`, `p12`"),
    "no common id": (labelled().replace("p", "q"), "unaligned-data", "lacks 13 of 13 rows"),
    "no ids": (bare(), "unaligned-data", "has no ids to match rows by"),
    "a row twice": (labelled().replace("\np1,", "\np2,"), "duplicate-id", "several rows of id `p2`"),
    "a column twice": (labelled().replace(",p1,", ",p2,"), "duplicate-id", "several columns of id `p2`"),
    "other columns": (labelled().replace(",p1,", ",q,"), "unaligned-data", "a row of id `p1` and no such column"),
    "a word": (labelled().replace("\np1,", "\np1,far", 1), "non-numeric-column", "in line 3, column `p0`"),
    "a gap": (labelled().replace(f"{DISTANCES[1, 2]}", "", 1), "missing-values", "no value between `p1` and `p2`"),
    "infinite": (
        labelled().replace(f"{DISTANCES[1, 2]}", "inf", 1),
        "non-finite-values",
        "`inf` between `p1` and `p2`",
    ),
    "a short line": (labelled().rpartition(",")[0] + "\n", "ragged-shape", "line 14 has 12 values, and there are 13"),
    "no square": ("\n".join(labelled().splitlines()[:5]), "ragged-shape", "no square: 4 rows under a header of 14"),
    "nothing": ("\n", "empty-source", "has no rows"),
    "bytes": (b"\xff\xfe\x00", "unreadable-file", "cannot be read"),
}


@pytest.mark.parametrize(("content", "code", "text"), REFUSED.values(), ids=REFUSED)
def test_s01_a_file_that_does_not_fit_its_rows_is_refused_by_name_and_ids(content, code, text, tmp_path):
    write_points(tmp_path)
    (tmp_path / "near.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    found = refused(tmp_path)
    assert (found.code, found.path.startswith("data.near.")) == (code, True)
    assert text in found.message
    assert "near.csv" in found.message
    assert found.span.line in (12, 13)


def test_a_matrix_of_other_rows_than_there_are_is_refused_without_ids(tmp_path):
    write_points(tmp_path, range(9))
    (tmp_path / "near.csv").write_text(bare())
    found = refused(tmp_path, IN_ORDER)
    assert "is about 13 rows in their order, and there are 9" in found.message


def test_all_that_is_wrong_is_told_at_once_also_by_the_deep_check(tmp_path):
    write_points(tmp_path, [*range(N), 0])
    (tmp_path / "near.csv").write_text("a,b\n1,x\n2,3\n")
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD.format(near=indent(NEAR, "    ")))
    assert {found.code for found in check_deep(check(path)).checked.diagnostics} == {
        "duplicate-id",
        "non-numeric-column",
    }
