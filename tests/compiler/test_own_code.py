"""Code of the user's is checked by reading its source, and never imported."""

from __future__ import annotations

import sys

import pytest

from runexp.api.checking import check

SPEC = """\
extends: {base}
imports: [mylab]
callbacks: {{mine: {{use: {use}, with: {arguments}}}}}
phases: {{train: {{callbacks: [validate, stop, mine]}}}}
"""


@pytest.fixture
def codes(root, tmp_path):
    """The codes that a callback of the user's gives, what is not supported yet aside."""
    (tmp_path / "mylab").mkdir()
    (tmp_path / "mylab/__init__.py").write_text("raise SystemExit('imported')\n")
    source = (
        "class Noise:\n    def __init__(self, std: float, seed: int = 0): ...\n    def on_epoch_end(self, view): ...\n"
    )
    (tmp_path / "mylab/callbacks.py").write_text(source)

    def found(use: str, arguments: str = "{std: 1.0}") -> list[tuple[str, str]]:
        path = tmp_path / "spec.yaml"
        path.write_text(SPEC.format(base=root / "specs/quickstart.yaml", use=use, arguments=arguments))
        diagnostics = check(path).diagnostics
        assert "mylab" not in sys.modules
        return [(one.code, one.help) for one in diagnostics if one.code != "not-yet-supported"]

    return found


def test_a_class_with_the_right_arguments_is_fine(codes):
    assert codes("mylab.callbacks.Noise") == []


def test_a_wrong_argument_is_found_in_the_source(codes):
    ((code, hint),) = codes("mylab.callbacks.Noise", "{sdt: 1.0}")
    assert code == "unknown-parameter"
    assert "did you mean `std`?" in hint


def test_a_class_or_module_that_is_not_there_is_found(codes):
    assert codes("mylab.callbacks.Niose") == [("unknown-attribute", "did you mean `Noise`?")]
    assert [code for code, _ in codes("mylab.callback.Noise")] == ["unknown-module"]


def test_code_outside_of_imports_is_not_read(codes):
    ((code, hint),) = codes("elsewhere.Noise")
    assert code == "unknown-use"
    assert "`imports: [elsewhere]`" in hint
