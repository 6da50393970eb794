"""Checkpoints on disk are found, verified and cleaned up."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runexp.store.checkpoints import CheckpointFolder

FILES = {
    "weights.safetensors": bytes(range(256)) * 4,
    "state.json": b'{"epoch": 3}',
    "nodes/pca.skops": b"pca",
}


def write_files(folder):
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def store(tmp_path):
    return CheckpointFolder(tmp_path / "checkpoints")


def test_a_saved_checkpoint_is_whole(store):
    assert store.save("group/train/epoch-0003", write_files) == "group/train/epoch-0003"
    assert store.verify("group/train/epoch-0003")
    folder = store.path("group/train/epoch-0003")
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert store.debris() == ()


def test_one_that_could_not_be_written_leaves_nothing(store):
    def fail(folder):
        write_files(folder)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.save("train/epoch-0000", fail)
    assert not store.verify("train/epoch-0000")
    assert os.listdir(store.path("train")) == []


def test_a_link_in_a_checkpoint_is_refused(store):
    with pytest.raises(ValueError, match="not a plain file"):
        store.save("train/a", lambda folder: (folder / "secret").symlink_to("/etc/passwd"))
    assert os.listdir(store.path("train")) == []


def test_a_name_that_is_taken_is_refused_and_the_old_one_stays(store):
    store.save("train/a", write_files)
    with pytest.raises(FileExistsError, match="`train/a`"):
        store.save("train/a", write_files)
    assert store.verify("train/a")


def _delete(folder):
    (folder / "state.json").unlink()


def _add(folder):
    (folder / "more").write_bytes(b"")


def _swap(folder):
    (folder / "state.json").replace(folder / "other.json")


def _truncate(folder):
    os.truncate(folder / "weights.safetensors", 0)


def _no_manifest(folder):
    (folder / "manifest.json").unlink()


def _folder_for_file(folder):
    (folder / "state.json").unlink()
    (folder / "state.json").mkdir()


def _link(folder):
    (folder / "state.json").rename(folder.parent / "elsewhere")
    (folder / "state.json").symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize("damage", [_delete, _add, _swap, _truncate, _no_manifest, _folder_for_file, _link])
def test_damage_is_noticed(store, damage):
    store.save("train/a", write_files)
    damage(store.path("train/a"))
    assert not store.verify("train/a")


def test_what_is_not_there_does_not_verify(store):
    assert not store.verify("train/a")


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_anywhere_is_noticed(tmp_path_factory, data):
    store = CheckpointFolder(tmp_path_factory.mktemp("flip"))
    store.save("train/a", write_files)
    name = data.draw(st.sampled_from([*FILES, "manifest.json"]))
    path = store.path("train/a") / name
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert not store.verify("train/a")


def test_a_removed_checkpoint_is_gone_with_its_files(store):
    store.save("train/a", write_files)
    store.remove("train/a")
    assert os.listdir(store.path("train")) == []
    with pytest.raises(FileNotFoundError):
        store.remove("train/a")


def test_pointers_read_back_and_the_last_ones_hold(store):
    assert store.pointers("group/train") == {}
    store.point("group/train", {"last": "group/train/a"})
    store.point("group/train", {"last": "group/train/b", "best": "group/train/a"})
    assert store.pointers("group/train") == {"last": "group/train/b", "best": "group/train/a"}


def test_cleaning_takes_what_was_left_unfinished_and_nothing_else(store):
    store.save("train/a", write_files)
    half = store.begin("train/b")
    write_files(half)
    torn = store.path("train") / ".pointers.json.01234567.tmp"
    torn.write_text("{")
    assert set(store.debris()) == {half, torn}
    assert set(store.clean()) == {half, torn}
    assert store.debris() == ()
    assert os.listdir(store.path("train")) == ["a"]
    assert store.verify("train/a")


@pytest.mark.parametrize("name", ["", "..", "../x", "a/../../x", "/etc/x", "a//b", "a/.hidden", "a\0b", "a/b.", "a\nb"])
def test_a_name_cannot_leave_the_folder(store, name):
    for act in (store.begin, store.verify, store.remove, store.pointers):
        with pytest.raises(ValueError, match="no path inside a run folder"):
            act(name)
    with pytest.raises(ValueError, match="no path inside a run folder"):
        store.point("train", {"last": name})


def test_a_link_does_not_lead_out_of_the_folder(store, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "train").symlink_to(tmp_path / "outside")
    with pytest.raises(ValueError, match="is a link"):
        store.save("train/a", write_files)
    assert os.listdir(tmp_path / "outside") == []
