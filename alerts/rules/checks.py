"""What a schema cannot say of rules: signals that exist, values they can have, conditions that can begin and end."""

from collections.abc import Iterator

from alerts.rules.conditions import (
    AllOf,
    AnyOf,
    Change,
    Compare,
    Condition,
    Count,
    EventSeen,
    Missing,
    NoneOf,
    Rate,
    Since,
    Single,
    State,
    Threshold,
)
from alerts.rules.model import Rule
from alerts.rules.rule_checks import keeping_problems, standing_problems
from alerts.rules.simple_checks import SIMPLE_CHECKS, Problem
from alerts.rules.window_checks import WINDOW_CHECKS
from core.devices import DeviceKind
from core.source import Path

_CHECKS = {**SIMPLE_CHECKS, **WINDOW_CHECKS}


def problems(rule: Rule) -> Iterator[Problem]:
    """Yield what is wrong with ``rule``; paths begin at the rule."""
    if rule.kind is DeviceKind.SYSTEM:
        known = ", ".join(kind for kind in DeviceKind if kind is not DeviceKind.SYSTEM)
        yield ("kind",), f"alerts about Anju itself need no rule: expected one of {known}"
        return
    for where, condition in _trees(rule):
        for path, text in _condition_problems(rule.kind, condition):
            yield (*where, *path), text
        yield from _peer_problems(rule, where, condition)
    yield from _late_problems(rule)
    missing = any(isinstance(leaf, Missing) for _, tree in _trees(rule) for leaf in leaves(tree))
    yield from keeping_problems(rule, missing=missing)
    yield from standing_problems(rule)


def _trees(rule: Rule) -> Iterator[tuple[Path, Condition]]:
    """Yield the conditions of a rule with the place where each stands."""
    yield ("condition",), rule.condition
    if rule.at_once is not None:
        yield ("at_once",), rule.at_once
    if rule.clears_when is not None:
        yield ("clears_when",), rule.clears_when
    for index, level in enumerate(rule.levels):
        yield ("levels", index, "condition"), level.condition


def compares_devices(rule: Rule) -> bool:
    """Tell whether ``rule`` looks at other devices than the one it is about."""
    return any(isinstance(leaf, Compare) and leaf.peer is not None for _, tree in _trees(rule) for leaf in leaves(tree))


def leaves(condition: Condition | None) -> Iterator[Single]:
    """Yield the conditions that hold others together no more, in the order they are written."""
    if isinstance(condition, AllOf | AnyOf | NoneOf):
        for each in condition.of:
            yield from leaves(each)
    elif condition is not None:
        yield condition


def _peer_problems(rule: Rule, where: Path, condition: Condition) -> Iterator[Problem]:
    """Yield the comparisons of the one device that the rule is for with itself."""
    if isinstance(condition, AllOf | AnyOf | NoneOf):
        for index, each in enumerate(condition.of):
            yield from _peer_problems(rule, (*where, "of", index), each)
    elif isinstance(condition, Compare) and condition.peer is not None and rule.scope is not None:
        names = {name.rpartition("/")[2] for name in rule.scope.devices}
        if names == {condition.peer}:
            yield (*where, "with"), f"with: {condition.peer} is the device itself: expected another of its kind"


def _late_problems(rule: Rule) -> Iterator[Problem]:
    if rule.late == "ignore":
        if rule.max_late is not None:
            yield ("max_late",), "`max_late` without `late: accept` or `late: tell`: expected both or neither"
    elif rule.max_late is None:
        yield ("late",), f"`late: {rule.late}` needs `max_late`, such as 2h"
    if rule.late == "accept":
        yield from _accept_problems(rule)
    if rule.late == "tell":
        yield from _tell_problems(rule)
        return
    if rule.late_severity is not None:
        yield ("late_severity",), "`late_severity` without `late: tell`: expected both or neither"
    if rule.late_readings:
        yield ("late_readings",), "`late_readings` without `late: tell`: expected both or neither"


def _raised_late(leaf: Single) -> bool:
    by_arrival = isinstance(leaf, Change) and leaf.by is not None
    return isinstance(leaf, Threshold | State | Rate | Change | EventSeen) and not by_arrival


def _accept_problems(rule: Rule) -> Iterator[Problem]:
    for _, tree in _trees(rule):
        if any(not isinstance(leaf, EventSeen | Count) for leaf in leaves(tree)):
            yield ("late",), "`late: accept` is for rules of events and counts only: an old reading says nothing of now"


def _tell_problems(rule: Rule) -> Iterator[Problem]:
    raising = [*leaves(rule.condition), *leaves(rule.at_once)]
    if rule.late_readings and not all(map(_raised_late, raising)):
        yield (
            ("late_readings",),
            "late readings can raise `threshold`, `state`, `rate` and `change` by an amount only, beside events",
        )
    trees = [tree for tree in (rule.condition, rule.at_once) if tree is not None]
    events = [leaf for leaf in raising if isinstance(leaf, EventSeen)]
    if not rule.late_readings and not any(_raises(tree, event) for tree in trees for event in events):
        yield (
            ("late",),
            "`late: tell` tells of an event that alone raises the rule: expected one in `condition` or `at_once`, or "
            "`late_readings`",
        )
    at_once = [*leaves(rule.at_once)]
    waiting = [event for event in events if event not in at_once and _raises(rule.condition, event)]
    if rule.lasting is not None and rule.counts_by_arrival and waiting:
        yield (
            ("for",),
            "for: an event in doubt would be taken back while the rule waits, and told by nobody: expected the event "
            "in `at_once`, no `for`, or `by_arrival: false`",
        )


def _raises(condition: Condition, event: EventSeen) -> bool:
    """Tell whether ``condition`` holds of a device of which nothing but ``event`` is known."""
    match condition:
        case AllOf():
            return all(_raises(each, event) for each in condition.of)
        case AnyOf():
            return any(_raises(each, event) for each in condition.of)
        case NoneOf():
            return not any(_raises(each, event) for each in condition.of)
        case State():
            return condition.none_of is not None
        case Compare():
            return bool(condition.until_learned)
        case Since():
            return _raises(condition.after, event) and not _raises(condition.until, event)
    return condition is event


def _condition_problems(kind: DeviceKind, condition: Condition) -> Iterator[Problem]:
    if not isinstance(condition, AllOf | AnyOf | NoneOf):
        yield from _CHECKS[type(condition)](kind, condition)
        return
    for index, each in enumerate(condition.of):
        if each in condition.of[:index]:
            yield ("of", index), "the same condition stands here twice: expected another, or none"
        for path, text in _condition_problems(kind, each):
            yield ("of", index, *path), text
