"""Settings of torch that hold for a run: determinism (S-50), a compiler."""

import pytest
import torch

from runexp.api.checking import check
from runexp.api.running import Place
from runexp.api.running import run as run_spec
from runexp.diagnostics import SpecError
from runexp.runtime import settings
from runtime.tables import HEAD, opened, run, weights, write_table
from runtime.test_training import NET, train


def test_determinism_holds_for_the_run_and_is_put_back_afterwards(tmp_path):
    write_table(tmp_path)
    path = tmp_path / "spec.yaml"
    head = HEAD.replace("threads: 1}", "threads: 1, deterministic: true}")
    path.write_text(head + NET + train("epochs: 1"), encoding="utf-8")
    seen = []

    def watch(live):
        seen.append((torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic))
        return ()

    assert run_spec(check(path), Place(at=tmp_path / "run"), watch=watch).status == "completed"
    assert seen == [(True, True)]
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.deterministic


def test_a_compiler_that_does_not_work_is_told_before_anything_runs(tmp_path, monkeypatch):
    def fails(function):
        raise RuntimeError("no C++ compiler found")

    monkeypatch.setattr(settings.torch, "compile", fails)
    with pytest.raises(SpecError) as refused:
        opened(tmp_path, NET + train("epochs: 1"), head=HEAD.replace("threads: 1}", "threads: 1, compile: true}"))
    (found,) = refused.value.diagnostics
    assert found.path == "execution.compile"
    assert "no C++ compiler found" in found.message


@pytest.mark.slow
def test_compiled_nodes_train_to_the_same_weights_under_the_same_names(tmp_path):
    try:
        settings.check_compiler(torch.device("cpu"))
    except SpecError as error:
        pytest.skip(str(error))
    found = []
    for asked in ("", ", compile: true"):
        head = HEAD.replace("threads: 1}", f"threads: 1{asked}}}")
        plan, runtime = opened(tmp_path, NET + train("epochs: 1"), head=head)
        run(plan, runtime)
        found.append(weights(runtime))
    assert found[0].keys() == found[1].keys()
    assert all(torch.allclose(found[0][key], found[1][key], atol=1e-5) for key in found[0])
