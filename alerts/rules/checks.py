"""What a schema cannot say: signals that exist, values they can have, conditions that can begin and end."""

from collections.abc import Iterator, Mapping

from alerts.rules.durations import microseconds
from alerts.rules.model import AllOf, AnyOf, Condition, EventSeen, Missing, Rate, Rule, State, Threshold
from alerts.rules.signals import Signal, event_fields, signals_of
from alerts.rules.source import Path
from core.devices import Channel, DeviceKind

Problem = tuple[Path, str]
"""Where in the rule, and what is wrong with what was expected."""

_FAULT_FILTERS = ("severities", "kinds", "not_kinds")


def problems(rule: Rule) -> Iterator[Problem]:
    """Yield what is wrong with ``rule``; paths begin at the rule."""
    for name, condition in (
        ("condition", rule.condition),
        ("at_once", rule.at_once),
        ("clears_when", rule.clears_when),
    ):
        if condition is not None:
            for path, text in _condition_problems(rule.kind, condition):
                yield (name, *path), text
    yield from _late_problems(rule)
    if rule.hold is not None and rule.clears_when is not None:
        yield ("hold",), "`hold` and `clears_when` are two ways to end an alert: expected one of them"


def leaves(condition: Condition | None) -> Iterator[Condition]:
    """Yield the conditions that hold others together no more, in the order they are written."""
    if isinstance(condition, AllOf | AnyOf):
        for each in condition.of:
            yield from leaves(each)
    elif condition is not None:
        yield condition


def _late_problems(rule: Rule) -> Iterator[Problem]:
    if rule.late == "ignore":
        if rule.max_late is not None:
            yield ("max_late",), "`max_late` without `late: accept`: expected both or neither"
        return
    if rule.max_late is None:
        yield ("late",), "`late: accept` needs `max_late`, such as 2h"
    for tree in (rule.condition, rule.at_once, rule.clears_when):
        if any(not isinstance(leaf, EventSeen) for leaf in leaves(tree)):
            yield ("late",), "`late: accept` is for rules of event conditions only: an old reading says nothing of now"


def _condition_problems(kind: DeviceKind, condition: Condition) -> Iterator[Problem]:
    match condition:
        case Threshold():
            yield from _threshold_problems(kind, condition)
        case State():
            yield from _state_problems(kind, condition)
        case Rate():
            yield from _rate_problems(kind, condition)
        case EventSeen():
            yield from _event_problems(kind, condition)
        case Missing():
            yield from _missing_problems(kind, condition)
        case AllOf() | AnyOf():
            for index, each in enumerate(condition.of):
                for path, text in _condition_problems(kind, each):
                    yield ("of", index, *path), text


def _unknown(what: str, name: str, known: Mapping[str, Signal], kind: DeviceKind) -> str:
    expected = f"expected one of {', '.join(sorted(known))}" if known else "this kind of device has none"
    return f"{what} {name!r} is unknown for {kind.value}: {expected}"


def _number(kind: DeviceKind, name: str) -> Signal | str:
    """Return the signal, or what is wrong with using ``name`` as a number."""
    known = signals_of(kind)
    if name not in known:
        return _unknown("signal", name, known, kind)
    return known[name] if known[name].number else f"signal {name!r} is not a number: expected a `state` condition"


def _threshold_problems(kind: DeviceKind, condition: Threshold) -> Iterator[Problem]:
    signal = _number(kind, condition.signal)
    if isinstance(signal, str):
        yield ("signal",), signal
        return
    limits = [(name, value) for name in ("above", "below") if (value := getattr(condition, name)) is not None]
    if len(limits) != 1:
        yield (), "a threshold needs exactly one of `above` and `below`"
        return
    (name, limit) = limits[0]
    if (expected := signal.objection(limit)) is not None:
        yield (name,), f"{name}: {limit:g}: expected {expected}"
    if limit == (signal.high if name == "above" else signal.low):
        yield (name,), f"{name}: {limit:g} can never be passed: it is the limit of what the signal can be"
    if condition.clear is not None and (expected := signal.objection(condition.clear)) is not None:
        yield ("clear",), f"clear: {condition.clear:g}: expected {expected}"
    elif condition.clear is not None and (condition.clear > limit if name == "above" else condition.clear < limit):
        side = "at or below `above`" if name == "above" else "at or above `below`"
        yield ("clear",), f"clear: {condition.clear:g}: expected a value {side} ({limit:g})"


def _state_problems(kind: DeviceKind, condition: State) -> Iterator[Problem]:
    known = signals_of(kind)
    if condition.signal not in known:
        yield ("signal",), _unknown("signal", condition.signal, known, kind)
        return
    lists = {
        "equals": None if condition.equals is None else [condition.equals],
        "in": condition.one_of,
        "not_in": condition.none_of,
    }
    given = {name: values for name, values in lists.items() if values is not None}
    if len(given) != 1:
        yield (), "a state needs exactly one of `equals`, `in` and `not_in`"
        return
    ((name, values),) = given.items()
    for index, value in enumerate(values):
        if (expected := known[condition.signal].objection(value)) is not None:
            yield (name, index), f"{condition.signal}: {value!r}: expected {expected}"


def _rate_problems(kind: DeviceKind, condition: Rate) -> Iterator[Problem]:
    signal = _number(kind, condition.signal)
    if isinstance(signal, str):
        yield ("signal",), signal
    if condition.above - condition.above != 0:
        yield ("above",), f"above: {condition.above}: expected a finite number per minute"
    if condition.clear is not None and condition.clear > condition.above:
        yield ("clear",), f"clear: {condition.clear:g}: expected a rate at or below `above` ({condition.above:g})"
    if microseconds(condition.window) > microseconds("1h"):
        yield ("window",), f"window: {condition.window}: expected 1h at most"


def _event_problems(kind: DeviceKind, condition: EventSeen) -> Iterator[Problem]:
    fields = event_fields(kind)
    for name in ("types", "clears_on"):
        for index, value in enumerate(getattr(condition, name)):
            if (expected := fields["type"].objection(value)) is not None:
                yield (name, index), f"event type {value!r}: expected {expected}"
    both = set(condition.types) & set(condition.clears_on)
    if both:
        yield ("clears_on",), f"{', '.join(sorted(both))} would begin and end it: expected other types than in `types`"
    if not condition.clears_on and condition.resolve_after is None:
        yield (), "an event needs `clears_on` or `resolve_after`: otherwise it would never be over"
    yield from _filter_problems(kind, condition, fields)


def _filter_problems(kind: DeviceKind, condition: EventSeen, fields: dict[str, Signal]) -> Iterator[Problem]:
    if condition.types != ["fault_raised"]:
        for name in _FAULT_FILTERS:
            if getattr(condition, name):
                yield (name,), f"`{name}` filters faults: expected `types: [fault_raised]`"
    for name, value in condition.where.items():
        if name not in fields or name == "type":
            known = {each: field for each, field in fields.items() if each != "type"}
            yield ("where", name), _unknown("event field", name, known, kind)
        elif (expected := fields[name].objection(value)) is not None:
            yield ("where", name), f"{name}: {value!r}: expected {expected}"


def _missing_problems(kind: DeviceKind, condition: Missing) -> Iterator[Problem]:
    if condition.nothing_for is None and condition.offline_for is None:
        yield (), "a missing condition needs `nothing_for`, `offline_for` or both"
    if condition.channel is not None and condition.nothing_for is None:
        yield ("channel",), "`channel` belongs to `nothing_for`: expected both"
    if condition.channel is Channel.TELEMETRY and not signals_of(kind):
        yield ("channel",), f"a {kind.value} sends no telemetry: expected event or presence"
