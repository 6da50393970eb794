"""The environment that `make` builds takes no CUDA build of torch by accident."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

DEAD_PROXY = "http://127.0.0.1:9"

pytestmark = pytest.mark.slow


def _wheel(folder, name, version, *requires):
    """Write an empty wheel that pip can install."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {other}\n" for other in requires)
    with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def build(tmp_path, root):
    """Build an environment for a tiny package from a folder of wheels, with no way out to the network."""
    shutil.copytree(root / ".ci", tmp_path / ".ci")
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\n")
    (tmp_path / "wheels").mkdir()

    def run(*, torch_index):
        # Installing the package itself needs its build back end: these tests stop short of it.
        return subprocess.run(
            ["sh", ".ci/environment", sys.executable, "venv", "no-such-package"],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": str(tmp_path / "wheels"),
                "https_proxy": DEAD_PROXY,
                "TORCH_INDEX": torch_index,
            },
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def _installed(tmp_path):
    return {path.name.partition("-")[0] for path in tmp_path.glob("venv/lib/*/site-packages/*.dist-info")}


def test_a_torch_that_brings_cuda_is_refused_and_named(build, tmp_path):
    _wheel(tmp_path / "wheels", "torch", "2.13.0", "nvidia-cublas")
    _wheel(tmp_path / "wheels", "nvidia-cublas", "13.0")
    outcome = build(torch_index="auto")
    assert outcome.returncode == 1
    assert "CUDA" in outcome.stderr
    assert "TORCH_INDEX=" in outcome.stderr
    assert not {"torch", "nvidia_cublas"} & _installed(tmp_path)


def test_a_torch_that_brings_cuda_is_taken_on_request(build, tmp_path):
    _wheel(tmp_path / "wheels", "torch", "2.13.0", "nvidia-cublas")
    _wheel(tmp_path / "wheels", "nvidia-cublas", "13.0")
    build(torch_index="")
    assert {"torch", "nvidia_cublas"} <= _installed(tmp_path)


def test_the_cpu_build_is_what_the_exact_pin_takes_where_it_is_offered(build, tmp_path):
    _wheel(tmp_path / "wheels", "torch", "2.13.0+cpu")
    build(torch_index="auto")
    assert list(tmp_path.glob("venv/lib/*/site-packages/torch-2.13.0+cpu.dist-info"))
