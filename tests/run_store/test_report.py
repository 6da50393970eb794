"""`runexp report`: a run, or several, as one HTML file that stands alone (S-44, contracts: the run folder)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from run_store.conftest import call
from runexp.results.requirements import Verdict, as_json

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
VOID = {"meta", "link", "img", "br", "wbr", "input", "hr"}


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, and the text outside of style and script."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self._open, self.torn = [], "", [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.torn.append(tag)

    def handle_data(self, data):
        if not self._open or self._open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def report(*arguments):
    done = call("report", *arguments)
    assert done.exit_code == 0, done.output
    return done


def page_of(folder, *options):
    report(folder, *options)
    return Page((folder / "report.html").read_text())


@pytest.fixture
def page(folders):
    return page_of(folders[0])


def test_a_page_lies_in_the_run_folder_and_loads_nothing(folders):
    done = report(folders[0])
    file = folders[0] / "report.html"
    assert done.output.strip() == str(file)
    text, page = file.read_text(), Page(file.read_text())
    assert len(text) < 200_000
    assert not page.torn
    assert all(link["href"].startswith(("#", "data:")) for link in [*page.all("a"), *page.all("link")])
    assert not [one for _, one in page.elements if set(one) & {"src", "srcset", "action", "style"}]
    assert not page.all("script")
    policy = next(one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert "default-src 'none'" in policy and f"style-src 'sha256-{digest}'" in policy
    assert not re.search(r"url\(|@import|https?:(?!//www\.w3\.org)", style)
    assert not [name for name in (path.name for path in folders[0].iterdir()) if name.endswith(".tmp")]


def test_a_page_tells_the_numbers_curves_phases_graph_data_spec_and_environment(folders, page):
    summary = json.loads((folders[0] / "summary.json").read_text())["metrics"]
    assert f"{summary['test']['accuracy']:.4f}" in page.text
    charts = [one["aria-label"] for one in page.all("svg") if one.get("class") == "chart"]
    assert any(told.startswith("loss: val goes from") and "; train goes from" in told for told in charts)
    assert any(told.startswith("learning rate: lr goes from 0.01 at step 0") for told in charts)
    assert any(told.startswith("training loss by step") for told in charts)
    graph = next(one["aria-label"] for one in page.all("svg") if one.get("class") == "graph")
    assert "head from wine.x" in graph and "ce from" in graph
    for told in ("12 parameters", "3 epochs", "1: 71, 0: 59, 2: 48", "sklearn.datasets.load_wine", "torch"):
        assert told in page.text
    assert (folders[0] / "spec.yaml").read_text().strip() in page.text
    assert "record: [predictions]" in page.text  # what is missing is said


def test_a_page_is_fit_for_keyboards_and_screen_readers(page):
    assert [name for name, _ in page.elements if name in ("header", "nav", "main", "footer")] == [
        "header",
        "nav",
        "main",
        "footer",
    ]
    assert page.all("html")[0]["lang"] == "en" and len(page.all("h1")) == 1
    ids = [one["id"] for _, one in page.elements if one.get("id")]
    assert len(ids) == len(set(ids))
    targets = {one["href"].removeprefix("#") for one in page.all("a")} | {
        one["aria-labelledby"] for one in page.all("section")
    }
    assert targets <= set(ids) and page.all("a")[0] == {"class": "skip", "href": "#main"}
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(one.get("scope") in ("col", "row") for one in page.all("th"))
    assert all(one.get("aria-hidden") or (one["role"] == "img" and one["aria-label"]) for one in page.all("svg"))
    scrolled = [one for one in page.all("div") if "scroll" in one.get("class", "")]
    assert scrolled and all(one["tabindex"] == "0" and one["aria-label"] for one in scrolled)


@pytest.mark.parametrize(
    "options", [pytest.param((), id="still"), pytest.param(("--interactive",), id="moving", marks=pytest.mark.slow)]
)
def test_what_a_stranger_wrote_cannot_become_part_of_the_page(folders, options):
    folder = folders[0]
    for name in ("events.jsonl", "summary.json", "data.json", "graph.json", "plan.json"):
        text = (folder / name).read_text()
        hostile = json.dumps(HOSTILE)[1:-1]
        for word in ("accuracy", "wine", "head", "kind_of_wine"):
            text = text.replace(f'"{word}"', f'"{word}{hostile}"').replace(f'_{word}"', f'_{word}{hostile}"')
        (folder / name).write_text(text)
    (folder / "spec.yaml").write_text(f"runexp: 1\nname: '{HOSTILE}' # {HOSTILE}\n")
    call("note", folder, HOSTILE)
    call("tag", folder, "<b>tag</b>")
    page = page_of(folder, *options)
    assert not page.torn and not page.all("img") and not page.all("iframe")
    assert not [name for _, one in page.elements for name in one if name.startswith("on")]
    scripts = page.all("script")
    assert all(one.get("type") in ("application/json", "module") for one in scripts)
    assert bool(scripts) is bool(options)
    assert HOSTILE in page.text


def test_an_interactive_page_may_run_its_own_script_alone(folders):
    """The charts are drawn again by one script, whose hash is the only one that the page allows."""
    report(folders[0], "--interactive", "-o", folders[0] / "moving.html")
    text = (folders[0] / "moving.html").read_text()
    assert 800_000 < len(text) < 2_000_000
    script = re.search(r'<script type="module">(.*?)</script>', text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    assert f"script-src 'sha256-{digest}'" in policy and "unsafe-eval" not in policy
    charts = re.findall(r'<script type="application/json" id="(chart-\d+)">(.*?)</script>', text, re.DOTALL)
    places = re.findall(r'data-chart="(chart-\d+)"', text)
    assert places and [mark for mark, _ in charts] == places
    assert all(json.loads(data)["description"] for _, data in charts)


def test_a_page_tells_whether_the_thresholds_of_the_spec_were_met(folders):
    summary = json.loads((folders[0] / "summary.json").read_text())
    verdicts = (Verdict("test.accuracy", ">=", 0.01, 0.5), Verdict("test.accuracy", ">=", 0.99, 0.5))
    (folders[0] / "summary.json").write_text(json.dumps(summary | {"requirements": as_json(verdicts)}))
    page = page_of(folders[0])
    assert "met with 0.5" in page.text and "missed with 0.5, by 0.49" in page.text
    assert call("watch", folders[0]).exit_code == 1


def test_a_failed_run_says_of_what_and_where(folders):
    page = page_of(folders[2])
    assert "Failed in phase train" in page.text
    assert "the loss `ce` is" in page.text and "a lower learning rate" in page.text


def test_a_run_of_which_little_is_left_has_a_page_that_says_so(folders):
    for path in folders[0].iterdir():
        if path.name not in ("status.json", "summary.json"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = page_of(folders[0])
    for told in ("no graph that can be read", "no summary of the data", "kept no predictions", "The spec is not in"):
        assert told in page.text
    assert "accuracy" in page.text


def test_damaged_files_are_told_and_do_not_keep_the_page_from_being_made(folders):
    for name in ("graph.json", "data.json", "plan.json", "lock.json"):
        (folders[0] / name).write_text('{"nodes": [1], "data": [{"keys": 3}], "phases": 7, "edges": {}}')
    (folders[0] / "predictions").mkdir()
    (folders[0] / "predictions" / "test.parquet").write_bytes(b"PAR1 no more")
    page = page_of(folders[0])
    assert "Cannot be read: test.parquet" in page.text and "no graph that can be read" in page.text


def test_runs_are_compared_on_one_page(folders, tmp_path):
    done = report(folders[0], folders[1], folders[2])
    assert done.output.strip() == "comparison.html"
    page = Page((tmp_path / "comparison.html").read_text())
    assert not page.torn and "3 runs compared" in page.text
    for told in ("vars.lr", "0.01", "0.1", "test.accuracy", folders[1].name, "failed"):
        assert told in page.text
    charts = [one["aria-label"] for one in page.all("svg")]
    assert any(told.startswith("train.val_loss: A goes from") and "; B goes from" in told for told in charts)


def test_predictions_that_were_kept_are_counted_class_by_class(folders):
    (folders[0] / "predictions").mkdir()
    table = {"row": range(6), "head.class": [0, 0, 1, 1, 2, 2], "targets.kind": [0, 0, 1, 2, 2, 2]}
    pq.write_table(pa.table(table), folders[0] / "predictions" / "test.parquet")
    page = page_of(folders[0])
    assert "6 rows, accuracy 0.8333" in page.text
    cells = re.search(r"recall\s*(.*?)\s*precision\s*(.*?)\n\n", page.text, re.DOTALL)
    assert re.sub(r"\s+", " ", cells[1]) == "0200100 % 1010100 % 201267 %"


def test_the_page_is_whole_or_absent(folders, tmp_path):
    done = call("report", folders[0], "-o", tmp_path / "nowhere" / "page.html")
    assert done.exit_code == 1 and "cannot be written" in done.output
    assert not (tmp_path / "nowhere").exists()
    assert call("report", "no-such-run").exit_code == 2


def test_what_is_missing_to_make_pages_is_named(folders, monkeypatch):
    for module in ("runexp.api.reporting", "runexp.report.html.page", "runexp.report.html.drawing"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    done = call("report", folders[0])
    assert done.exit_code == 2 and "pip install 'runexp[report]'" in done.output
    assert not (folders[0] / "report.html").exists()


def test_a_page_is_made_without_torch(folders, run_python):
    code = (
        "import sys; from pathlib import Path; from runexp.api.reporting import write_report; "
        "from runexp.api.opening import StoredRun; write_report([StoredRun(Path(sys.argv[1]))], Path(sys.argv[2])); "
        "assert not {'torch', 'sklearn', 'pandas'} & set(sys.modules)"
    )
    done = run_python("-c", code, str(folders[0]), str(folders[0] / "report.html"))
    assert done.returncode == 0, done.stderr
    assert (folders[0] / "report.html").exists()
