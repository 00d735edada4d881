"""What a schema cannot say of conditions over time: counts, ratios, sequences, comparisons."""

from collections.abc import Iterator, Mapping

from alerts.rules.conditions import (
    Change,
    Compare,
    Count,
    EventSeen,
    Growth,
    Moment,
    Ratio,
    Reference,
    Sequence,
    Since,
    State,
    Threshold,
    Together,
    Unchanged,
)
from alerts.rules.signals import signals_of
from alerts.rules.simple_checks import (
    Check,
    Problem,
    any_change_problems,
    attribute_problems,
    beyond,
    events_problems,
    finite,
    longer,
    numeric,
    positive_problems,
    said,
    state_problems,
    threshold_problems,
    type_problems,
    unknown,
    value_problems,
)
from core.devices import DeviceKind
from core.durations import microseconds

_DAY = microseconds("1d")
_LIMITS = ("above_times", "below_times", "above_by", "below_by")


def count_problems(kind: DeviceKind, condition: Count) -> Iterator[Problem]:
    """Yield what is wrong with a count of events."""
    for path, text in events_problems(kind, condition.of):
        yield ("of", *path), text
    if condition.clear_below is not None and condition.clear_below > condition.at_least:
        yield (
            ("clear_below",),
            f"clear_below: {condition.clear_below}: expected {condition.at_least} at most, which is `at_least`",
        )
    yield from longer("within", condition.within, "30d")
    if microseconds(condition.repeat_after) > microseconds(condition.within):
        yield (
            ("repeat_after",),
            f"repeat_after: {condition.repeat_after}: expected `within` ({condition.within}) at most",
        )


def ratio_problems(kind: DeviceKind, condition: Ratio) -> Iterator[Problem]:
    """Yield what is wrong with a ratio of two counters."""
    for name in ("signal", "per"):
        signal = numeric(kind, getattr(condition, name))
        if isinstance(signal, str):
            yield (name,), signal
        elif not signal.counter:
            yield (name,), f"{signal.name} is no counter: expected one of {', '.join(_counters(kind))}"
    if condition.signal == condition.per:
        others = [name for name in _counters(kind) if name != condition.signal]
        yield ("per",), f"per: {condition.per} is the same counter: expected another, such as {', '.join(others)}"
    for name in ("above", "clear"):
        yield from positive_problems(name, getattr(condition, name), "finite number above 0")
    if condition.clear is not None and beyond(condition.clear, condition.above, above=True):
        yield (
            ("clear",),
            f"clear: {said(condition.clear)}: expected a ratio at or below `above` ({said(condition.above)})",
        )
    if not finite(condition.at_least):
        yield ("at_least",), f"at_least: {condition.at_least:g}: expected a finite number above 0"
    yield from longer("within", condition.within, "24h")


def sequence_problems(kind: DeviceKind, condition: Sequence) -> Iterator[Problem]:
    """Yield what is wrong with a sequence."""
    for index, step in enumerate(condition.steps):
        for path, text in _moment_problems(kind, step):
            yield ("steps", index, *path), text
        if isinstance(step, Threshold | State) and step.confirm is not None:
            yield ("steps", index, "confirm"), "a step is taken at the instant it becomes true: expected no `confirm`"
    yield from type_problems(kind, "without", condition.without)
    later = {name for step in condition.steps[1:] if isinstance(step, EventSeen) for name in step.types}
    for index, name in enumerate(condition.without):
        if name in later:
            yield ("without", index), f"{name} is a step and would undo the steps before it: expected another type"
    yield from longer("within", condition.within, "1h")
    yield from longer("hold_for", condition.hold_for, "30d")


def together_problems(kind: DeviceKind, condition: Together) -> Iterator[Problem]:
    """Yield what is wrong with a conjunction within a window."""
    for index, each in enumerate(condition.of):
        for path, text in _moment_problems(kind, each):
            yield ("of", index, *path), text
    yield from longer("within", condition.within, "1h")


