"""What the shell offers: specs, phases of the spec given, names of the catalog, templates."""

from __future__ import annotations

import shutil

import pytest

CODE = "import sys; sys.argv[0] = 'runexp'; from runexp.cli import main; main()"


@pytest.fixture
def offered(run_python, root, tmp_path, monkeypatch):
    """What bash offers for the last word of a command line, in a folder with a spec."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "notes.txt").touch()
    shutil.copy(root / "specs" / "pca_hybrid.yaml", tmp_path / "specs")

    def offer(line):
        monkeypatch.setenv("_RUNEXP_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        return run_python("-c", CODE).stdout.split()

    return offer


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("runexp preview specs/pca_hybrid.yaml --phase t", ["train", "test"], id="phases"),
        pytest.param("runexp run s", ["specs/"], id="folders on the way to specs"),
        pytest.param("runexp validate specs/", ["specs/pca_hybrid.yaml"], id="specs"),
        pytest.param("runexp catalog torch.nn.Conv1", ["torch.nn.Conv1d"], id="names of the catalog"),
        pytest.param("runexp catalog --kind sched", ["schedule"], id="kinds"),
        pytest.param("runexp init hy", ["hybrid"], id="templates"),
        pytest.param("runexp preview nowhere.yaml --phase t", [], id="phases of no spec"),
    ],
)
def test_the_shell_offers(offered, line, expected):
    assert offered(line) == expected
