"""A secret from the environment is used and never written."""

from __future__ import annotations

from typer.testing import CliRunner

from runexp.cli.app import app

SECRET = "correct-horse-battery"


def test_no_secret_is_written_to_a_run_folder(root, tmp_path, monkeypatch):
    monkeypatch.setenv("RUNEXP_TEST_TOKEN", SECRET)
    spec = tmp_path / "spec.yaml"
    base = root / "specs/sklearn_pipeline.yaml"
    lines = [f"extends: {base}", 'vars: {token: "${secret:RUNEXP_TEST_TOKEN}"}', 'description: "${vars.token}"']
    spec.write_text("\n".join(lines))
    folder = tmp_path / "run"
    done = CliRunner().invoke(app, ["run", str(spec), "--run-dir", str(folder), "--quiet"])
    assert done.exit_code == 0
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert written and not [path for path in written if SECRET.encode() in path.read_bytes()]
    assert "description: ${secret:RUNEXP_TEST_TOKEN}" in (folder / "resolved.yaml").read_text()


URL = "postgresql+psycopg://me:${env:RUNEXP_TEST_TOKEN}@localhost/db"
DATABASE = """\
runexp: 1
name: database
imports: [mine]
data:
  d: {source: {use: sql, with: {url: "%s", query: select 1 as a}}, features: {x: a}, targets: {y: a}}
  e: {source: {use: mine.rows, with: {token: "${secret:RUNEXP_TEST_TOKEN}"}}, features: {x: a}}
nodes:
  line: {inputs: d.x, use: torch.nn.Linear, with: {out_features: 1}}
phases:
  train: {kind: train, split: all, epochs: 1, losses: [{node: line, use: mse}], optimizer: {use: adamw}}
"""


def test_no_command_prints_a_password_of_a_url_or_a_secret_that_code_tells(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNEXP_TEST_TOKEN", SECRET)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def rows(token):\n    raise OSError(f'no entry with {token}')\n")
    (tmp_path / "spec.yaml").write_text(DATABASE % URL)
    (tmp_path / "other.yaml").write_text(DATABASE % URL.replace("localhost", "elsewhere"))
    (tmp_path / "plain.yaml").write_text(DATABASE % URL.replace("${env:RUNEXP_TEST_TOKEN}", SECRET))
    for arguments in (
        ["plan", "spec.yaml"],
        ["plan", "spec.yaml", "--format", "json"],
        ["plan", "spec.yaml", "other.yaml"],
        ["plan", "spec.yaml", "other.yaml", "--format", "json"],
        ["plan", "spec.yaml", "--why", "data.d.source.with.url"],
        ["plan", "plain.yaml", "--format", "json"],
        ["validate", "spec.yaml", "--deep"],
        ["run", "spec.yaml", "--verbose"],
    ):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code in (0, 2)
        assert done.output
        assert SECRET not in done.output, arguments
    assert "no entry with ${secret:RUNEXP_TEST_TOKEN}" in " ".join(done.output.split())
