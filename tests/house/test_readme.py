"""The README tells the truth: its commands exist and run, and the spec it shows is the one that ships."""

from __future__ import annotations

import re
import shlex
import shutil

import pytest

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[str, str]]:
    """Every fenced block of a page: its language and its text."""
    return FENCE.findall(text)


def commands(text: str) -> list[str]:
    """What a page promises to work: the lines of its `console` blocks that start with `$ runexp `."""
    lines = [line for language, block in blocks(text) if language == "console" for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ runexp ")]


@pytest.fixture
def readme(root):
    """The page itself."""
    return (root / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def quickstart(root):
    """The first spec of the gallery; skip where it is not there."""
    path = root / "specs" / "quickstart.yaml"
    if not path.is_file():
        pytest.skip("specs/quickstart.yaml is not there")
    return path


def test_the_first_two_lines_are_the_two_commands_and_make_knows_them(readme, root):
    first = blocks(readme)[0][1].splitlines()[:2]
    assert [line.partition("#")[0].split() for line in first] == [["make", "quickstart"], ["make", "test"]]
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert {"quickstart", "test"} <= targets


def test_every_make_target_that_a_page_names_exists(root):
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    pages = "\n".join(path.read_text(encoding="utf-8") for path in root.glob("*.md"))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", pages, re.MULTILINE))
    assert named
    assert named <= targets


def test_the_spec_shown_is_the_spec_that_ships(readme, quickstart):
    shown = [block for language, block in blocks(readme) if language == "yaml"]
    assert quickstart.read_text(encoding="utf-8") in shown


def test_every_command_shown_runs(readme, quickstart, run_python, root, tmp_path):
    if not (root / "src" / "runexp" / "cli").is_dir():
        pytest.skip("src/runexp/cli is not there")
    shutil.copytree(root / "specs", tmp_path / "specs")
    shown = commands(readme)
    assert shown
    for command in shown:
        outcome = run_python("-m", *shlex.split(command), cwd=tmp_path)
        assert outcome.returncode == 0, f"{command}\n{outcome.stderr}"


def test_only_runexp_lines_of_console_blocks_are_run():
    page = "```sh\n$ runexp a\n```\n```console\n$ runexp b 'c d'\noutput\n$ ls\n```\n$ runexp e\n"
    assert commands(page) == ["runexp b 'c d'"]
