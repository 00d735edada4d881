"""From the text of a rule file to rules that are known to make sense; all or nothing."""

import re
from collections.abc import Iterable

import msgspec

from alerts.model import Severity
from alerts.rules.checks import problems
from alerts.rules.durations import PATTERN
from alerts.rules.model import Rule, RuleFile
from alerts.rules.source import Path, RuleError, Source, read_source
from core.devices import Channel, DeviceKind
from core.faults import FaultKind, FaultSeverity

_WHERE = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_CONDITIONS = ("threshold", "state", "event", "missing", "rate", "all_of", "any_of")
_CHOICES: dict[str, Iterable[str]] = {
    "version": ("1",),
    "severity": tuple(Severity),
    "severities": tuple(FaultSeverity),
    "kinds": tuple(FaultKind),
    "not_kinds": tuple(FaultKind),
    "channel": tuple(Channel),
    "late": ("ignore", "accept"),
}
_UNKNOWN_KEY = re.compile(r"unknown field `([^`]+)`")


def load_rules(text: str, filename: str) -> list[Rule]:
    """Return the rules of a file; raises `RuleError` with ``filename``, line and what was expected."""
    source = read_source(text, filename)
    try:
        rules = msgspec.convert(source.content, RuleFile).rules
    except msgspec.ValidationError as error:
        raise _shape_error(source, str(error)) from error
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        if rule.id in seen:
            raise source.error(("rules", index, "id"), f"id {rule.id!r} is used twice: expected one rule of that id")
        seen.add(rule.id)
        for path, problem in problems(rule):
            raise source.error(("rules", index, *path), f"rule {rule.id}: {problem}")
    return rules


def _expected(path: Path) -> str:
    """Return the values that the key at ``path`` may have."""
    key = next((step for step in reversed(path) if isinstance(step, str)), "")
    if key == "kind":
        # A rule's own kind is a device's, any deeper one is a condition's.
        return ", ".join(DeviceKind if len(path) == 3 else _CONDITIONS)
    return ", ".join(_CHOICES.get(key, ("another value",)))


def _shape_error(source: Source, message: str) -> RuleError:
    """Turn msgspec's words and path into ours; a path that leads nowhere points at the nearest line around it."""
    path: Path = ()
    if (where := _WHERE.search(message)) is not None:
        path = tuple(name or int(index) for name, index in _STEP.findall(where[1]))
        message = message[: where.start()]
    if (unknown := _UNKNOWN_KEY.search(message)) is not None:
        path = (*path, unknown[1])
    if "nvalid" in message:
        message += f": expected {_expected(path)}"
    message = message.replace(f"`str` matching regex {PATTERN!r}", "a duration such as 45s, 5m or 1h")
    return source.error(path, f"{'.'.join(map(str, path)) or 'file'}: {message}")
