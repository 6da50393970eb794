"""Reading the signature of a user's code without importing it."""

import os

import pytest

from runexp.catalog import Entry, SignatureProblem, check_arguments, read_signature

MODELS = '''
"""Never imported."""
raise SystemExit("imported!")
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Optional, Union
import torch
from elsewhere import Something
from .parts import Part as Piece

class Encoder(torch.nn.Module):
    """Encodes spectra.

    Args:
        width (int): channels of each block
    """
    def __init__(
        self, width: int, depth: int = 2, *, mode: Literal["a", "b"] = "a", rate: float | None = None
    ): ...

class Deeper(Encoder):
    pass

class Foreign(torch.nn.Module):
    pass

class Plain:
    pass

class Loose:
    def __init__(self, a, **rest): ...

@dataclass
class Options:
    size: int
    rate: float = 0.1
    names: list[str] = field(default_factory=list)
    hidden: int = field(default=0, init=False)
    count: ClassVar[int] = 0

@dataclass(frozen=True)
class MoreOptions(Options):
    extra: str = "x"

@register
class Registered:
    def __init__(self, a): ...

class Made:
    def __new__(cls, *args): ...

def build(width: "int", activation: Optional[str] = None, *, scale: Union[int, str] = 1):
    """Build it."""

@wrapped
def decorated(a): ...

class Outer:
    class Inner:
        def __init__(self, depth: int): ...

def twice(a): ...
twice = wrapped(twice)

if CONDITION:
    def either(a): ...
else:
    def either(b): ...
'''


@pytest.fixture
def root(tmp_path):
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("from .models import Encoder\nfrom . import models\n")
    (package / "models.py").write_text(MODELS)
    (package / "parts.py").write_text("class Part:\n    def __init__(self, n: int): ...\n")
    (package / "broken.py").write_text("def x(:\n")
    (package / "open.py").write_text("from nowhere import *\n")
    return tmp_path


def read(root, target):
    return read_signature(target, [root])


def shape(entry):
    return [(found.name, found.required, found.types) for found in entry.parameters]


def test_a_class_has_the_parameters_of_its_init(root):
    entry = read(root, "shop.models:Encoder")
    assert entry.kind == "user"
    assert (entry.target, entry.summary) == ("shop.models:Encoder", "Encodes spectra")
    assert shape(entry) == [
        ("width", True, ("int",)),
        ("depth", False, ("int",)),
        ("mode", False, ("str",)),
        ("rate", False, ("float", "none")),
    ]
    assert entry.parameter("mode").choices == ("a", "b")
    assert entry.parameter("depth").default == 2
    assert entry.parameter("width").summary == "channels of each block"


def test_a_dotted_path_reads_like_one_with_a_colon(root):
    assert read(root, "shop.models.Encoder") == read(root, "shop.models:Encoder")


def test_a_read_signature_finds_wrong_arguments(root):
    found = check_arguments(read(root, "shop.models:Encoder"), {"widht": 3, "depth": "two", "mode": "c"})
    assert [(problem.code, problem.parameter) for problem in found] == [
        ("unknown-parameter", "widht"),
        ("bad-value", "depth"),
        ("bad-value", "mode"),
    ]


@pytest.mark.parametrize(
    ("target", "names", "accepts_any"),
    [
        pytest.param("shop.models:Deeper", ["width", "depth", "mode", "rate"], False, id="base in the file"),
        pytest.param("shop.models:Foreign", [], True, id="base out of sight"),
        pytest.param("shop.models:Plain", [], False, id="no init"),
        pytest.param("shop.models:Loose", ["a"], True, id="keyword arguments"),
        pytest.param("shop.models:Options", ["size", "rate", "names"], False, id="dataclass"),
        pytest.param("shop.models:MoreOptions", ["size", "rate", "names", "extra"], False, id="two dataclasses"),
        pytest.param("shop.models:Registered", [], True, id="decorated class"),
        pytest.param("shop.models:Made", [], True, id="makes itself"),
        pytest.param("shop.models:build", ["width", "activation", "scale"], False, id="function"),
        pytest.param("shop.models:decorated", [], True, id="decorated function"),
        pytest.param("shop.models:Outer.Inner", ["depth"], False, id="nested class"),
        pytest.param("shop.models:Piece", ["n"], False, id="imported under another name"),
        pytest.param("shop:Encoder", ["width", "depth", "mode", "rate"], False, id="re-exported"),
    ],
)
def test_parameters_are_read_as_far_as_they_can_be_known(root, target, names, accepts_any):
    entry = read(root, target)
    assert [found.name for found in entry.parameters] == names
    assert entry.accepts_any is accepts_any


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("shop.models:twice", id="assigned again"),
        pytest.param("shop.models:either", id="defined twice under a condition"),
        pytest.param("shop.models:Something", id="imported from elsewhere"),
        pytest.param("shop.models:torch", id="a module"),
        pytest.param("shop.open:anything", id="import *"),
        pytest.param("math:sqrt", id="compiled"),
        pytest.param("sys:path", id="built in"),
    ],
)
def test_what_cannot_be_known_is_not_judged(root, target):
    assert read(root, target) is None


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("shop.models:Encodre", "unknown-attribute"),
        ("shop.model:Encoder", "unknown-module"),
        ("no_such_package_at_all.x:Y", "unknown-module"),
        ("shop.broken:x", "unreadable-module"),
        ("shop.models", "unknown-module"),
        ("../etc/passwd:x", "invalid-target"),
        ("shop..models:x", "invalid-target"),
        ("Encoder", "invalid-target"),
        ("", "invalid-target"),
        (":", "invalid-target"),
    ],
)
def test_a_name_that_is_not_there_is_explained(root, target, code):
    if target == "shop.models":
        target = "shopp.models"
    problem = read(root, target)
    assert isinstance(problem, SignatureProblem)
    assert problem.code == code


def test_the_nearest_name_and_the_file_are_given(root):
    problem = read(root, "shop.models:Encodre")
    assert problem.help.startswith("did you mean `Encoder`?")
    assert problem.file == str(root / "shop" / "models.py")


def test_a_fifo_or_a_huge_file_does_not_stop_the_reader(root):
    os.mkfifo(root / "pipe.py")
    (root / "huge.py").write_text("x = 1\n" * 300_000)
    assert read(root, "pipe:x").code == "unknown-module"
    assert read(root, "huge:x") is None


def test_deep_nesting_does_not_crash_the_reader(root):
    (root / "deep.py").write_text("x = " + "(" * 5_000 + ")" * 5_000)
    answer = read(root, "deep:x")
    assert answer is None or isinstance(answer, SignatureProblem)


def test_names_that_import_each_other_in_a_circle_are_not_judged(root):
    (root / "one.py").write_text("from two import thing\n")
    (root / "two.py").write_text("from one import thing\n")
    assert read(root, "one:thing") is None


def test_a_class_that_inherits_from_itself_takes_anything(root):
    (root / "loop.py").write_text("class A(B): pass\nclass B(A): pass\n")
    entry = read(root, "loop:A")
    assert isinstance(entry, Entry)
    assert entry.accepts_any