def since_problems(kind: DeviceKind, condition: Since) -> Iterator[Problem]:
    """Yield what is wrong with a memory of order."""
    for name in ("after", "until"):
        for path, text in _moment_problems(kind, getattr(condition, name)):
            yield (name, *path), text
    if condition.after == condition.until:
        yield ("until",), "the same condition would begin and end it: expected another than in `after`"


def unchanged_problems(kind: DeviceKind, condition: Unchanged) -> Iterator[Problem]:
    """Yield what is wrong with a signal that stands still."""
    yield from value_problems(kind, condition.signal, "equals", [] if condition.equals is None else [condition.equals])
    if condition.while_changes not in (known := signals_of(kind)):
        yield ("while_changes",), unknown("signal", condition.while_changes, known, kind)
    elif condition.while_changes == condition.signal:
        yield ("while_changes",), f"{condition.signal} is the signal itself: expected one that should move it"
    yield from longer("for", condition.lasting, "30d")


def compare_problems(kind: DeviceKind, condition: Compare) -> Iterator[Problem]:
    """Yield what is wrong with a comparison."""
    if sum(each is not None for each in (condition.signal, condition.duration_of, condition.growth_of)) != 1:
        yield (), "a comparison needs exactly one of `signal`, `duration_of` and `growth_of`"
    if (condition.past is None) == (condition.peer is None):
        yield (), "a comparison needs exactly one of `past` and `with`: what to compare with"
    yield from _compared_problems(kind, condition)
    yield from _limit_problems(kind, condition)
    belongings = {"past": ("duration_of", "growth_of", "at_least_days", "over"), "peer": ("stale_after",)}
    for owner, names in belongings.items():
        for name in names:
            if getattr(condition, owner) is None and getattr(condition, name) is not None:
                yield (name,), f"`{name}` belongs to `{'with' if owner == 'peer' else owner}`: expected both"
    yield from _hour_problems(condition)
    if condition.past is not None:
        yield from _past_problems(condition.past, condition.at_least_days)
    yield from longer("stale_after", condition.stale_after, "1d")


def _moment_problems(kind: DeviceKind, condition: Moment) -> Iterator[Problem]:
    if isinstance(condition, Threshold):
        if condition.median_of is not None:
            yield ("median_of",), "a single value counts here: expected no `median_of`"
        for name in ("above", "below", "clear"):
            if isinstance(limit := getattr(condition, name), Reference):
                yield from attribute_problems(name, limit)
    if not isinstance(condition, EventSeen):
        yield from _MOMENT_CHECKS[type(condition)](kind, condition)
        return
    yield from events_problems(kind, condition)
    given = {name: getattr(condition, name) for name in ("clears_on", "resolve_after", "repeat_after", "until")}
    for name in [name for name, value in (given | {"while": condition.meanwhile}).items() if value]:
        yield (name,), f"an event counts here at the instant it comes: expected no `{name}`"


def _change_problems(kind: DeviceKind, condition: Change) -> Iterator[Problem]:
    if condition.by is None:
        yield ("by",), "a change by an amount is no moment: expected `by: any`"
    if condition.within is not None:
        yield ("within",), "a change counts here at the instant it comes: expected no `within`"
    yield from any_change_problems(kind, condition)


_MOMENT_CHECKS: Mapping[type, Check] = {
    Threshold: threshold_problems,
    State: state_problems,
    Change: _change_problems,
}


def _counters(kind: DeviceKind) -> list[str]:
    return [name for name, signal in sorted(signals_of(kind).items()) if signal.counter]


def _compared_problems(kind: DeviceKind, condition: Compare) -> Iterator[Problem]:
    if condition.signal is not None:
        signal = numeric(kind, condition.signal)
        if isinstance(signal, str):
            yield ("signal",), signal
        elif signal.counter:
            yield ("signal",), f"{signal.name} is a counter and only grows: expected a signal, or a `ratio` condition"
    if condition.growth_of is not None:
        yield from _growth_problems(kind, condition.growth_of)
    if (stay := condition.duration_of) is None:
        return
    known = signals_of(kind)
    if stay.signal in known and known[stay.signal].number:
        yield ("duration_of", "signal"), f"{stay.signal} is a number: expected a state such as door_state"
        return
    for path, text in value_problems(kind, stay.signal, "values", stay.values):
        yield ("duration_of", *path), text
    if stay.signal in known and set(known[stay.signal].choices) - {""} == set(stay.values):
        yield ("duration_of", "values"), f"{stay.signal} never leaves all of its values: expected some of them"


