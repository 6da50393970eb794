"""A tracker that an installed package registers, or that stands beside the spec, is told of a run."""

import json

import pytest

import runexp
from tracking.cases import SPEC

CODE = '''
import json
from pathlib import Path


class Diary:
    """Writes a line for everything it is told."""

    def __init__(self, path: str, fails: bool = False):
        self.path, self.fails = Path(path), fails

    def start(self, run):
        self.write(["start", run.name, run.parameters["vars.lr"], run.is_resumed])
        return {}

    def log(self, points):
        if self.fails:
            raise OSError("the diary is full")
        for point in points:
            self.write(["point", point.name, point.value, point.step])

    def keep(self, path, name):
        self.write(["file", name])

    def finish(self, status):
        self.write(["end", status])

    def write(self, line):
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\\n")
'''


def _told(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "diaries.py").write_text(CODE)

    def write(options, head=""):
        path = tmp_path / "spec.yaml"
        path.write_text(SPEC.format(extra=f"tracking: {{others: {{diary: {options}}}}}\n{head}"))
        return path

    return write


def test_a_tracker_of_the_users_is_told_everything(spec, tmp_path):
    path = spec("{use: diaries.Diary, with: {path: diary.txt}, per_batch: true}", "imports: [diaries]")
    run = runexp.compile(runexp.load(path)).run(runs=tmp_path / "runs")
    told = _told(tmp_path / "diary.txt")
    assert told[0] == ["start", "digits", "0.003", False]
    assert ["point", "test/accuracy", run.results["test"].numbers["accuracy"], 18] in told
    assert ["file", "summary.json"] in told
    assert told[-1] == ["end", "completed"]


def test_a_tracker_that_fails_changes_neither_the_numbers_nor_the_end(spec, tmp_path):
    plain = runexp.compile(runexp.load(spec("{use: diaries.Diary, with: {path: a.txt}}", "imports: [diaries]")))
    failing = spec("{use: diaries.Diary, with: {path: b.txt, fails: true}}", "imports: [diaries]")
    run = runexp.compile(runexp.load(failing)).run(runs=tmp_path / "runs")
    assert run.status == "completed"
    assert run.notes == ("tracker `diary` lacks a part of the run: OSError: the diary is full",)
    (warning,) = run.results.warnings
    assert warning == "tracker `diary` does not take the numbers, the run goes on: OSError: the diary is full"
    assert run.results.summary() == plain.run(runs=tmp_path / "runs").results.summary()


def test_a_class_that_is_no_tracker_is_found_at_validate(spec, run_python, tmp_path):
    (tmp_path / "diaries.py").write_text("class Diary:\n    def start(self, run): ...\n")
    path = spec("{use: diaries.Diary}", "imports: [diaries]")
    with pytest.raises(runexp.SpecError) as error:
        runexp.load(path)
    assert [found.code for found in error.value.diagnostics] == ["wrong-use"]
    assert "no `log`, no `keep`, no `finish`" in str(error.value.diagnostics[0].message)


@pytest.mark.slow
def test_a_registered_tracker_runs_by_its_name(spec, run_python, tmp_path):
    package = tmp_path / "installed"
    (package / "diaries-1.0.dist-info").mkdir(parents=True)
    (package / "diaries-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: diaries\nVersion: 1.0\n")
    (package / "diaries-1.0.dist-info" / "entry_points.txt").write_text(
        "[runexp.trackers]\ndiary = diary_package:Diary\n"
    )
    (package / "diary_package.py").write_text(CODE)
    path = spec("{use: diary, with: {path: told.txt}}")
    done = run_python("-m", "runexp", "run", str(path), "--run-dir", "run", path=[package])
    assert done.returncode == 0, done.stderr
    assert _told(tmp_path / "told.txt")[-1] == ["end", "completed"]
    wrong = spec("{use: diary, with: {pth: told.txt}}")
    done = run_python("-m", "runexp", "validate", str(wrong), path=[package])
    assert done.returncode == 2
    assert "did you mean `path`?" in done.stderr


def test_a_library_that_is_missing_is_told_where_it_is_asked_for(spec, tmp_path, monkeypatch):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.format(extra="tracking:\n  mlflow: true\n  tensorboard: true\n  resources: true"))
    monkeypatch.setattr("runexp.api.tracking.find_spec", lambda name: None)
    experiment = runexp.compile(runexp.load(path))  # plain validate does not look
    with pytest.raises(runexp.SpecError) as error:
        experiment.run(runs=tmp_path / "runs")
    found = error.value.diagnostics
    assert [(one.code, one.help) for one in found] == [
        ("failed-import", f"`pip install 'runexp[{extra}]'`") for extra in ("monitor", "mlflow", "tensorboard")
    ]
    assert all(one.span is not None for one in found)
    assert not (tmp_path / "runs").exists()


def test_plain_validate_imports_no_library_of_a_tracker(run_python, tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.format(extra="tracking: {mlflow: true, tensorboard: true, resources: true}"))
    code = (
        "import sys\nfrom runexp.api.checking import check\n"
        f"print(check({str(path)!r}).is_valid, {{'mlflow', 'tensorboard', 'psutil', 'torch'}} & set(sys.modules))"
    )
    assert run_python("-c", code).stdout == "True set()\n"
