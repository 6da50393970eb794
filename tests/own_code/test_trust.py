"""A spec from elsewhere runs its code only where somebody agreed to it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from own_code.specs import CODE, SPEC, write
from runexp.api.checking import check
from runexp.api.deep import check_deep
from runexp.api.experiment import compile as compiled
from runexp.api.running import Place, run
from runexp.diagnostics import SpecError

MARKED = CODE + "\nopen('ran', 'w')\n"


@pytest.fixture
def stranger(home, tmp_path_factory):
    """A spec outside of the project one stands in, whose code leaves a mark when it runs."""
    return write(tmp_path_factory.mktemp("downloads"), code=MARKED)


def command(*arguments, cwd, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "runexp", *map(str, arguments)],
        cwd=cwd,
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        **options,
    )


def test_validating_it_is_safe_and_running_it_is_refused(home, stranger):
    assert command("validate", stranger, cwd=home).returncode == 0
    done = command("run", stranger, cwd=home, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "error[untrusted-import]" in done.stderr
    assert "--allow-import mine" in done.stderr
    assert not (home / "ran").exists()
    assert not (home / "runs").exists()


def test_it_runs_where_its_code_was_agreed_to_and_says_what_runs(home, stranger):
    done = command("run", stranger, "--allow-import", "mine", cwd=home)
    assert done.returncode == 0
    assert f"runs code of yours: mine ({stranger.parent / 'mine.py'})" in done.stderr
    assert (home / "ran").exists()


def test_agreeing_to_something_else_does_not_help(home, stranger):
    assert command("run", stranger, "--allow-import", "min", cwd=home).returncode == 2
    assert not (home / "ran").exists()


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 2)])
def test_at_a_terminal_it_asks(home, stranger, answer, code):
    lead, follow = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "runexp", "preview", str(stranger), "--phase", "train", "--dry"],
        cwd=home,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "dumb"},
        stdin=follow,
        stdout=subprocess.DEVNULL,
        stderr=follow,
    )
    os.close(follow)
    os.write(lead, f"{answer}\n".encode())
    assert process.wait(timeout=60) == code
    os.close(lead)
    assert (home / "ran").exists() == (code == 0)


def test_in_python_it_is_the_same(home, stranger):
    checked = check(stranger)
    with pytest.raises(SpecError, match="outside of the current project"):
        compiled(checked).run(run_dir=home / "run")
    assert {one.code for one in check_deep(checked).checked.diagnostics} == {"untrusted-import"}
    assert not (home / "ran").exists()
    assert compiled(checked, allow_imports=["mine"]).run(run_dir=home / "run").status == "completed"


def test_a_spec_of_the_project_runs_and_so_does_one_from_the_command_line(home, stranger):
    inside = write(home / "specs", code=CODE)
    assert run(check(inside), Place(at=home / "one"), watch=lambda live: ()).status == "completed"
    stranger.write_text(SPEC.replace("imports: [mine]\n", ""))
    with_set = check(stranger, overrides=["imports=[mine]"])
    assert run(with_set, Place(at=home / "two"), watch=lambda live: ()).status == "completed"


def test_a_link_into_the_project_is_still_from_elsewhere(home, stranger):
    (home / "linked.yaml").symlink_to(stranger)
    with pytest.raises(SpecError, match="outside of the current project"):
        run(check(home / "linked.yaml"), Place(at=home / "run"), watch=lambda live: ())


def test_what_a_spec_extends_from_elsewhere_is_from_elsewhere(home, stranger):
    (home / "mine.py").write_text(MARKED)
    (home / "own.yaml").write_text(f"extends: {stranger}\nname: mine\n")
    with pytest.raises(SpecError, match="outside of the current project"):
        run(check(home / "own.yaml"), Place(at=home / "run"), watch=lambda live: ())
    assert not (home / "ran").exists()
