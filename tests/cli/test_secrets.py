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
