"""Which version of a library the catalog describes."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from runexp.catalog.versions import installed_version

_SCRIPT = """
from runexp.catalog import lookup
entry = lookup("linear", "module")
print(entry.summary if entry else None)
"""


def summary_of_linear(site, cache):
    path = os.pathsep.join([str(site), *sys.path])
    env = {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, env=env)
    return done.stdout.strip()


@pytest.fixture
def site(tmp_path):
    (tmp_path / "site" / "torch-99.0.dist-info").mkdir(parents=True)
    return tmp_path / "site"


@pytest.mark.parametrize("distribution", ["torch", "scikit-learn", "ruamel.yaml", "PyYAML-nonexistent"])
def test_the_installed_version_is_found_as_importlib_finds_it(distribution):
    try:
        expected = version(distribution).partition("+")[0]
    except ModuleNotFoundError:
        expected = None
    assert installed_version(distribution) == expected


def test_another_versions_entries_are_read_from_the_cache(site, tmp_path):
    folder = tmp_path / "cache" / "runexp" / "catalog" / "torch-99.0"
    folder.mkdir(parents=True)
    (folder / "module.json").write_text(
        '{\n"torch.nn.Linear":{"target":"torch.nn:Linear","summary":"from the cache"}\n}\n'
    )
    assert summary_of_linear(site, tmp_path / "cache") == "from the cache"


def test_until_the_cache_is_there_the_shipped_entries_serve(site, tmp_path):
    assert summary_of_linear(site, tmp_path / "empty").startswith("Applies an affine")


def test_a_damaged_cache_is_not_used(site, tmp_path):
    folder = tmp_path / "cache" / "runexp" / "catalog" / "torch-99.0"
    folder.mkdir(parents=True)
    (folder / "module.json").write_bytes(b'{\n"torch.nn.Linear":{"targ')
    assert summary_of_linear(site, tmp_path / "cache").startswith("Applies an affine")


def test_the_shipped_version_needs_no_cache(tmp_path):
    folder = tmp_path / "cache" / "runexp" / "catalog" / f"torch-{installed_version('torch')}"
    folder.mkdir(parents=True)
    (folder / "module.json").write_text("{}")
    assert summary_of_linear(tmp_path, tmp_path / "cache").startswith("Applies an affine")
