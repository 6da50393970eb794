"""Every page of docs/guide does what it says: its files are written down, its specs run, its commands exit 0."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"
PAGES = sorted(page for page in GUIDE.glob("*.md") if page.stem != "README")  # the index shows nothing that runs
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    return [(match[1], match[2]) for match in _BLOCK.finditer(page.read_text())]


def written_files(page, folder):
    """The blocks that name a file, written into `folder`; gives the specs among them."""
    specs = []
    for _, text in blocks(page):
        first, _, rest = text.partition("\n")
        if not first.startswith("# file: "):
            continue
        name = first.removeprefix("# file: ").strip()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(rest)
        if rest.startswith("runexp:"):
            specs.append(name)
    return specs


def test_there_is_a_guide():
    assert PAGES


@pytest.mark.slow
@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in PAGES])
def test_a_page_of_the_guide_does_what_it_says(page, tmp_path, run_python):
    specs = written_files(page, tmp_path)
    commands = [line[len("$ runexp ") :] for kind, text in blocks(page) if kind == "console"
                for line in text.splitlines() if line.startswith("$ runexp ")]  # fmt: skip
    assert specs or commands, "a page shows something that runs"
    for arguments in [*(["run", spec] for spec in specs), *map(shlex.split, commands)]:
        ran = run_python("-m", "runexp", *arguments, cwd=tmp_path)
        assert ran.returncode == 0, f"runexp {' '.join(arguments)}\n{ran.stdout}\n{ran.stderr}"
