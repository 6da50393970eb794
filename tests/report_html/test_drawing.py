"""What pages are drawn of: layouts, charts, words in colour, predictions counted."""

from __future__ import annotations

import re
from html import unescape
from math import inf, nan

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runexp.report.characters import cleaned
from runexp.report.html.charts import Line, line_chart, thinned
from runexp.report.html.curves import mean_points
from runexp.report.html.drawing import draw_chart
from runexp.report.html.facts import Box, Edge, Picture
from runexp.report.html.graph import draw_graph
from runexp.report.html.highlight import highlighted
from runexp.report.html.layers import WIDTH, lay_out
from runexp.results.judged import Confusion, Residuals
from runexp.runtime.kept_predictions import judged_in

MARKS = [f"n{index}" for index in range(9)]


@st.composite
def pictures(draw, *, may_turn=False):
    """Graphs of up to nine boxes; without circles unless they may turn."""
    marks = draw(st.lists(st.sampled_from(MARKS), unique=True, min_size=1))
    pairs = draw(st.lists(st.tuples(st.sampled_from(marks), st.sampled_from(marks)), max_size=14, unique=True))
    kept = [pair for pair in pairs if may_turn or marks.index(pair[0]) < marks.index(pair[1])]
    details = draw(st.lists(st.text(max_size=30), max_size=3))
    boxes = tuple(Box(mark, draw(st.text(max_size=40)), "node", tuple(details)) for mark in marks)
    return Picture(boxes, tuple(Edge(*pair, said=draw(st.text(max_size=5))) for pair in kept))


@given(pictures())
def test_every_box_stands_below_what_feeds_it_and_none_overlap(picture):
    layout = lay_out(picture)
    boxes = {placed.box.mark: placed for placed in layout.boxes}
    assert set(boxes) == {box.mark for box in picture.boxes}
    for edge in picture.edges:
        assert boxes[edge.start].y + boxes[edge.start].height < boxes[edge.end].y
    for one in layout.boxes:
        assert one.x >= 0 and one.x + WIDTH <= layout.width and one.y + one.height <= layout.height
        for other in layout.boxes:
            apart = abs(one.x - other.x) >= WIDTH or one.y + one.height < other.y or other.y + other.height < one.y
            assert one is other or apart


@given(pictures(may_turn=True))
def test_a_graph_that_goes_round_is_drawn_all_the_same(picture):
    drawing = draw_graph(picture)
    assert drawing.count('<g class="box') == len(picture.boxes)


def test_edges_go_down_all_the_way():
    picture = Picture(
        tuple(Box(mark, mark, "node") for mark in "abc"), (Edge("a", "b"), Edge("b", "c"), Edge("a", "c"))
    )
    long = next(drawn for drawn in lay_out(picture).edges if (drawn.edge.start, drawn.edge.end) == ("a", "c"))
    heights = [y for _, y in long.points]
    assert len(heights) == 4 and heights == sorted(heights)


@given(st.text())
def test_a_spec_in_colour_has_the_words_of_the_spec_and_no_markup_of_its_own(text):
    shown = highlighted(text)
    assert unescape(re.sub(r'<span class="y-[a-z]+">|</span>', "", shown)) == "\n".join(map(cleaned, text.splitlines()))
    assert "<" not in re.sub(r'<span class="y-[a-z]+">|</span>', "", shown)


def test_keys_numbers_texts_and_comments_of_a_spec_are_told_apart():
    shown = highlighted('lr: 3e-3  # a rate\nname: "a # b"\ngo: true\nto: ${vars.lr}')
    for part in ('key">lr', 'number">3e-3', 'comment"># a rate', 'string">&quot;a # b', 'word">true', 'reference">${'):
        assert part in shown


def test_a_wide_range_of_losses_gets_a_logarithmic_scale_and_says_so():
    chart = line_chart("loss", [Line("train", [(0, 2.0), (1, 0.2), (2, 0.001)])])
    assert "logarithmic" in chart.description
    axis = chart.spec["layer"][0]["encoding"]["y"]
    assert axis["scale"]["type"] == "log" and axis["axis"]["values"] == pytest.approx([0.001, 0.01, 0.1, 1.0])
    assert "logarithmic" not in line_chart("loss", [Line("train", [(0, 2.0), (1, -0.001)])]).description


def test_what_is_not_finite_is_left_out_and_told():
    chart = line_chart("loss", [Line("train", [(0, 2.0), (1, nan), (2, inf), (3, 1.0)])])
    assert chart.notes == ("train is not finite in places; they are left out",)
    assert "from 2 at epoch 0 to 1 at 3" in chart.description
    assert line_chart("loss", [Line("train", [(0, nan)])]) is None


def test_a_flat_curve_keeps_its_level_on_the_axis():
    chart = line_chart("accuracy", [Line("val", [(0, 0.26), (1, 0.26)])])
    low, high = chart.spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert low < 0.26 < high


def test_charts_take_their_colours_from_the_page_and_say_what_they_show():
    drawing = draw_chart(line_chart("<loss>", [Line('a"b', [(0, 2.0), (1, 1.0)]), Line("c", [(0, 1.0)], 1)]))
    assert 'role="img"' in drawing and "&lt;loss&gt;: a&quot;b goes from 2" in drawing
    assert 'stroke="var(--s0)"' in drawing and "style=" not in drawing


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.integers(2, 20))
def test_thinned_curves_keep_their_ends(values, most):
    points = [(float(at), value) for at, value in enumerate(values)]
    shown = thinned(points, most)
    assert (shown[0], shown[-1]) == (points[0], points[-1]) and len(shown) == min(len(points), most)


def test_a_mean_over_folds_ends_where_the_first_of_them_does():
    assert mean_points([[(0, 1.0), (1, 2.0), (2, 9.0)], [(0, 3.0), (1, 4.0)], []]) == [(0, 2.0), (1, 3.0)]


def test_predictions_of_classes_are_counted(tmp_path):
    table = pa.table(
        {"m.class": ["b", "a", "a", None], "m.probabilities": [[0.5]] * 4, "targets.k": ["a", "a", "b", "b"]}
    )
    pq.write_table(table, tmp_path / "test.parquet")
    assert list(judged_in(tmp_path / "test.parquet", {})) == [Confusion("m", "test", ("a", "b"), ((1, 1), (1, 0)))]


def test_predictions_of_numbers_are_measured(tmp_path):
    rng = np.random.default_rng(3)
    true = rng.normal(size=2000)
    said = true + rng.normal(size=2000) * 0.1 + 0.5
    table = pa.table({"row": range(2000), "m": said, "targets.y": true, "targets.z": true, "tags.t": true})
    pq.write_table(table, tmp_path / "test.parquet")
    (found,) = judged_in(tmp_path / "test.parquet", {"m": "y"})
    assert isinstance(found, Residuals) and found.n_rows == sum(found.counts) == 2000 and len(found.points) == 500
    assert found.numbers["mean error"] == pytest.approx((said - true).mean())
    assert found.numbers["R²"] == pytest.approx(1 - ((said - true) ** 2).sum() / ((true - true.mean()) ** 2).sum())
    assert list(judged_in(tmp_path / "test.parquet", {})) == []  # two targets, and nothing says which