def _growth_problems(kind: DeviceKind, growth: Growth) -> Iterator[Problem]:
    counters = _counters(kind)
    for name in ("signal", "per"):
        if (given := getattr(growth, name)) not in counters:
            expected = f"expected one of {', '.join(counters)}" if counters else "this kind of device has none"
            yield ("growth_of", name), f"{given!r} is no counter of a {kind.value}: {expected}"
    if growth.signal == growth.per:
        yield ("growth_of", "per"), f"{growth.per} is compared with itself: expected another counter"


def _limit_problems(kind: DeviceKind, condition: Compare) -> Iterator[Problem]:
    given = [(name, limit) for name in _LIMITS if (limit := getattr(condition, name)) is not None]
    if len(given) != 1:
        yield (), f"a comparison needs exactly one of {', '.join(f'`{name}`' for name in _LIMITS)}"
        return
    ((name, limit),) = given
    yield from _one_limit_problems(name, limit)
    if name.endswith("_times") and condition.signal in signals_of(kind):
        low = signals_of(kind)[condition.signal].low
        if low is not None and low < 0:
            yield (
                (name,),
                f"{condition.signal} can be negative, so times mean nothing: expected `above_by` or `below_by`",
            )
    if (clear := condition.clear) is None:
        return
    if isinstance(clear, Reference):
        yield from attribute_problems("clear", clear)
    elif not finite(clear) or clear < 0:
        yield ("clear",), f"clear: {clear:g}: expected a finite number, 0 or above"
    if beyond(clear, limit, above=name != "below_times"):
        side = "at or above" if name == "below_times" else "at or below"
        yield ("clear",), f"clear: {said(clear)}: expected a value {side} `{name}` ({said(limit)})"


def _one_limit_problems(name: str, limit: float | Reference) -> Iterator[Problem]:
    yield from positive_problems(name, limit, "finite number above 0")
    if isinstance(limit, Reference) or not finite(limit):
        return
    if name == "above_times" and 0 < limit < 1:
        yield (name,), f"above_times: {limit:g} holds of a device that is as ever: expected 1 or more"
    if name == "below_times" and limit > 1:
        yield (name,), f"below_times: {limit:g} holds of a device that is as ever: expected 1 or less"


def _hour_problems(condition: Compare) -> Iterator[Problem]:
    if condition.by_hour and condition.past is None:
        yield ("by_hour",), "`by_hour` belongs to `past`: expected both"
    for name in ("duration_of", "growth_of"):
        if condition.by_hour and getattr(condition, name) is not None:
            yield ("by_hour",), f"`by_hour` compares values: expected `signal` in place of `{name}`"
    if condition.until_learned is not None and not condition.by_hour:
        yield ("until_learned",), "`until_learned` belongs to `by_hour`: expected both"


def _past_problems(past: str, at_least_days: int | None) -> Iterator[Problem]:
    days, rest = divmod(microseconds(past), _DAY)
    if rest or not 1 <= days <= 60:
        yield ("past",), f"past: {past}: expected whole days, 1d to 60d"
    elif at_least_days is None and days < 7:
        yield ("past",), f"past: {past} has no 7 days: expected 7d or more, or `at_least_days`"
    elif at_least_days is not None and at_least_days > days:
        yield ("at_least_days",), f"at_least_days: {at_least_days}: expected {days} at most, the days of `past`"


WINDOW_CHECKS: Mapping[type, Check] = {
    Count: count_problems,
    Ratio: ratio_problems,
    Sequence: sequence_problems,
    Together: together_problems,
    Since: since_problems,
    Unchanged: unchanged_problems,
    Compare: compare_problems,
}
"""The checks of this module, by the condition that each is for."""
