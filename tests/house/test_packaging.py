"""What is published agrees with itself: versions, pins, public names, and what the wheel holds."""

from __future__ import annotations

import re
import tomllib
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import runexp


@pytest.fixture
def project(root):
    """The [project] table."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def pins(root):
    """Name → exact version of constraints.txt."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in found}


def test_every_dependency_is_pinned_inside_its_range(project, pins):
    extras = project["optional-dependencies"].values()
    wanted = [Requirement(line) for group in [project["dependencies"], *extras] for line in group]
    assert wanted
    outside = [
        str(requirement)
        for requirement in wanted
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ]
    assert outside == []


def test_pins_are_exact_sorted_and_carry_no_local_tag(root):
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert [line for line in pinned if not re.fullmatch(r"[A-Za-z0-9._-]+==[^+*]+", line)] == []
    names = [canonicalize_name(line.partition("==")[0]) for line in pinned]
    assert names == sorted(set(names))


def test_the_pythons_promised_are_the_pythons_classified(project):
    promised = SpecifierSet(project["requires-python"])
    for minor in range(9, 17):
        classifier = f"Programming Language :: Python :: 3.{minor}"
        assert (f"3.{minor}" in promised) == (classifier in project["classifiers"])


def test_the_changelog_opens_with_what_is_unreleased(root):
    headings = re.findall(r"^## \[(.+?)\]", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"


def test_public_names_are_sorted_and_there():
    names = getattr(runexp, "__all__", [])
    assert list(names) == sorted(names)
    assert [name for name in names if not hasattr(runexp, name)] == []


def test_the_wheel_holds_the_package_its_types_its_licence_and_its_command(root, run_python, tmp_path):
    outcome = run_python("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=root)
    assert outcome.returncode == 0, outcome.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"runexp-{runexp.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = f"runexp-{runexp.__version__}.dist-info"
        assert {"runexp/__init__.py", "runexp/py.typed", f"{info}/licenses/LICENSE"} <= names
        assert "runexp = runexp.cli:main" in archive.read(f"{info}/entry_points.txt").decode()
        assert {name.partition("/")[0] for name in names} == {"runexp", info}
