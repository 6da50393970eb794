"""The shipped files against the libraries they describe."""

import importlib
import inspect
import warnings
from pathlib import Path

import pytest

from runexp.catalog import KINDS, lookup, names
from runexp.catalog.accepted_values import accepts
from runexp.catalog.libraries import LIBRARIES, SHIPPED, shipped_versions
from runexp.catalog.versions import installed_version

catalog = pytest.importorskip("runexp.runtime.catalog")

pytestmark = pytest.mark.slow

ENTRIES = [entry for kind in KINDS for name in names(kind) if (entry := lookup(name, kind)) and entry.target]
INSTALLED = [
    pytest.param(library, id=library.package)
    for library in LIBRARIES
    if library.is_own or installed_version(library.distribution) == shipped_versions().get(library.package, "-")
]


@pytest.mark.parametrize("library", INSTALLED)
def test_the_shipped_files_are_fresh(library):
    for kind, text in catalog.catalog_files(library).items():
        assert Path(SHIPPED, library.package, f"{kind}.json").read_text("utf-8") == text


def test_the_shipped_files_stay_small():
    assert sum(path.stat().st_size for path in Path(SHIPPED).rglob("*.json")) < 1 << 20


def resolved(entry):
    module, _, attribute = entry.target.partition(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_every_target_is_what_its_name_says_and_has_its_parameters(entry):
    if entry.target.startswith("torchmetrics") and installed_version("torchmetrics") is None:
        pytest.skip("torchmetrics is not installed")
    found = resolved(entry)
    assert found.__qualname__ == entry.target.partition(":")[2]
    taken = inspect.signature(found).parameters
    hidden = any(found.kind is found.VAR_KEYWORD for found in taken.values())
    named = {parameter.name for parameter in entry.parameters} | set(entry.fixed)
    assert hidden or named <= set(taken)


def test_recurrent_modules_can_be_made_from_their_listed_parameters():
    for name in ("torch.nn.LSTM", "torch.nn.GRU", "rnn"):
        entry = lookup(name, "module")
        given = {found.name: found.default for found in entry.parameters if found.has_plain_default}
        resolved(entry)(**given, input_size=2, hidden_size=3)


_TRIED = [
    None, 0, 1, 2, 7, -1, 0.0, 0.5, 1.0, 1.5, -0.5, 1e9, float("inf"), True, False, "auto", "nonsense", "",
    [], [1, 2], (0, 1), {}, {"a": 1},
]  # fmt: skip


def test_whatever_scikit_learn_accepts_the_catalog_accepts():
    """True for a number, a mapping for an array and a path for joblib's pickles are refused on purpose."""
    validation = importlib.import_module("sklearn.utils._param_validation")
    refused = []
    for entry in (entry for entry in ENTRIES if entry.target.startswith("sklearn")):
        constraints = vars(resolved(entry)).get("_parameter_constraints", {})
        for parameter in entry.parameters:
            listed = constraints.get(parameter.name)
            if not isinstance(listed, list) or parameter.name == "memory":
                continue
            rules = [validation.make_constraint(rule) for rule in listed]
            for value in _TRIED:
                taken = any(rule.is_satisfied_by(value) and not rule.hidden for rule in rules)
                if taken and not isinstance(value, bool | dict) and not accepts(parameter, value):
                    refused.append((entry.label, parameter.name, value))
    assert refused == [], refused


def test_what_the_catalog_refuses_the_losses_and_dropouts_of_torch_refuse_too():
    for name, arguments in [
        ("dropout", {"p": 1.5}),
        ("conv2d", {"in_channels": 0, "out_channels": -1, "kernel_size": 3}),
        ("embedding", {"num_embeddings": -1, "embedding_dim": 2}),
    ]:
        with pytest.raises((ValueError, RuntimeError)):
            resolved(lookup(name, "module"))(**arguments)


def test_an_unknown_version_is_written_to_the_cache_and_read_from_there(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    torch_library = LIBRARIES[0]
    generate = importlib.import_module("runexp.runtime.catalog.generate")
    monkeypatch.setattr(generate, "installed_version", lambda name: "99.0" if name == "torch" else None)
    (folder,) = generate.generate()
    assert folder == tmp_path / "runexp" / "catalog" / "torch-99.0"
    assert {path.stem for path in folder.iterdir()} == set(torch_library.kinds)
    assert [path.name for path in folder.parent.iterdir()] == ["torch-99.0"]
    assert generate.generate() == (folder,)
