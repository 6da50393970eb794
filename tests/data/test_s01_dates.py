"""S-01: dates as numbers, and lists as arrays."""

from __future__ import annotations

import datetime as dt
import json
import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.plans import build, features, misread, miswritten, parquet_file, plan, read
from runexp.plan.data import KeyPlan

MOMENTS = st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2300, 1, 1))
PARTS = ("days", "year", "month", "day", "weekday", "yearday", "hour")


@given(moment=MOMENTS)
def test_parts_of_a_date_are_those_of_the_calendar(moment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dates")
    key = KeyPlan("x", "features", ("at",), None, "float64", features("at").origin, dates=PARTS)
    found = build(plan(parquet_file(folder, {"at": pa.array([moment], pa.timestamp("us"))}), key)).array("x")[0]
    since = (moment - dt.datetime(1970, 1, 1)).total_seconds() / 86400
    hour = moment.hour + moment.minute / 60 + moment.second / 3600 + moment.microsecond / 3.6e9
    expected = [
        since, moment.year, moment.month, moment.day, moment.weekday(), moment.timetuple().tm_yday, hour
    ]  # fmt: skip
    assert found.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_the_parts_of_a_cycle_meet(tmp_path):
    text = "at\n2024-01-01\n2024-12-31\n2024-07-01\n"
    x = read(
        tmp_path, "source: t.csv\nfeatures: {x: {columns: at, dates: [month_cycle, yearday_cycle]}}", t__csv=text
    ).array("x")
    assert x.shape == (3, 4)
    assert x[0].tolist() == pytest.approx([0, 1, 0, 1], abs=1e-6)
    assert x[2, :2].tolist() == pytest.approx([0, -1], abs=1e-6)
    assert math.dist(x[0, 2:], x[1, 2:]) < 0.03


def test_dates_written_as_text_are_read_and_others_refused_with_their_row(tmp_path):
    spec = "source: t.csv\nfeatures: {x: {columns: at, dates: days}}"
    text = "at\n2024-01-31\n2024-02-01\n"
    assert read(tmp_path, spec, t__csv=text).array("x")[:, 0].tolist() == [19753, 19754]
    found = misread(tmp_path, spec, t__csv="at\n2024-01-31\n31.1.2024\n")
    assert (found.code, "`31.1.2024` in row 1 (line 3)" in found.message) == ("wrong-type", True)
    assert misread(tmp_path, spec, t__csv="at\n1\n2\n").code == "wrong-type"


def test_a_missing_date_is_refused_or_masked(tmp_path):
    text = "at,n\n2024-01-31,1\n,2\n"
    assert misread(tmp_path, "source: t.csv\nfeatures: {x: {columns: at, dates: days}}", t__csv=text).code == (
        "missing-values"
    )
    masked = read(
        tmp_path, "source: t.csv\nfeatures: {x: {columns: at, dates: [days, year], missing: mask}}", t__csv=text
    )
    assert masked.array("x").tolist() == [[19753, 2024], [0, 0]]
    assert masked.array("x_mask").tolist() == [[1, 1], [0, 0]]


def test_dates_and_categories_exclude_each_other_and_parts_are_known(tmp_path):
    text = "at\n2024-01-31\n"
    spec = "source: t.csv\nfeatures: {{x: {{columns: at, {}}}}}"
    assert miswritten(tmp_path, spec.format("dates: days, categorical: ordinal"), t__csv=text).code == "exclusive-keys"
    assert "weekday" in miswritten(tmp_path, spec.format("dates: [wekday]"), t__csv=text).help


def test_nested_lists_are_arrays_and_ragged_ones_refused_with_the_row(tmp_path):
    spec = "source: t.jsonl\nfeatures: {x: {columns: x}}"
    rows = [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12]]]
    text = "".join(json.dumps({"x": row}) + "\n" for row in rows)
    found = read(tmp_path, spec, t__jsonl=text)
    assert found.array("x").reshape(2, 3, 2).tolist() == rows
    shaped = read(tmp_path, "source: t.jsonl\nfeatures: {x: {columns: x, shape: [1, 3, 2]}}", t__jsonl=text)
    assert shaped.shape_of("x") == (1, 3, 2)
    outer = text + json.dumps({"x": [[1, 2]]}) + "\n"
    found = misread(tmp_path, spec, t__jsonl=outer)
    assert (found.code, "row 2 (line 3)" in found.message) == ("ragged-shape", True)
    inner = text + json.dumps({"x": [[1, 2], [3], [4, 5]]}) + "\n"
    found = misread(tmp_path, spec, t__jsonl=inner)
    assert (found.code, "row 2 (line 3)" in found.message) == ("ragged-shape", True)
