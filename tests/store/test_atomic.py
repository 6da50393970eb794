"""Files and folders are whole or absent, whenever the process dies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runexp.store.atomic import aside, commit_folder, is_aside, make_folders, write_atomically
from runexp.store.checkpoints import CheckpointFolder

ROOT = Path(__file__).resolve().parents[2]

WRITER = """
import sys
from itertools import count
from pathlib import Path
from runexp.store.atomic import write_atomically
from runexp.store.checkpoints import CheckpointFolder

folder = Path(sys.argv[1])

def write_files():
    for number in count():
        write_atomically(folder / "status.json", str(number % 10) * 300_000)

def write_checkpoints():
    store = CheckpointFolder(folder / "checkpoints")
    for number in count():
        def write(temporary):
            for name in ("a", "b", "c"):
                (temporary / name).write_bytes(bytes([number % 256]) * 50_000)
        name = store.save(f"train/epoch-{number:04}", write)
        store.point("train", {"last": name})
        if number:
            store.remove(f"train/epoch-{number - 1:04}")

print("going", flush=True)
globals()[sys.argv[2]]()
"""


def kill_in_the_middle(folder, what, seconds):
    """Run a loop of writes and kill it after some time."""
    command = [sys.executable, "-c", WRITER, str(folder), what]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"going\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)


MOMENTS = [random.Random(seed).uniform(0.02, 0.25) for seed in range(8)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path, moment):
    kill_in_the_middle(tmp_path, "write_files", moment)
    content = (tmp_path / "status.json").read_text()
    assert len(content) == 300_000
    assert len(set(content)) == 1
    others = [path for path in tmp_path.iterdir() if path.name != "status.json"]
    assert len(others) <= 1
    assert all(map(is_aside, others))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_saver_killed_at_any_moment_leaves_whole_checkpoints_and_clean_pointers(tmp_path, moment):
    kill_in_the_middle(tmp_path, "write_checkpoints", moment)
    store = CheckpointFolder(tmp_path / "checkpoints")
    store.clean()
    phase = tmp_path / "checkpoints" / "train"
    names = [f"train/{path.name}" for path in phase.iterdir() if path.is_dir()] if phase.is_dir() else []
    assert all(map(store.verify, names))
    assert len(names) <= 2
    pointers = store.pointers("train")
    assert set(pointers.values()) <= set(names)
    assert len(names) < 2 or pointers


def test_what_stood_there_is_replaced(tmp_path):
    path = tmp_path / "a.json"
    write_atomically(path, "one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_write_that_fails_leaves_what_stood_there_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(path, "one")
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_full_disk_leaves_what_stood_there_and_nothing_else(tmp_path):
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from runexp.store.atomic import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "path = Path(sys.argv[1])\n"
        "write_atomically(path, 'a' * 900)\n"
        "try: write_atomically(path, 'b' * 100_000)\n"
        "except OSError as error: print(error.strerror)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", code, str(tmp_path / "a.json")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n"
    assert (tmp_path / "a.json").read_text() == "a" * 900
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_folder_is_committed_once_with_all_that_is_in_it(tmp_path):
    temporary = aside(tmp_path / "final")
    make_folders(temporary / "deep" / "er")
    (temporary / "deep" / "er" / "file").write_text("x")
    commit_folder(temporary, tmp_path / "final")
    assert (tmp_path / "final" / "deep" / "er" / "file").read_text() == "x"
    assert os.listdir(tmp_path) == ["final"]


def test_a_folder_never_takes_the_place_of_another(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "final").mkdir()  # empty: a bare rename would replace it
    with pytest.raises(FileExistsError):
        commit_folder(tmp_path / "new", tmp_path / "final")
    assert sorted(os.listdir(tmp_path)) == ["final", "new"]
