"""The pump carries events to sinks, and every run ends in one terminal event."""

from __future__ import annotations

import pytest

from observe.cases import Clock, Recorder, short_run
from runexp.events import BatchFinished, EpochFinished, EpochStarted, RunFinished, WarningRaised
from runexp.observe.pump import pump
from runexp.observe.sink import subscribed
from runexp.plan.values import FrozenMap


class Broken(Recorder):
    """Raises at the events of one kind, or when it is closed."""

    def __init__(self, *, at=None, error=None, when_closed=None, wants=frozenset()):
        super().__init__(wants)
        self.at, self.error, self.when_closed = at, error, when_closed

    def receive(self, stamped):
        super().receive(stamped)
        if self.at is not None and isinstance(stamped.event, self.at):
            raise self.error

    def close(self):
        super().close()
        if self.when_closed is not None:
            raise self.when_closed


def warnings_of(sink):
    return [event.message for event in sink.events if isinstance(event, WarningRaised)]


def test_every_event_is_numbered_and_stamped_in_order():
    sink = Recorder()
    pump(short_run(), [sink], clock=Clock(now=100.0, step=0.5))
    assert sink.events == list(short_run())
    assert [stamped.sequence for stamped in sink.received] == list(range(len(sink.received)))
    assert [stamped.time for stamped in sink.received[:3]] == [100.5, 101.0, 101.5]


def test_the_terminal_event_is_returned_and_every_sink_closed_once():
    sinks = [Recorder(), Recorder()]
    assert pump(short_run(), sinks) == RunFinished("completed")
    assert [sink.n_closed for sink in sinks] == [1, 1]


def test_a_sink_receives_what_it_wants_and_batches_only_if_it_asks():
    batch = BatchFinished("train", 0, 0, FrozenMap({"loss": 1.0}))
    epochs, batches, rest = (
        Recorder(frozenset({EpochFinished})),
        Recorder(frozenset({BatchFinished})),
        Recorder(),
    )
    pump(iter([EpochStarted("train", 0), batch, RunFinished("completed")]), [epochs, batches, rest])
    assert epochs.events == []
    assert batches.events == [batch]
    assert rest.events == [EpochStarted("train", 0), RunFinished("completed")]


def test_batches_need_not_be_built_where_nobody_asks_for_them():
    assert BatchFinished not in subscribed([Recorder(), Recorder(frozenset({EpochFinished}))])
    assert EpochFinished in subscribed([Recorder()])
    assert subscribed([Recorder(frozenset({BatchFinished}))]) == {BatchFinished}
    assert subscribed([]) == frozenset()


def test_a_crashing_sink_is_left_out_and_the_others_hear_of_it_once():
    broken, sink = Broken(at=EpochStarted, error=ValueError("a bad day")), Recorder()
    assert pump(short_run(), [broken, sink], alarm=pytest.fail) == RunFinished("completed")
    assert warnings_of(sink) == ["Broken failed, the run goes on without it: ValueError: a bad day"]
    assert [event for event in sink.events if not isinstance(event, WarningRaised)] == list(short_run())
    assert [stamped.sequence for stamped in sink.received] == list(range(len(sink.received)))
    assert isinstance(broken.events[-1], EpochStarted)
    assert broken.n_closed == 1


def test_a_sink_that_crashes_on_the_news_of_a_crash_is_left_out_too():
    first = Broken(at=EpochStarted, error=ValueError("one"))
    second = Broken(at=WarningRaised, error=ValueError("two"))
    sink = Recorder()
    pump(short_run(), [first, second, sink], alarm=pytest.fail)
    assert [message[-3:] for message in warnings_of(sink)] == ["one", "two"]


def test_what_no_sink_can_hear_goes_to_standard_error(capsys):
    pump(short_run(), [Broken(at=EpochStarted, error=OSError("disk\x1b[31m full"))])
    assert capsys.readouterr().err == ("warning: Broken failed, the run goes on without it: OSError: disk?[31m full\n")


def test_a_sink_that_cannot_finish_is_on_record_before_the_end():
    table = Broken(when_closed=OSError("disk full"), wants=frozenset({EpochFinished}))
    log = Recorder()
    pump(short_run(), [log, table], alarm=pytest.fail)
    assert isinstance(log.events[-2], WarningRaised)
    assert log.events[-1] == RunFinished("completed")
    assert table.n_closed == 1


