"""runexp's own learning-rate schedules, each a factor on the optimizer's `lr`, by step of the phase."""

from __future__ import annotations

from runexp.catalog.entry import Entry, Json, Parameter, Range

_COUNT = Range("int", 0)
_RATIO = Range("real", 0, 1)
_POSITIVE_RATIO = Range("real", 0, 1, includes_minimum=False)


def _whole(name: str, default: int | None, summary: str, least: int = 0) -> Parameter:
    return _number("int", name, default, (Range("int", least),), summary)


def _ratio(name: str, default: float | None, summary: str, span: Range = _RATIO) -> Parameter:
    return _number("float", name, default, (span,), summary)


def _number(word: str, name: str, default: float | None, ranges: tuple[Range, ...], summary: str) -> Parameter:
    required = default is None
    text = "" if required else repr(default)
    return Parameter(name, required, default, text, (word,), (), ranges, summary)


_WARMUP = (
    _whole("warmup_steps", 0, "steps over which the rate rises linearly to its full value"),
    _whole("warmup_epochs", 0, "the same in epochs; give one of the two"),
)
_FACTOR = _number("float", "factor", 0.1, (Range("real", 0, includes_minimum=False),), "what the rate is multiplied by")
_MIN_RATIO = _ratio("min_ratio", 0.0, "the lowest rate, as a part of the full one")


def _schedule(name: str, summary: str, *parameters: Parameter, **traits: Json) -> Entry:
    return Entry(name, "", "schedule", summary, parameters, short=(name,), traits={"own": True, **traits})


SCHEDULES = {
    entry.name: entry
    for entry in (
        _schedule("constant", "The full rate, after the warm-up.", *_WARMUP),
        _schedule("linear", "Falls in a straight line to the lowest rate.", *_WARMUP, _MIN_RATIO),
        _schedule("cosine", "Falls along half a cosine to the lowest rate.", *_WARMUP, _MIN_RATIO),
        _schedule(
            "cosine_restarts",
            "Falls along half a cosine again and again, each time from the full rate.",
            *_WARMUP,
            _MIN_RATIO,
            _whole("n_cycles", 2, "how many times it falls", least=1),
            _number(
                "float",
                "growth",
                1.0,
                (Range("real", 1),),
                "how much longer each cycle is than the one before",
            ),
        ),
        _schedule(
            "one_cycle",
            "Rises from a twenty-fifth of the rate to the full one, then falls far below where it began.",
            *_WARMUP,
            _ratio("peak_at", 0.3, "the part of the phase at which the peak stands"),
            _MIN_RATIO,
        ),
        _schedule(
            "plateau",
            "Falls by a factor whenever a metric has stopped getting better.",
            *_WARMUP,
            _MIN_RATIO,
            Parameter("monitor", True, None, "", ("str",), (), (), "the metric that is watched, such as val_loss"),
            Parameter(
                "mode", False, None, "None", ("str", "none"), ("min", "max"), (), "left out: known from the metric"
            ),
            _FACTOR,
            _whole("patience", 10, "evaluations without an improvement before the rate falls"),
            _number("float", "threshold", 1e-4, (Range("real", 0),), "the least relative change that improves"),
            _whole("cooldown", 0, "evaluations that do not count after a fall"),
            steps_on="metric",
        ),
        _schedule(
            "step",
            "Falls by a factor every so many epochs.",
            *_WARMUP,
            _whole("every_n_epochs", 1, "epochs between two falls", least=1),
            _FACTOR,
            _MIN_RATIO,
        ),
        _schedule(
            "exponential",
            "Is multiplied by a factor every epoch, or every so many.",
            *_WARMUP,
            _FACTOR,
            _MIN_RATIO,
            _whole("every_n_epochs", 1, "epochs between two falls", least=1),
        ),
        _schedule(
            "polynomial",
            "Falls along a power of the part of the phase that is left.",
            *_WARMUP,
            _MIN_RATIO,
            _number("float", "power", 1.0, (Range("real", 0, includes_minimum=False),), "1 is a straight line"),
        ),
    )
}
