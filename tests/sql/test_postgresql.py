"""Rows of a PostgreSQL server: read in chunks, read only, and without its password anywhere."""

from __future__ import annotations

import os
from urllib.parse import quote

import pytest

from runexp.api.checking import check
from runexp.api.running import Place, run
from runexp.diagnostics import SpecError
from runexp.runtime.data import build_feature_set
from sql.server import PASSWORD, postgresql

pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed: `pip install 'runexp[sql]'`")
pytest.importorskip("psycopg", reason="psycopg, a driver of PostgreSQL, is not installed")

SPEC = """\
runexp: 1
name: database
execution: {{device: cpu, threads: 1}}
data:
  d:
    source: {{use: sql, with: {{url: "{url}", query: "{query}"}}}}
    features: {{x: [a, b]}}
    targets: {{y: y}}
    splits: {{train: 0.5, test: 0.5}}
nodes:
  line: {{inputs: d.x, use: torch.nn.Linear, with: {{out_features: 1}}}}
losses:
  fit: {{node: line, use: mse}}
phases:
  train: {{kind: train, epochs: 1, losses: [fit], optimizer: {{use: sgd, with: {{lr: 0.01}}}}}}
  test: {{kind: eval, split: test, losses: [fit]}}
"""
N_ROWS = 25_000


@pytest.fixture(scope="module")
def server():
    with postgresql() as (port, ask):
        ask(
            f"create table t as select i as id, i::numeric(12,3) / 7 as a, case when i % 5 > 0 then i end as b,"
            f" (i * 0.5)::float8 as y, case when i = 12345 then 'oops' else i::text end as w"
            f" from generate_series(1, {N_ROWS}) i; grant all on t to me"
        )
        yield port, ask


@pytest.fixture
def url(server, monkeypatch):
    monkeypatch.setenv("PG_PASSWORD", quote(PASSWORD, safe=""))
    return f"postgresql+psycopg://me:${{env:PG_PASSWORD}}@127.0.0.1:{server[0]}/postgres"


def checked(folder, url, query):
    (folder / "spec.yaml").write_text(SPEC.format(url=url, query=query))
    found = check(folder / "spec.yaml")
    assert found.is_valid, found.diagnostics
    return found


def features(folder, url, query):
    found = checked(folder, url, query)
    return build_feature_set(found.linked.data[0], seed=0, folder=folder)


def refused(folder, url, query):
    with pytest.raises(SpecError) as error:
        features(folder, url, query)
    return error.value.diagnostics


def test_all_rows_of_several_chunks_come_in_their_order(tmp_path, url):
    built = features(tmp_path, url, "select a, coalesce(b, 0) as b, y from t order by id")
    assert built.raw("y").tolist() == [0.5 * number for number in range(1, N_ROWS + 1)]
    assert built.raw("x")[13, 0] == 2.0
    again = features(tmp_path, url, "select a, coalesce(b, 0) as b, y from t order by id")
    other = features(tmp_path, url, "select a, coalesce(b, 0) as b, y from t order by id desc")
    assert built.fingerprint == again.fingerprint != other.fingerprint


def test_a_bad_cell_is_named_by_its_row_and_column_of_the_query(tmp_path, url):
    (one,) = refused(tmp_path, url, "select a, w as b, y from t order by id")
    assert "column `b` holds `oops` in row 12344 of `the query`" in one.message
    (one,) = refused(tmp_path, url, "select a, b, y from t order by id")
    assert one.code == "missing-values"
    assert "row 4" in one.message


def test_a_query_writes_nothing(tmp_path, url, server):
    for query in (
        "delete from t returning id as a, id as b, y",
        "insert into t (id) values (0) returning id as a, id as b, y",
        "with gone as (delete from t returning id as a, id as b, y) select * from gone",
        "create table u as select 1 as a",
    ):
        (one,) = refused(tmp_path, url, query)
        assert one.code == "unreadable-file"
        assert query.startswith("with") or one.help == "the query has to be a SELECT"
    assert server[1]("select count(*) from t").strip() == str(N_ROWS)


@pytest.mark.parametrize(
    ("change", "query", "says"),
    [
        pytest.param(("", ""), "select nothing from t", 'column "nothing" does not exist', id="a column"),
        pytest.param(("me:", "nobody:"), "select 1 as a", "password authentication failed", id="a user"),
        pytest.param(("127.0.0.1", "127.0.0.1:x"), "select 1 as a", "the database refuses", id="a port"),
        pytest.param(("/postgres", "/none"), "select 1 as a", 'database "none" does not exist', id="a database"),
        pytest.param(("+psycopg", "+nodriver"), "select 1 as a", "database refuses", id="a driver"),
    ],
)
def test_what_the_server_or_its_driver_says_never_holds_the_password(tmp_path, url, change, query, says):
    (one,) = refused(tmp_path, url.replace(*change) if change[0] else url, query)
    assert says in one.message
    assert PASSWORD not in one.message
    assert quote(PASSWORD, safe="") not in one.message


def test_a_password_that_breaks_its_url_is_not_told_either(tmp_path, url, monkeypatch):
    monkeypatch.setenv("PG_PASSWORD", "hunter2:1/x")
    (one,) = refused(tmp_path, url, "select 1 as a")
    assert "hunter2" not in one.message


def test_no_password_is_written_to_a_run_folder(tmp_path, url, server):
    spec = checked(tmp_path, url, "select a, coalesce(b, 0) as b, y from t order by id limit 100")
    assert run(spec, Place(at=tmp_path / "run"), watch=lambda live: ()).status == "completed"
    plain = url.replace("${env:PG_PASSWORD}", os.environ["PG_PASSWORD"])
    from_hand = checked(tmp_path, plain, "select a, coalesce(b, 0) as b, y from t order by id limit 100")
    assert run(from_hand, Place(at=tmp_path / "second"), watch=lambda live: ()).status == "completed"
    written = [path for path in tmp_path.rglob("*") if path.is_file() and "spec.yaml" not in path.name]
    assert len(written) > 10
    for secret in (PASSWORD, quote(PASSWORD, safe="")):
        assert [path for path in written if secret.encode() in path.read_bytes()] == []
    assert "${env:PG_PASSWORD}" in (tmp_path / "run/resolved.yaml").read_text()