def test_nothing_follows_the_terminal_event():
    alarms = []
    failing = Broken(at=RunFinished, error=OSError("disk full"), when_closed=OSError("again"))
    unfinished, sink = Broken(when_closed=OSError("no")), Recorder()
    pump(short_run(), [failing, unfinished, sink], alarm=alarms.append)
    assert sink.events == list(short_run())
    assert alarms == [
        "Broken failed, the run goes on without it: OSError: disk full",
        "Broken could not finish: OSError: no",
    ]
    assert [failing.n_closed, unfinished.n_closed, sink.n_closed] == [1, 1, 1]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        pytest.param(ZeroDivisionError("by zero"), "failed", id="fault"),
        pytest.param(KeyboardInterrupt(), "interrupted", id="ctrl-c"),
        pytest.param(SystemExit(143), "interrupted", id="exit"),
        pytest.param(GeneratorExit(), "interrupted", id="generator"),
    ],
)
def test_an_engine_that_breaks_ends_the_run_and_closes_the_sinks(reason, status):
    def engine():
        yield EpochStarted("train", 0)
        raise reason

    sink = Recorder()
    with pytest.raises(type(reason)):
        pump(engine(), [Broken(when_closed=ValueError()), sink])
    assert [type(event) for event in sink.events] == [EpochStarted, RunFinished]
    assert sink.events[-1].status == status
    assert type(reason).__name__ in sink.events[-1].error
    assert sink.n_closed == 1


def test_an_engine_that_stops_without_a_terminal_event_is_a_fault():
    sink = Recorder()
    with pytest.raises(RuntimeError, match="without a terminal event"):
        pump(iter([EpochStarted("train", 0)]), [sink])
    assert sink.events[-1].status == "failed"


def test_a_ctrl_c_that_hits_a_sink_reaches_the_engine_which_ends_the_run():
    def engine():
        try:
            yield EpochStarted("train", 0)
        except KeyboardInterrupt:
            yield RunFinished("interrupted", where="train")

    hit, sink = Broken(at=EpochStarted, error=KeyboardInterrupt()), Recorder()
    assert pump(engine(), [hit, sink]) == RunFinished("interrupted", where="train")
    assert sink.events == [RunFinished("interrupted", where="train")]
    assert [hit.n_closed, sink.n_closed] == [1, 1]


def test_a_second_ctrl_c_leaves_at_once_and_closes_what_is_open():
    def engine():
        try:
            yield EpochStarted("train", 0)
        finally:
            left.append("engine")

    left = []
    hit, sink = (
        Broken(at=EpochStarted, error=KeyboardInterrupt(), when_closed=KeyboardInterrupt()),
        Recorder(),
    )
    with pytest.raises(KeyboardInterrupt):
        pump(engine(), [hit, sink])
    assert left == ["engine"]
    assert sink.n_closed == 1
    assert sink.events == [RunFinished("interrupted", "KeyboardInterrupt")]


def test_the_engine_is_left_before_the_sinks_are_closed():
    order = []

    def engine():
        try:
            yield RunFinished("completed")
        finally:
            order.append("engine")

    class Closing(Recorder):
        def close(self):
            order.append("sink")

    pump(engine(), [Closing()])
    assert order == ["engine", "sink"]


def stoppable_run(heard):
    """An engine that hears of what is thrown at it, and ends as failed."""
    try:
        yield EpochStarted("train", 0)
        yield EpochStarted("train", 1)
        yield RunFinished("completed")
    except OSError as error:
        heard.append(error)
        yield RunFinished("failed", str(error))


def test_the_run_fails_with_a_sink_that_it_cannot_do_without():
    heard, lost = [], OSError(28, "full")
    broken, other = Broken(at=EpochStarted, error=lost), Recorder()
    assert pump(stoppable_run(heard), [broken, other], needed=[broken]).status == "failed"
    assert heard == [lost]
    assert [type(event) for event in other.events] == [EpochStarted, RunFinished]
    assert warnings_of(other) == []


@pytest.mark.parametrize("when", ["closed", "end"])
def test_a_needed_sink_that_cannot_finish_fails_a_run_that_was_complete(when):
    lost = OSError(28, "full")
    broken = Broken(when_closed=lost, wants=frozenset({EpochStarted}))
    if when == "end":
        broken = Broken(at=RunFinished, error=lost)
    other = Recorder()
    with pytest.raises(OSError, match="full"):
        pump(stoppable_run([]), [broken, other], needed=[broken])
    assert [event.status for event in other.events if isinstance(event, RunFinished)] == ["failed"]
