"""list, show, compare, tag, note, rm: what a person sees of the runs there are."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import re
import shutil

import pytest

from run_store.conftest import call

ESCAPE = "\x1b["


def listed(*arguments):
    ran = call("list", "--format", "json", *arguments)
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)["runs"]


# list


def test_a_list_shows_the_newest_first_with_status_and_final_numbers(folders):
    ran = call("list")
    lines = ran.stdout.splitlines()
    assert lines[0].split() == ["id", "name", "status", "started", "took", "test.loss", "test.accuracy"]
    assert [line.split()[0] for line in lines[1:]] == [path.name for path in reversed(folders)]
    assert ESCAPE not in ran.stdout


def test_runs_are_filtered_and_sorted_by_numbers_and_values_of_the_spec(folders):
    ran = call(
        "list", "--where", "vars.lr < 1 and status = completed", "--sort", "-vars.lr", "--columns", "vars.lr,seed"
    )
    rows = [line.split() for line in ran.stdout.splitlines()]
    assert rows[0] == ["id", "name", "status", "vars.lr", "seed"]
    assert [row[3:] for row in rows[1:]] == [["0.1000", "2"], ["0.0100", "1"]]


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_program_gets_every_number_in_full(folders, form):
    ran = call("list", "--format", form)
    if form == "json":
        rows = json.loads(ran.stdout)["runs"]
        told = {row["id"]: row["metrics"]["test"]["accuracy"] for row in rows if "test" in row["metrics"]}
    else:
        rows = list(csv.DictReader(io.StringIO(ran.stdout)))
        told = {row["id"]: float(row["test.accuracy"]) for row in rows if row["test.accuracy"]}
    written = {path.name: json.loads((path / "summary.json").read_text())["metrics"] for path in folders}
    assert told == {id: numbers["test"]["accuracy"] for id, numbers in written.items() if "test" in numbers}
    assert len(rows) == 3


def test_status_tags_and_a_limit_narrow_a_list(folders):
    call("tag", folders[0], "good")
    assert [run["id"] for run in listed("--tag", "good")] == [folders[0].name]
    assert {run["name"] for run in listed("--status", "completed")} == {"wine"}
    assert [run["id"] for run in listed("--limit", "1")] == [folders[-1].name]
    ran = call("list", "--limit", "1")
    assert "1 of 3 runs; --limit 0 shows all" in ran.stderr


def test_a_wrong_condition_is_told_with_its_place_and_the_nearest_name(folders):
    ran = call("list", "--where", "test.acuracy > 0.5")
    assert ran.exit_code == 2
    assert ran.stdout == ""
    told = ran.stderr.splitlines()
    assert told[:3] == ["error: no run has `test.acuracy`", "  --where  test.acuracy > 0.5", "           ^^^^^^^^^^^^"]
    assert "did you mean `test.accuracy`?" in told[3]


def test_an_unknown_status_names_the_nearest():
    ran = call("list", "--status", "complete")
    assert (ran.exit_code, "did you mean `completed`?" in ran.stderr) == (2, True)


def test_where_there_are_no_runs_nothing_is_wrong(tmp_path):
    ran = call("list", "--runs", tmp_path / "none", "--where", "x.y > 1")
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert "there are no runs" in ran.stderr


@pytest.mark.parametrize("columns", [60, 100, 160])
@pytest.mark.parametrize("page", ["list", "show", "compare", "wide"])
def test_no_page_is_wider_than_the_terminal(folders, monkeypatch, columns, page):
    monkeypatch.setenv("COLUMNS", str(columns))
    words = {
        "list": ["list"],
        "show": ["show", "last"],
        "compare": ["compare", *folders],
        "wide": ["list", "-c", "phases.train.optimizer.use,phases.train.epochs,data.wine.splits.stratify_by"],
    }[page]
    ran = call(*words)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout
    folder_lines = ("folder", "run folder")  # a path is never broken by hand
    wide = [line for line in ran.stdout.splitlines() if len(line) > columns and not line.startswith(folder_lines)]
    assert wide == []


# show


def test_a_run_is_shown_with_its_numbers_curves_checkpoints_and_environment(folders):
    ran = call("show", folders[0].name)
    assert ran.exit_code == 0, ran.output
    assert re.search(r"^wine  completed in .* s  \(seed 1, cpu\)$", ran.stdout, re.MULTILINE)
    assert re.search(r"^test +test +\d\.\d{4} +\d\.\d{4}$", ran.stdout, re.MULTILINE)
    assert re.search(r"^  val_loss +[▁-█]{3}  ", ran.stdout, re.MULTILINE)
    assert re.search(r"^run +" + folders[0].name, ran.stdout, re.MULTILINE)
    assert "(best, last)" in ran.stdout
    assert re.search(r"^environment +python 3", ran.stdout, re.MULTILINE)
    assert ESCAPE not in ran.stdout


def test_a_failed_run_is_shown_with_what_it_failed_of(folders):
    ran = call("show", "fails")
    assert ran.exit_code == 0, ran.output
    status = json.loads((folders[-1] / "status.json").read_text())
    assert status["state"] == "failed"
    assert status["error"]["message"][:40] in " ".join(ran.stdout.split())


def test_the_same_as_json_has_curves_spec_and_lock(folders):
    data = json.loads(call("show", folders[0], "--format", "json").stdout)
    train = data["phases"][0]
    assert (train["label"], train["n_epochs"], len(train["curves"]["val_loss"])) == ("train", 3, 3)
    assert data["spec"]["vars"] == {"lr": 0.01}
    assert data["lock"]["seed"] == 1
    assert {one["name"]: one["role"] for one in data["checkpoints"]} == {
        "final": "",
        "train/epoch-0001": "",
        "train/epoch-0002": "best, last",
    }


@pytest.mark.parametrize("verb", ["show", "tag", "note", "rm", "reproduce"])
def test_an_unknown_or_ambiguous_run_is_told_with_the_nearest(folders, verb):
    unknown = call(verb, "wnie")
    assert (unknown.exit_code, "did you mean `wine`?" in unknown.stderr) == (2, True)
    ambiguous = call(verb, "wine")
    assert ambiguous.exit_code == 2
    assert f"`wine/{folders[0].name}`, `wine/{folders[1].name}`" in ambiguous.stderr
    assert "`wine/last` is the newest" in ambiguous.stderr


def test_the_newest_of_a_name_is_meant_by_name_and_last(folders):
    assert json.loads(call("show", "wine/last", "--format", "json").stdout)["id"] == folders[1].name


# compare


def test_a_comparison_shows_what_differs_and_the_numbers_side_by_side(folders):
    ran = call("compare", folders[0], folders[1])
    assert ran.exit_code == 0, ran.output
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert ["vars.lr", "0.01", "0.1"] in lines
    assert ["seed", "1", "2"] in lines
    assert ["data", "the", "same"] in lines
    assert any(line[:1] == ["test.accuracy"] for line in lines)
    assert "train.val_loss" in ran.stdout


def test_a_comparison_as_json_holds_values_by_address(folders):
    data = json.loads(call("compare", *folders[:2], "--format", "json").stdout)
    by_address = {row["address"]: row["values"] for row in data["spec"]}
    assert by_address["vars.lr"] == [0.01, 0.1]
    assert "phases.train.epochs" not in by_address
    assert len(data["curves"]["train.val_loss"]) == 2


def test_what_is_the_same_can_be_left_out(folders):
    copy = folders[0].with_name("20260101-000000-aaaa")
    shutil.copytree(folders[0], copy)
    ran = call("compare", folders[0], copy, "--only-differences")
    assert ran.stdout.splitlines()[2:] == []
    whole = call("compare", folders[0], copy)
    assert "spec  the same" in whole.stdout


def test_one_run_alone_is_no_comparison(folders):
    assert call("compare", folders[0]).exit_code == 2


# tag, note, rm


def test_tags_are_given_taken_and_shown(folders):
    assert call("tag", "last", "a", "b").stdout.split() == ["a", "b"]
    assert call("tag", "last", "a", "--remove").stdout.split() == ["b"]
    assert call("tag", "last").stdout.split() == ["b"]
    assert call("tag", "last", "two words").exit_code == 2


def test_a_note_is_kept_shown_and_cleared(folders):
    assert call("note", "last", "warm-up was too short [see #4] ü").exit_code == 0
    assert call("note", "last").stdout == "warm-up was too short [see #4] ü\n"
    assert "warm-up was too short [see #4] ü" in call("show", "last").stdout
    call("note", "last", "--clear")
    assert call("note", "last").stdout == ""


def test_a_removed_run_lies_in_the_trash_and_can_be_moved_back(runs, folders):
    ran = call("rm", folders[0].name)
    target = runs / ".runexp" / "trash" / "wine" / folders[0].name
    assert (ran.exit_code, folders[0].exists(), (target / "spec.yaml").is_file()) == (0, False, True)
    assert folders[0].name not in {run["id"] for run in listed()}
    target.rename(folders[0])
    assert folders[0].name in {run["id"] for run in listed()}


def test_an_emptied_trash_is_gone_for_good(runs, folders):
    call("rm", *folders[:2])
    ran = call("rm", "--empty-trash")
    assert "deleted 2 runs" in ran.stderr
    assert not (runs / ".runexp" / "trash").exists()
    assert len(listed()) == 1


def test_a_run_that_is_running_is_not_removed_and_nothing_else_is(folders):
    lock = os.open(folders[0] / "lock", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = call("rm", folders[1].name, folders[0].name)
    finally:
        os.close(lock)
    assert (ran.exit_code, folders[0].exists(), folders[1].exists()) == (2, True, True)
    assert "is running" in ran.stderr


def test_a_folder_that_is_no_run_or_lies_elsewhere_is_never_removed(runs, folders, tmp_path):
    alien = runs / "alien" / "data"
    alien.mkdir(parents=True)
    (alien / "precious.txt").touch()
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folders[0], elsewhere)
    link = runs / "wine" / "20260101-000000-1111"
    link.symlink_to(elsewhere)
    for place in (alien, alien.parent, runs, elsewhere, link):
        assert call("rm", place).exit_code == 2, place
    assert (alien / "precious.txt").exists() and (elsewhere / "spec.yaml").exists() and link.is_symlink()


# damaged folders


def damages():
    def status(text):
        return lambda folder: (folder / "status.json").write_text(text)

    yield "status torn", status('{"state": "comp')
    yield "status a list", status("[]")
    yield "status of other types", status('{"state": 3, "started": [], "position": 7, "error": "x", "host": {}}')
    yield "status deep", status("[" * 100_000)
    yield "no status", lambda folder: (folder / "status.json").unlink()
    for name in ("summary.json", "lock.json", "resolved.yaml", "events.jsonl", "plan.json"):
        yield f"no {name}", lambda folder, name=name: (folder / name).unlink()
        yield f"{name} torn", lambda folder, name=name: (folder / name).write_bytes((folder / name).read_bytes()[:77])
        yield f"{name} binary", lambda folder, name=name: (folder / name).write_bytes(bytes(range(256)) * 3)
        yield f"{name} a number", lambda folder, name=name: (folder / name).write_text("3\n")
        yield (
            f"{name} of nulls",
            lambda folder, name=name: (folder / name).write_text('{"metrics": null, "packages": 3}'),
        )
    for text in ("[]", '{"tags": 3, "note": []}', '{"tags": ["\\u001b[31m", 7]}', "\x00"):
        yield f"annotations {text!r}", lambda folder, text=text: (folder / "annotations.json").write_text(text)
    yield "empty", lambda folder: [shutil.rmtree(p) if p.is_dir() else p.unlink() for p in folder.iterdir()]
    yield (
        "strange numbers",
        lambda folder: (folder / "summary.json").write_text(
            json.dumps({"metrics": {"\x1b[31mred": {"x\n": None, "big": 1e308, "text": "no", "list": []}, "p": 3}})
        ),
    )


@pytest.mark.parametrize("damage", [pytest.param(act, id=name) for name, act in damages()])
def test_a_damaged_run_is_listed_shown_and_compared_with_what_is_known(folders, damage):
    damage(folders[0])
    assert folders[0].name in {run["id"] for run in listed()}
    for words in (["list"], ["show", folders[0]], ["compare", *folders], ["show", folders[0], "--format", "json"]):
        ran = call(*words)
        assert ran.exit_code == 0, (words, ran.output, ran.exception)
        assert "\x1b" not in ran.stdout


def test_what_no_run_can_be_called_is_passed_over(runs, folders):
    for name in (b"\xff\xfe", b"\x1b[31m"):
        shutil.copytree(folders[0], runs / os.fsdecode(name) / folders[0].name)
    (runs / "loop").symlink_to(runs / "loop")
    (runs / "file").touch()
    assert sorted(run["id"] for run in listed()) == sorted(path.name for path in folders)
    assert call("show", "last").exit_code == 0


def test_a_note_of_a_stranger_steers_no_terminal(folders):
    (folders[0] / "annotations.json").write_text(json.dumps({"tags": ["\x1b[31m"], "note": "a\x1b[2J\nb"}))
    assert call("note", folders[0]).stdout == "a\nb\n"
    assert "\x1b" not in call("tag", folders[0]).stdout + call("show", folders[0]).stdout


def test_a_run_that_died_is_called_killed_and_shows_how_far_it_came(folders):
    status = folders[0] / "status.json"
    status.write_text(status.read_text().replace('"completed"', '"running"'))
    (folders[0] / "summary.json").unlink()
    log = folders[0] / "events.jsonl"
    whole = log.read_bytes().splitlines(keepends=True)
    second = [number for number, line in enumerate(whole) if b'"EpochFinished"' in line][1]
    log.write_bytes(b"".join(whole[: second + 1]) + whole[second + 1][:20])
    (told,) = (run for run in listed() if run["id"] == folders[0].name)
    assert told["status"] == "killed"
    assert told["metrics"]["train"]["val_loss"] == json.loads(whole[second])["metrics"]["val_loss"]
    ran = call("show", folders[0])
    assert "killed" in ran.stdout and "so far 2 of 3 epochs" in ran.stdout


def test_a_run_that_goes_on_is_running_while_somebody_holds_it(folders):
    status = folders[0] / "status.json"
    status.write_text(status.read_text().replace('"completed"', '"running"'))
    lock = os.open(folders[0] / "lock", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        states = {run["id"]: run["status"] for run in listed()}
    finally:
        os.close(lock)
    assert states[folders[0].name] == "running"


# the shell, and how fast it starts

COMPLETE = "import sys; sys.argv[0] = 'runexp'; from runexp.cli import main; main()"


@pytest.mark.parametrize("verb", ["show", "compare", "rm"])
def test_the_shell_offers_the_ids_of_runs_and_names(folders, run_python, monkeypatch, verb):
    monkeypatch.setenv("_RUNEXP_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"runexp {verb} ")
    monkeypatch.setenv("COMP_CWORD", "2")
    offered = run_python("-c", COMPLETE).stdout.split()
    assert sorted(offered[:3], reverse=True) == offered[:3]
    assert set(offered[:3]) == {path.name for path in folders}
    assert set(offered[3:]) == {"fails", "wine", "last"}


def test_looking_at_runs_imports_no_torch(folders, run_python):
    code = """
import sys
from runexp.cli.app import app
for words in ("list --where seed>0 -c vars.lr", "show last", "compare fails wine/last", "tag last", "rm fails"):
    app(words.split(), standalone_mode=False)
    heavy = {"torch", "numpy", "pandas", "pyarrow", "sklearn"} & set(sys.modules)
    assert not heavy, (words, heavy)
"""
    ran = run_python("-c", code)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout
