import math

import pytest

from runexp.results import MetricStore, Reading, UnknownNameError

NAN = math.nan


def store_of(values, name="val_loss"):
    store = MetricStore()
    for epoch, value in enumerate(values):
        store.log(name, value, epoch, (epoch + 1) * 10)
    return store


def test_latest_history_and_epochs_are_what_was_logged():
    store = store_of([3.0, 1.0, 2.0])
    assert store.latest("val_loss") == 2.0
    assert store.history("val_loss") == (Reading(3.0, 0, 10), Reading(1.0, 1, 20), Reading(2.0, 2, 30))
    assert store.at("val_loss", 1) == 1.0
    assert store.names() == ("val_loss",)
    assert store.series("val_loss").collapse("epoch", "min").item() == 1.0


@pytest.mark.parametrize(
    ("values", "mode", "best"),
    [
        pytest.param([3.0, 1.0, 2.0], "min", Reading(1.0, 1, 20), id="lowest"),
        pytest.param([3.0, 1.0, 2.0], "max", Reading(3.0, 0, 10), id="highest"),
        pytest.param([NAN, 2.0, NAN], "min", Reading(2.0, 1, 20), id="nan is never lowest"),
        pytest.param([NAN, 2.0, NAN], "max", Reading(2.0, 1, 20), id="nan is never highest"),
        pytest.param([1.0, 1.0], "min", Reading(1.0, 0, 10), id="the first of equals"),
        pytest.param([NAN], "min", None, id="nothing but nan"),
    ],
)
def test_the_best_is_the_first_to_reach_the_extreme(values, mode, best):
    assert store_of(values).best("val_loss", mode) == best


def test_logging_twice_at_one_step_keeps_the_newer():
    store = store_of([1.0])
    store.log("val_loss", 5.0, 0, 10)
    assert store.history("val_loss") == (Reading(5.0, 0, 10),)


def test_an_unknown_metric_or_epoch_says_what_there_is():
    store = store_of([1.0, 2.0])
    with pytest.raises(UnknownNameError, match="did you mean `val_loss`"):
        store.latest("val_los")
    with pytest.raises(UnknownNameError, match="measured in epochs 0, 1"):
        store.at("val_loss", 9)
