"""Numbers of the folds together: by fold, their spread and interval, curves, and two of them compared (S-46)."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from runexp.events import EpochFinished, FoldFinished, FoldStarted, PhaseFinished, PhaseStarted, RunFinished, RunStarted
from runexp.plan.values import FrozenMap
from runexp.results import NotComparable, Recorder, UnknownNameError
from runexp.results.student import quantile, two_sided

ACCURACIES = [0.8, 0.9, 0.7, 1.0]


def results(accuracies=ACCURACIES, *, order=None, n_train=30, n_held_out=10, failed=(), rows=""):
    """Folds of two epochs and a score, told in any order."""
    recorder = Recorder()
    recorder.receive(RunStarted("folded", 0, "", "cpu", ()))
    for fold in order or range(len(accuracies)):
        group = f"fold-{fold}"
        recorder.receive(FoldStarted(fold, group, f"group {fold}", len(accuracies), n_train, n_held_out, rows))
        recorder.receive(PhaseStarted(f"{group}/train", "train", "train", 30, 2, 1, 2))
        for epoch in range(2):
            metrics = FrozenMap({"train_loss": fold + epoch / 10, "val_loss": fold + epoch / 5})
            recorder.receive(EpochFinished(f"{group}/train", epoch, epoch + 1, metrics))
        if fold in failed:
            recorder.receive(FoldFinished(fold, group, "failed", "ValueError: no", f"{group}/train"))
            continue
        recorder.receive(PhaseStarted(f"{group}/score", "eval", "val", 10, 0, 1, 0))
        score = FrozenMap({"accuracy": accuracies[fold]})
        recorder.receive(PhaseFinished(f"{group}/score", "eval", "completed", "", 0, 0, score))
        recorder.receive(FoldFinished(fold, group, "completed"))
    recorder.receive(RunFinished("failed" if failed else "completed"))
    found = recorder.results().cv
    assert found is not None
    return found


def test_a_number_by_fold_has_a_mean_and_a_sample_standard_deviation():
    spread = results().spread("score.accuracy")
    assert (spread.n, spread.mean) == (4, pytest.approx(0.85))
    assert spread.std == pytest.approx(math.sqrt(sum((x - 0.85) ** 2 for x in ACCURACIES) / 3))


def test_the_interval_allows_for_training_rows_that_folds_share():
    """Nadeau and Bengio 2003: the variance of the mean is (1/k + held out/trained) times that of the folds."""
    spread = results().spread("score.accuracy")
    reach = stats.t.ppf(0.975, 3) * spread.std * math.sqrt(1 / 4 + 10 / 30)
    assert (spread.low, spread.high) == (pytest.approx(0.85 - reach), pytest.approx(0.85 + reach))


def test_a_single_fold_has_no_spread():
    spread = results([0.5]).spread("score.accuracy")
    assert (spread.mean, spread.std, spread.low, spread.high) == (0.5, None, None, None)


def test_the_order_in_which_folds_are_told_does_not_matter():
    there, back = results(), results(order=[3, 1, 0, 2])
    assert back.facts == there.facts
    assert back.numbers("score.accuracy") == there.numbers("score.accuracy")
    assert back.spreads() == there.spreads()


def test_curves_stand_by_fold_and_epoch():
    losses = results().validation_losses()
    assert losses.axes == ("fold", "epoch")
    assert losses.at(fold=2, epoch=1) == pytest.approx(2.2)
    assert results().epoch_losses().where(epoch=0).values() == [0, 1, 2, 3]
    assert losses.collapse("fold", "mean").values() == pytest.approx([1.5, 1.7])


def test_anything_can_be_collected_from_the_folds():
    found = results().collect(lambda fold: fold["score"].numbers["accuracy"])
    assert found.axes == ("fold",)
    assert found.values() == ACCURACIES


def test_a_fold_is_reached_by_number_and_by_label():
    assert results().get_fold(1)["score"].numbers == {"accuracy": 0.9}
    assert results().get_fold("fold-1")["score"].numbers == {"accuracy": 0.9}
    with pytest.raises(UnknownNameError, match="no fold `7`"):
        results().get_fold(7)


def test_a_fold_that_failed_is_left_out_of_what_it_did_not_measure():
    found = results(failed=[2])
    assert set(found.numbers("score.accuracy")) == {0, 1, 3}
    assert found.facts[2].status == "failed"
    assert found.facts[2].error == "ValueError: no"


def test_an_unknown_number_names_those_there_are():
    with pytest.raises(UnknownNameError, match=r"did you mean `score\.accuracy`"):
        results().spread("score.acuracy")


def test_two_cross_validations_are_compared_fold_by_fold():
    """The corrected resampled t-test: of the differences, with the same wider variance as the interval."""
    mine, theirs = results(), results([0.7, 0.85, 0.65, 0.9])
    differences = [0.1, 0.05, 0.05, 0.1]
    found = mine.compare(theirs, "score.accuracy")
    deviation = math.sqrt(sum((x - 0.075) ** 2 for x in differences) / 3)
    t = 0.075 / (deviation * math.sqrt(1 / 4 + 1 / 3))
    assert (found.n, found.difference, found.t) == (4, pytest.approx(0.075), pytest.approx(t))
    assert found.p == pytest.approx(2 * stats.t.sf(t, 3))


def test_the_comparison_has_an_interval_as_the_numbers_have():
    found = results().compare(results([0.7, 0.85, 0.65, 0.9]), "score.accuracy")
    deviation = math.sqrt(sum((x - 0.075) ** 2 for x in [0.1, 0.05, 0.05, 0.1]) / 3)
    reach = stats.t.ppf(0.975, 3) * deviation * math.sqrt(1 / 4 + 1 / 3)
    assert (found.low, found.high) == (pytest.approx(0.075 - reach), pytest.approx(0.075 + reach))
    other = results([0.7, 0.85, 0.65, 0.9]).compare(results(), "score.accuracy")
    assert (other.difference, other.t, other.p) == (-found.difference, -found.t, found.p)


def test_the_same_numbers_differ_by_nothing():
    found = results().compare(results(), "score.accuracy")
    assert (found.difference, found.t, found.p, found.low, found.high) == (0, 0, 1, 0, 0)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        pytest.param({"accuracies": [0.7, 0.8, 0.9]}, "4 folds in one and 3 in the other", id="fewer"),
        pytest.param({"n_held_out": 11}, "fold 0 holds out other rows", id="larger"),
        pytest.param({"rows": "beef"}, "fold 0 holds out other rows, or of another pool", id="other-rows"),
        pytest.param({"failed": [2]}, "fold 2 has `score.accuracy` in one of them alone", id="failed"),
        pytest.param({"accuracies": [0.7, 0.8, math.nan, 1]}, "not finite in a fold", id="not-finite"),
    ],
)
def test_other_folds_are_refused_with_the_reason(other, reason):
    with pytest.raises(NotComparable, match=reason):
        results(rows="cafe").compare(results(**{"rows": "cafe"} | other), "score.accuracy")


def test_all_numbers_are_compared_at_once_and_those_that_a_fold_lacks_left_out():
    whole, failed = results(), results(failed=[2])
    trained = ["train.train_loss", "train.val_loss"]
    assert list(whole.compare_all(results([0.7, 0.8, 0.9, 0.7]))) == [*trained, "score.accuracy"]
    assert list(failed.compare_all(whole)) == trained


@pytest.mark.parametrize("freedom", [1, 2, 4, 9, 49])
def test_students_distribution_is_that_of_scipy(freedom):
    assert quantile(0.95, freedom) == pytest.approx(stats.t.ppf(0.975, freedom))
    for t in (0.0, 0.3, 1.7, 12.0):
        assert two_sided(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom))


def test_a_table_of_all_numbers_is_what_one_sees():
    shown = repr(results())
    assert shown.splitlines()[0] == "CVResults: 4 folds"
    assert "score.accuracy" in shown and "0.85" in shown
    assert "<table>" in results()._repr_html_()
