"""The index is only a cache of the folders: whatever becomes of it, what is listed is what there is."""

from __future__ import annotations

import json
import shutil
import sqlite3
from concurrent.futures import ProcessPoolExecutor

import pytest

from runexp.store.index import list_records
from runexp.store.run_spec import read_spec


def ids(runs, **kwargs):
    return sorted(record.id for record in list_records(runs, **kwargs))


@pytest.fixture
def index(runs):
    list_records(runs)
    path = runs / ".runexp" / "index.sqlite"
    assert path.is_file()
    return path


def truth(runs):
    return sorted(path.parent.name for path in runs.glob("[!.]*/*/status.json"))


def test_an_index_that_was_deleted_is_made_again(runs, index):
    index.unlink()
    assert ids(runs) == truth(runs)
    assert index.is_file()


def test_what_is_read_from_the_index_is_what_was_read_from_the_folders(runs):
    fresh = list_records(runs, read_spec=read_spec)
    assert list_records(runs, read_spec=read_spec) == fresh
    assert [record.spec["vars"]["lr"] for record in fresh if record.name == "wine"] in ([0.01, 0.1], [0.1, 0.01])


def test_runs_added_moved_and_removed_behind_its_back_are_noticed(runs, index, folders):
    shutil.copytree(folders[0], runs / "copy" / "20260101-000000-abcd")
    folders[1].rename(runs / "elsewhere")
    shutil.rmtree(folders[2])
    found = {(record.name, record.id) for record in list_records(runs)}
    assert found == {
        (folders[0].parent.name, folders[0].name),
        ("copy", "20260101-000000-abcd"),
        (folders[1].parent.name, "elsewhere"),
    }


@pytest.mark.parametrize("name", ["status.json", "summary.json", "lock.json", "resolved.yaml"])
def test_a_file_written_behind_its_back_is_read_again(runs, index, folders, name):
    list_records(runs, read_spec=read_spec)
    (folders[0] / name).write_text(
        {
            "status.json": json.dumps({"state": "stopped", "started": "2026-01-01T00:00:00.000Z"}),
            "summary.json": json.dumps({"metrics": {"test": {"accuracy": 0.125}}}),
            "lock.json": json.dumps({"seed": 99}),
            "resolved.yaml": "vars: {lr: 5}\n",
        }[name]
    )
    (record,) = (one for one in list_records(runs, read_spec=read_spec) if one.id == folders[0].name)
    seen = {
        "status.json": record.status == "stopped",
        "summary.json": record.metrics == {"test": {"accuracy": 0.125}},
        "lock.json": record.seed == 99,
        "resolved.yaml": record.spec == {"vars": {"lr": 5}},
    }
    assert seen[name]


def damage_nothing_of_a_database(index):
    index.write_bytes(b"no database at all" * 100)


def damage_cut_short(index):
    index.write_bytes(index.read_bytes()[: index.stat().st_size // 2])


def damage_empty(index):
    index.write_bytes(b"")


def damage_middle(index):
    data = bytearray(index.read_bytes())
    data[4096:4600] = b"\xff" * 504
    index.write_bytes(data)


def damage_rows(index):
    with sqlite3.connect(index) as database:
        database.execute("UPDATE runs SET record = '{\"id\": 3', spec = '[1'")


def damage_other_columns(index):
    with sqlite3.connect(index) as database:
        database.executescript("DROP TABLE runs; CREATE TABLE runs (a, b); INSERT INTO runs VALUES (1, 2)")


def damage_other_version(index):
    with sqlite3.connect(index) as database:
        database.execute("UPDATE runs SET record = '{}'")
        database.execute("PRAGMA user_version = 999")


def damage_a_folder_in_its_place(index):
    index.unlink()
    index.mkdir()


@pytest.mark.parametrize(
    "damage",
    [function for name, function in sorted(globals().items()) if name.startswith("damage_")],
    ids=lambda function: function.__name__.removeprefix("damage_"),
)
def test_a_damaged_index_is_rebuilt_and_never_believed(runs, index, damage):
    expected = list_records(runs, read_spec=read_spec)
    damage(index)
    assert list_records(runs, read_spec=read_spec) == expected
    assert list_records(runs, read_spec=read_spec) == expected


def test_a_journal_of_another_index_is_not_played_into_a_new_one(runs, index):
    expected = ids(runs)
    index.write_bytes(b"x" * 5000)
    index.with_name("index.sqlite-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\0" * 2000)
    assert ids(runs) == expected == ids(runs)


def test_a_store_that_cannot_be_written_is_listed_all_the_same(runs):
    (runs / ".runexp").write_text("in the way")
    assert ids(runs) == truth(runs)
    assert (runs / ".runexp").read_text() == "in the way"


def test_a_folder_without_runs_stays_as_it_is(tmp_path):
    assert list_records(tmp_path) == list_records(tmp_path / "nowhere") == []
    assert list(tmp_path.iterdir()) == []


def test_many_processes_may_look_and_mend_at_once(runs, folders):
    for number in range(30):
        shutil.copytree(folders[0], runs / "copies" / f"20260101-000000-{number:04x}")
    with ProcessPoolExecutor(4) as pool:
        seen = list(pool.map(ids, [runs] * 12))
    assert all(each == truth(runs) for each in seen)
    assert ids(runs) == truth(runs)


def test_a_second_look_opens_no_run(runs, index, monkeypatch):
    def refuse(*_):
        raise AssertionError("a folder was read that had not changed")

    list_records(runs, read_spec=read_spec)
    monkeypatch.setattr("runexp.store.index.read_record", refuse)
    assert len(list_records(runs, read_spec=refuse)) == 3
