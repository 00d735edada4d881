"""From plain values to the structs of rules, with every mistake of shape in our words and with its path."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TypeVar, get_args

import core.shapes
from alerts.model import Severity
from alerts.rules.conditions import ATTRIBUTE_PATTERN, DEVICE_PATTERN, Condition, Moment
from alerts.rules.schedules import HOURS_PATTERN, WEEKDAYS
from alerts.rules.series import INSTANT_PATTERN, NAME_PATTERN
from alerts.words import signal_names
from core.devices import Channel, DeviceKind
from core.durations import PATTERN
from core.faults import FaultKind, FaultSeverity
from core.shapes import Problem, at, located
from core.source import Path

_MOMENTS = tuple(each.__struct_config__.tag for each in get_args(Moment))
_CONDITIONS = tuple(each.__struct_config__.tag for each in get_args(Condition))
# A number alone is what people write first.
_DURATIONS = frozenset(
    {"for", "confirm", "keep_firing_for", "window", "within", "resolve_after", "nothing_for", "offline_for", "hold_for"}
    | {"at_most", "repeat_after", "stale_after", "max_late", "gap_after", "past", "every", "late_by"}
)
# Where a limit stands that has the unit of the signal beside it.
_IN_UNITS = ("above", "below", "clear", "above_by", "below_by", "rises_by", "falls_by")
_PATTERNS = {
    PATTERN: "a duration such as 45s, 5m or 1h",
    ATTRIBUTE_PATTERN: "a name of small letters, digits and _, such as rated_load_kilograms",
    DEVICE_PATTERN: "the name of a device, such as shed-2",
    HOURS_PATTERN: "hours such as 22:00-06:00",
    NAME_PATTERN: "a name of small letters, digits and inner dashes, such as shed-hot",
    INSTANT_PATTERN: "an instant since the beginning such as 0s, 90s or 5m",
}
# Alerts about Anju itself need no rule.
_KINDS = tuple(kind for kind in DeviceKind if kind is not DeviceKind.SYSTEM)
Choices = Mapping[str, Iterable[str]]
"""The values that may stand under a key."""
_CHOICES: Choices = {
    "version": ("1",),
    "severity": tuple(Severity),
    "severities": tuple(FaultSeverity),
    "kinds": tuple(FaultKind),
    "not_kinds": tuple(FaultKind),
    "channel": tuple(Channel),
    "median_of": ("3", "5", "7"),
    "by": ("any",),
    "late": ("ignore", "accept", "tell"),
    "late_severity": tuple(Severity),
    "gaps": ("keep", "resolve"),
    "days": (*WEEKDAYS, "workdays", "holidays"),
    "holidays": ("CN", "none"),
    "transition": ("firing", "severity_changed", "repeated", "resolved"),
}
_Shape = TypeVar("_Shape")


def shaped(content: object, shape: type[_Shape], choices: Choices = _CHOICES) -> tuple[_Shape | None, list[Problem]]:
    """Return ``content`` as ``shape``, or ``None`` with what is wrong with it; ``choices`` are those of rule files."""
    return core.shapes.shaped(content, shape, partial(_in_words, choices=choices))


def shape_problem(message: str, content: object) -> Problem:
    """Turn msgspec's words and path into ours."""
    path, text = located(message)
    return path, _in_words(path, text, content)


def _in_words(path: Path, message: str, content: object, choices: Choices = _CHOICES) -> str:
    if "nvalid" in message:
        message += f": expected {_expected(path, content, choices)}"
    if message.startswith("Expected `float"):
        message = _number_problem(path, content) or message
    if message.startswith("Expected `str") and path and path[-1] in _DURATIONS:
        message = f"Expected {_PATTERNS[PATTERN]}"
    for pattern, words in _PATTERNS.items():
        message = message.replace(f"`str` matching regex {pattern!r}", words)
    return message


def _expected(path: Path, content: object, choices: Choices) -> str:
    """Return the values that the key at ``path`` may have."""
    key = next((step for step in reversed(path) if isinstance(step, str)), "")
    if key != "kind":
        return ", ".join(choices.get(key, ("another value",)))
    # A rule's own kind is a device's, and so is one in a test; any deeper one is a condition's.
    if len(path) == 1 or path[0] == "devices":
        return ", ".join(DeviceKind)
    around = at(path[:-3], content)
    of_moments = isinstance(around, dict) and around.get("kind") in ("sequence", "together")
    of_moments = of_moments or path[-2] in ("after", "until")
    return ", ".join(_MOMENTS if of_moments else _CONDITIONS)


def _number_problem(path: Path, content: object) -> str | None:
    """Return what to say of a limit that is no number: in which unit it was expected, where its signal has one."""
    beside, value = at(path[:-1], content), at(path, content)
    if not path or path[-1] not in _IN_UNITS or not isinstance(beside, dict) or isinstance(value, int | float):
        return None
    unit = signal_names(str(beside.get("signal")))[2].strip()
    number = f"a number in {unit}, without the unit" if unit else "a number"
    return f"{value!r} is no number: expected {number}, or `attribute` with the name of a figure of the device"
