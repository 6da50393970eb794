"""Hostile files through `runexp validate`, each in a process of its own: exit 2, a place, time and memory bound."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from corpus.hostile import FINE, HOSTILE, RICH
from corpus.judge import HANG_S

ROOT = Path(__file__).parents[2]
# `validate` leaves without tidying up, so it is measured from a small process around it: `ru_maxrss` of a child counts
# what its parent held when it forked.
_SCRIPT = """
import resource, subprocess, sys
ended = subprocess.run([sys.executable, "-m", "runexp", *sys.argv[1:]], check=False)
cost = resource.getrusage(resource.RUSAGE_CHILDREN)
print("COST", cost.ru_utime + cost.ru_stime, cost.ru_maxrss, file=sys.stderr)
sys.exit(ended.returncode)
"""


@dataclass(frozen=True)
class Ended:
    """How `validate` ended: its exit code, what it said, CPU seconds, and its peak of memory in MB."""

    code: int
    said: str
    seconds: float
    megabytes: float


def validated(path: Path) -> Ended:
    """Run `runexp validate` on a path."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, "validate", str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    said, _, cost = done.stderr.decode().rpartition("COST ")
    seconds, kilobytes = cost.split()
    return Ended(done.returncode, done.stdout.decode() + said, float(seconds), int(kilobytes) / 1024)


@pytest.fixture(scope="module")
def endings(tmp_path_factory):
    """How each file ends, two at a time."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "rich.yaml").write_text(RICH, encoding="utf-8")
    paths = {}
    for number, (name, make) in enumerate([*FINE.items(), *((name, make) for name, (make, _) in HOSTILE.items())]):
        paths[name] = folder / f"{number}.yaml"
        make(paths[name])
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(paths, pool.map(validated, paths.values()), strict=True))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_at_a_place_in_time_and_memory(endings, name):
    ended = endings[name]
    assert ended.code == 2, ended.said
    assert f"error[{HOSTILE[name][1]}]" in ended.said
    assert re.search(r"--> \S+\.yaml:\d+:\d+", ended.said), ended.said
    assert "Traceback" not in ended.said and "bug in runexp" not in ended.said
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", ended.said)
    assert len(ended.said) < 64 * 1024
    assert ended.seconds < HANG_S
    assert ended.megabytes < 300


@pytest.mark.parametrize("name", FINE)
def test_an_unusual_file_is_read(endings, name):
    assert endings[name].code == 0, endings[name].said


def test_a_key_that_looks_like_a_known_one_gets_a_hint(endings):
    assert "did you mean `epochs`?" in endings["a Cyrillic key"].said
    assert "did you mean `epochs`?" in endings["a Greek key"].said
    assert "did you mean `seed`?" in endings["a full-width key"].said
