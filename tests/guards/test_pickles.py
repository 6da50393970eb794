"""Nothing is ever unpickled: a pickle that would leave a file behind is refused by every way to read something."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from guards.specs import SPEC, write_table
from resume.runs import SPEC as LONG
from resume.runs import begin
from runexp.api.checking import check
from runexp.api.resuming import CannotResume, open_run, resume
from runexp.api.running import Place, run
from runexp.diagnostics import SpecError
from runexp.store.checkpoints import MANIFEST, CheckpointFolder


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, marker):
        self._marker = str(marker)

    def __reduce__(self):
        return open, (self._marker, "w")


@pytest.fixture
def marker(tmp_path):
    path = tmp_path / "sprung"
    yield path
    assert not path.exists()


def test_the_trap_works(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung"))).close()
    assert (tmp_path / "sprung").exists()


def arrays_of(trap, **how):
    content = io.BytesIO()
    array = np.array([trap, trap], object)
    np.save(content, array) if how.get("single") else np.savez(content, a=array, b=array, y=array)
    return content.getvalue()


def zip_of(trap):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("a.npy", pickle.dumps(trap))
    return content.getvalue()


def parquet_of(trap):
    """Arrow once unpickled the types of its extensions."""
    kind = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": pickle.dumps(trap)}
    schema = pa.schema([pa.field(name, pa.float64(), metadata=kind) for name in "aby"])
    content = io.BytesIO()
    pq.write_table(pa.table([pa.array([1.0, 2.0])] * 3, schema=schema), content)
    return content.getvalue()


SOURCES = {
    "t.npy": [pickle.dumps, lambda trap: arrays_of(trap, single=True)],
    "t.npz": [pickle.dumps, arrays_of, zip_of],
    "t.parquet": [pickle.dumps],
    "t.arrow": [pickle.dumps],
    "t.csv": [pickle.dumps],
    "t.jsonl": [pickle.dumps],
}


@pytest.mark.parametrize(
    ("name", "make"), [(name, make) for name, ways in SOURCES.items() for make in ways], ids=lambda item: str(item)[:9]
)
def test_a_source_that_is_a_pickle_is_refused(tmp_path, marker, name, make):
    (tmp_path / name).write_bytes(make(Trap(marker)))
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("table.csv", name).replace("    tags: {id: id}\n", ""))
    with pytest.raises(SpecError):
        run(check(spec), Place(at=tmp_path / "run"), watch=lambda live: ())


def test_a_parquet_file_with_a_pickle_among_its_types_is_read_without_it(tmp_path, marker):
    (tmp_path / "t.parquet").write_bytes(parquet_of(Trap(marker)))
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("table.csv", "t.parquet").replace("    tags: {id: id}\n", ""))
    assert run(check(spec), Place(at=tmp_path / "run"), watch=lambda live: ()).status == "completed"


def legacy(trap):
    content = io.BytesIO()
    torch.save({"weight": trap}, content, _use_new_zipfile_serialization=False)
    return content.getvalue()


def zipped(trap):
    content = io.BytesIO()
    torch.save({"weight": trap}, content)
    return content.getvalue()


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.ckpt", "w.bin", "w.safetensors"])
@pytest.mark.parametrize("make", [pickle.dumps, legacy, zipped], ids=["pickle", "legacy", "zip"])
def test_weights_that_are_a_pickle_are_refused(tmp_path, marker, name, make):
    write_table(tmp_path)
    (tmp_path / name).write_bytes(make(Trap(marker)))
    spec = tmp_path / "spec.yaml"
    own = "use: torch.nn.Linear, with: {out_features: 1}"
    spec.write_text(SPEC.replace(own, f"{own}, weights: {{from: {name}}}"))
    with pytest.raises(SpecError) as refused:
        run(check(spec), Place(at=tmp_path / "run"), watch=lambda live: ())
    assert refused.value.diagnostics[0].code in ("wrong-weights", "wrong-value", "wrong-type")


@pytest.mark.parametrize("loader", ["torch.load", "torch.hub.load", "joblib.load", "pickle.load", "numpy.load"])
def test_no_spec_can_name_what_unpickles(tmp_path, loader):
    write_table(tmp_path)
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("torch.nn.Linear, with", f"{loader}, with", 1))
    assert not check(spec).is_valid


@pytest.mark.parametrize(
    "name", ["weights.safetensors", "optimizer.safetensors", "state.safetensors", "state.json", "estimators/pca.skops"]
)
def test_a_saved_state_with_a_pickle_in_it_is_refused_even_where_it_is_sealed(tmp_path, marker, name):
    (tmp_path / "spec.yaml").write_text(LONG.replace("epochs: 5", "epochs: 1"))
    folder = tmp_path / "run"
    begin(tmp_path / "spec.yaml", folder, after=3)
    saved = max(folder.glob("progress/[0-9]*"))
    (saved / name).write_bytes(pickle.dumps(Trap(marker)))
    assert resume(open_run(folder), watch=lambda live: ()).status == "completed"  # begun anew: it is known as damaged
    sealed = tmp_path / "sealed"
    begin(tmp_path / "spec.yaml", sealed, after=3)
    saved = max(sealed.glob("progress/[0-9]*"))
    (saved / name).write_bytes(pickle.dumps(Trap(marker)))
    seal(saved)
    assert CheckpointFolder(saved.parent).verify(saved.name)
    if name == "state.json":  # where it stands is not known: it begins anew
        assert resume(open_run(sealed), watch=lambda live: ()).status == "completed"
        return
    with pytest.raises(CannotResume, match="cannot be read"):
        resume(open_run(sealed), watch=lambda live: ())


def seal(folder):
    """Write the manifest anew, as an attacker would."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST):
        content = path.read_bytes()
        found[path.relative_to(folder).as_posix()] = {
            "size": len(content), "sha256": hashlib.sha256(content).hexdigest(),
        }  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps({"files": found}, indent=2, sort_keys=True) + "\n")
