"""What a schema cannot say of conditions on one signal, on events and on silence."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from alerts.rules.conditions import (
    Change,
    Events,
    EventSeen,
    Limit,
    Missing,
    Rate,
    Reference,
    Rhythm,
    Scalar,
    State,
    Threshold,
)
from alerts.rules.signals import Signal, event_fields, signals_of
from core.devices import Channel, DeviceKind
from core.durations import microseconds
from core.source import Path

Problem = tuple[Path, str]
"""Where in the rule, and what is wrong with what was expected."""
Check = Callable[[DeviceKind, Any], Iterator[Problem]]
"""Yields what is wrong with a condition of one kind, on devices of a kind."""

_FAULT_FILTERS = ("severities", "kinds", "not_kinds")
_WITH_PARTS = (DeviceKind.GATE, DeviceKind.THERMAL)
# The units that names end with, ours and those a person may think of; an attribute in another one cannot be meant.
_UNITS = frozenset(
    {"celsius", "fahrenheit", "kelvin", "kilograms", "grams", "tonnes", "pounds", "mps", "kmh"}
    | {"metres", "millimetres", "feet", "seconds", "milliseconds", "minutes", "hours"}
)


def unknown(what: str, name: str, known: Mapping[str, Signal], kind: DeviceKind) -> str:
    """Return what to say of a name that is none of ``known``; one that differs in its unit alone is named first."""
    stem = name.rpartition("_")[0]
    same = [each for each in sorted(known) if stem and each.rpartition("_")[0] == stem]
    first = f"expected {same[0]} (mind the unit), or one of " if same else "expected one of "
    expected = f"{first}{', '.join(sorted(known))}" if known else "this kind of device has none"
    return f"{what} {name!r} is unknown for {kind.value}: {expected}"


def numeric(kind: DeviceKind, name: str) -> Signal | str:
    """Return the signal, or what is wrong with using ``name`` as a number."""
    known = signals_of(kind)
    if name not in known:
        return unknown("signal", name, known, kind)
    return known[name] if known[name].number else f"signal {name!r} is not a number: expected a `state` condition"


def longer(name: str, duration: str | None, at_most: str) -> Iterator[Problem]:
    """Yield the problem of a duration beyond ``at_most``."""
    if microseconds(duration) > microseconds(at_most):
        yield (name,), f"{name}: {duration}: expected {at_most} at most"


def limit_problems(kind: DeviceKind, name: str, limit: Limit, signal: Signal) -> Iterator[Problem]:
    """Yield what is wrong with a limit for ``signal`` that stands under ``name``."""
    if not isinstance(limit, Reference):
        if (expected := signal.objection(limit)) is not None:
            yield (name,), f"{name}: {limit:g}: expected {expected}"
        return
    yield from reference_problems(name, limit)
    key, what = ("attribute", limit.attribute) if limit.signal is None else ("signal", limit.signal)
    if key == "signal" and isinstance(other := numeric(kind, what or ""), str):
        yield (name, key), other
        return
    if what == signal.name:
        yield (name, key), f"{what} is compared with itself: expected another signal"
    unit, expected_unit = (what or "").rpartition("_")[2], signal.name.rpartition("_")[2]
    if {unit, expected_unit} <= _UNITS and unit != expected_unit:
        article = "an attribute" if key == "attribute" else "a signal"
        yield (name, key), f"{what} is in {unit}: expected {article} in {expected_unit}"
    if limit.otherwise is not None and (expected := signal.objection(limit.otherwise)) is not None:
        yield (name, "otherwise"), f"otherwise: {limit.otherwise:g}: expected {expected}"


def reference_problems(name: str, limit: Reference) -> Iterator[Problem]:
    """Yield what is wrong with a limit that hangs on the device, whatever it is compared with."""
    if (limit.attribute is None) == (limit.signal is None):
        yield (name,), f"{name}: expected exactly one of `attribute` and `signal`"
        return
    for key in ("times", "plus", "otherwise"):
        value = getattr(limit, key)
        if value is not None and not finite(value):
            yield (name, key), f"{key}: {value:g}: expected a finite number"
    if limit.times == 0:
        yield (name, "times"), f"times: 0 leaves nothing of {said(limit)}: expected another factor"


def attribute_problems(name: str, limit: Reference) -> Iterator[Problem]:
    """Yield what is wrong with a limit that hangs on the device, where only an attribute can stand."""
    yield from reference_problems(name, limit)
    if limit.signal is not None:
        yield (name, "signal"), "only a `threshold` by itself compares with a signal: expected a number or `attribute`"


def finite(value: float) -> bool:
    """Tell whether ``value`` is neither infinite nor not a number."""
    return value - value == 0


def beyond(clear: Limit | None, limit: Limit, *, above: bool) -> bool:
    """Tell whether ``clear`` lies on the far side of ``limit``, as far as that can be told without a device."""
    if isinstance(clear, Reference) and isinstance(limit, Reference):
        if (clear.attribute, clear.signal) != (limit.attribute, limit.signal):
            return False
        pairs = [pair for pair in ((clear.times, limit.times), (clear.plus, limit.plus)) if pair[0] != pair[1]]
        return len(pairs) == 1 and (pairs[0][0] > pairs[0][1]) is above
    if clear is None or isinstance(clear, Reference) or isinstance(limit, Reference):
        return False
    return clear > limit if above else clear < limit


def said(limit: Limit) -> str:
    """Return a limit as it is spoken of."""
    return str(limit.attribute or limit.signal) if isinstance(limit, Reference) else f"{limit:g}"


def threshold_problems(kind: DeviceKind, condition: Threshold) -> Iterator[Problem]:
    """Yield what is wrong with a threshold."""
    signal = numeric(kind, condition.signal)
    if isinstance(signal, str):
        yield ("signal",), signal
        return
    limits = [(name, value) for name in ("above", "below") if (value := getattr(condition, name)) is not None]
    if len(limits) != 1:
        yield (), "a threshold needs exactly one of `above` and `below`"
        return
    (name, limit) = limits[0]
    yield from limit_problems(kind, name, limit, signal)
    if limit == (signal.high if name == "above" else signal.low):
        yield (name,), f"{name}: {limit:g} can never be passed: it is the limit of what the signal can be"
    if condition.clear is not None:
        yield from limit_problems(kind, "clear", condition.clear, signal)
        if beyond(condition.clear, limit, above=name == "above"):
            side = "at or below `above`" if name == "above" else "at or above `below`"
            yield ("clear",), f"clear: {said(condition.clear)}: expected a value {side} ({said(limit)})"
        others = {each.signal for each in (limit, condition.clear) if isinstance(each, Reference) and each.signal}
        if len(others) > 1:
            yield ("clear", "signal"), f"expected the signal that `{name}` is compared with"


def state_problems(kind: DeviceKind, condition: State) -> Iterator[Problem]:
    """Yield what is wrong with a state."""
    lists = {
        "equals": None if condition.equals is None else [condition.equals],
        "in": condition.one_of,
        "not_in": condition.none_of,
    }
    given = {name: values for name, values in lists.items() if values is not None}
    if condition.signal in signals_of(kind) and len(given) != 1:
        yield (), "a state needs exactly one of `equals`, `in` and `not_in`"
        return
    for name, values in given.items():
        yield from value_problems(kind, condition.signal, name, values)


def value_problems(kind: DeviceKind, name: str, key: str, values: list[Scalar]) -> Iterator[Problem]:
    """Yield what is wrong with comparing the signal ``name`` with ``values``, which stand under ``key``."""
    known = signals_of(kind)
    if name not in known:
        yield ("signal",), unknown("signal", name, known, kind)
        return
    for index, value in enumerate(values):
        if (expected := known[name].objection(value)) is not None:
            yield (key, index), f"{name}: {value!r}: expected {expected}"


def rate_problems(kind: DeviceKind, condition: Rate) -> Iterator[Problem]:
    """Yield what is wrong with a rate."""
    signal = numeric(kind, condition.signal)
    if isinstance(signal, str):
        yield ("signal",), signal
    for name in ("above", "clear"):
        yield from positive_problems(name, getattr(condition, name), "finite number per minute, above 0")
    if beyond(condition.clear, condition.above, above=True) and condition.clear is not None:
        yield (
            ("clear",),
            f"clear: {said(condition.clear)}: expected a rate at or below `above` ({said(condition.above)})",
        )
    yield from longer("window", condition.window, "1h")
    yield from longer("confirm", condition.confirm, "1h")


def change_problems(kind: DeviceKind, condition: Change) -> Iterator[Problem]:
    """Yield what is wrong with a change that holds for a time."""
    if condition.within is None:
        yield ("within",), "a change needs `within`, such as 2m"
    yield from longer("within", condition.within, "24h")
    given = [name for name in ("rises_by", "falls_by", "by") if getattr(condition, name) is not None]
    if len(given) != 1:
        yield (), "a change needs exactly one of `rises_by`, `falls_by` and `by: any`"
        return
    (name,) = given
    if name == "by":
        yield from any_change_problems(kind, condition)
        return
    if condition.others:
        yield ("or",), "`or` belongs to `by: any`: expected both"
    signal = numeric(kind, condition.signal)
    if isinstance(signal, str):
        yield ("signal",), signal
    limit = getattr(condition, name)
    for key in (name, "clear"):
        yield from positive_problems(key, getattr(condition, key), "finite number above 0")
    if beyond(condition.clear, limit, above=True) and condition.clear is not None:
        yield ("clear",), f"clear: {said(condition.clear)}: expected a change at or below `{name}` ({said(limit)})"


def any_change_problems(kind: DeviceKind, condition: Change) -> Iterator[Problem]:
    """Yield what is wrong with a change to any other value, but for its time."""
    known = signals_of(kind)
    if condition.signal not in known:
        yield ("signal",), unknown("signal", condition.signal, known, kind)
    for index, name in enumerate(condition.others):
        if name not in known:
            yield ("or", index), unknown("signal", name, known, kind)
        elif condition.signal in known and known[name].of_region is not known[condition.signal].of_region:
            of, other = ("a region", "the camera") if known[name].of_region else ("the camera", "a region")
            yield (
                ("or", index),
                f"signal {name!r} is one of {of}, {condition.signal!r} one of {other}: expected one kind",
            )
    for name in ("clear", "median_of"):
        if getattr(condition, name) is not None:
            yield (name,), f"`{name}` is for `rises_by` and `falls_by`: expected none with `by: any`"


def positive_problems(name: str, limit: Limit | None, expected: str) -> Iterator[Problem]:
    """Yield what is wrong with a limit that must be a finite number above 0."""
    if isinstance(limit, Reference):
        yield from attribute_problems(name, limit)
        limit, name = limit.otherwise, "otherwise"
    if limit is not None and not (finite(limit) and limit > 0):
        yield (name,), f"{name}: {limit:g}: expected a {expected}"


def type_problems(kind: DeviceKind, name: str, types: list[str]) -> Iterator[Problem]:
    """Yield the event types under ``name`` that devices of ``kind`` do not send."""
    known = event_fields(kind)["type"]
    for index, value in enumerate(types):
        if (expected := known.objection(value)) is not None:
            yield (name, index), f"event type {value!r}: expected {expected}"


def event_problems(kind: DeviceKind, condition: EventSeen) -> Iterator[Problem]:
    """Yield what is wrong with an event that holds until it is over."""
    yield from events_problems(kind, condition)
    yield from type_problems(kind, "clears_on", condition.clears_on)
    both = set(condition.types) & set(condition.clears_on)
    if both:
        yield ("clears_on",), f"{', '.join(sorted(both))} would begin and end it: expected other types than in `types`"
    for name, state in (("while", condition.meanwhile), ("until", condition.until)):
        if state is None:
            continue
        for path, text in state_problems(kind, state):
            yield (name, *path), text
        if state.confirm is not None:
            yield (name, "confirm"), "it is asked at the instant of the event: expected no `confirm`"
    if not condition.clears_on and condition.resolve_after is None:
        yield (), "an event needs `clears_on` or `resolve_after`: otherwise it would never be over"


def events_problems(kind: DeviceKind, events: Events | EventSeen) -> Iterator[Problem]:
    """Yield what is wrong with the description of events."""
    fields = event_fields(kind)
    yield from type_problems(kind, "types", events.types)
    if events.types != ["fault_raised"]:
        for name in _FAULT_FILTERS:
            if getattr(events, name):
                yield (name,), f"`{name}` filters faults: expected `types: [fault_raised]`"
    for name, value in events.where.items():
        if name not in fields or name == "type":
            known = {each: field for each, field in fields.items() if each != "type"}
            yield ("where", name), unknown("event field", name, known, kind)
        elif (expected := fields[name].objection(value)) is not None:
            yield ("where", name), f"{name}: {value!r}: expected {expected}"


def missing_problems(kind: DeviceKind, condition: Missing) -> Iterator[Problem]:
    """Yield what is wrong with a silence."""
    if condition.nothing_for is None and condition.offline_for is None:
        yield (), "a missing condition needs `nothing_for`, `offline_for` or both"
    if condition.channel is not None and condition.nothing_for is None:
        yield ("channel",), "`channel` belongs to `nothing_for`: expected both"
    if condition.channel is Channel.TELEMETRY and not signals_of(kind):
        yield ("channel",), f"a {kind.value} sends no telemetry: expected event or presence"
    if condition.types:
        yield from _absence_problems(kind, condition)
    elif condition.once_heard:
        yield ("once_heard",), "`once_heard` waits for the first event: expected `types`"
    if condition.rhythm is not None:
        yield from _rhythm_problems(condition, condition.rhythm)


def _rhythm_problems(condition: Missing, rhythm: Rhythm) -> Iterator[Problem]:
    """Yield what is wrong with learning for how long a device is usually silent."""
    if not finite(rhythm.times):
        yield ("rhythm", "times"), f"times: {rhythm.times:g}: expected a finite number"
    if condition.types or condition.nothing_for is None:
        yield ("rhythm",), "`rhythm` is for silence: expected `nothing_for` and no `types`"
    elif microseconds(rhythm.at_most) < microseconds(condition.nothing_for):
        yield (
            ("rhythm", "at_most"),
            f"at_most: {rhythm.at_most}: expected `nothing_for` ({condition.nothing_for}) at least",
        )
    for _, text in longer("at_most", rhythm.at_most, "30d"):
        yield ("rhythm", "at_most"), text


def _absence_problems(kind: DeviceKind, condition: Missing) -> Iterator[Problem]:
    """Yield what is wrong with waiting for events of some types."""
    if kind in _WITH_PARTS:
        yield ("types",), f"a {kind.value} has parts that speak for themselves: expected `types` for whole devices only"
    yield from type_problems(kind, "types", condition.types)
    if condition.nothing_for is None:
        yield ("types",), "`types` belongs to `nothing_for`: expected both"
    for name in ("channel", "offline_for"):
        if getattr(condition, name) is not None:
            yield (name,), f"`{name}` and `types` wait for different things: expected one of them"


SIMPLE_CHECKS: Mapping[type, Check] = {
    Threshold: threshold_problems,
    State: state_problems,
    Rate: rate_problems,
    Change: change_problems,
    EventSeen: event_problems,
    Missing: missing_problems,
}
"""The checks of this module, by the condition that each is for."""
