"""What a schema cannot say of a rule as a whole: keys that need, or exclude, each other."""

from collections.abc import Iterator

import msgspec

from alerts.model import Severity
from alerts.rules.model import Rule
from alerts.rules.schedules import objection
from alerts.rules.simple_checks import Problem
from core.durations import microseconds

_WORST_FIRST = list(Severity)
# A count is remembered for this long at most, for each device.
_LONGEST_CHATTER = "1h"


def keeping_problems(rule: Rule, *, missing: bool) -> Iterator[Problem]:
    """Yield what is wrong with how long an alert stays; ``missing``: whether a condition waits for silence."""
    if rule.keep_firing_for is not None and rule.clears_when is not None:
        yield (
            ("keep_firing_for",),
            "`keep_firing_for` and `clears_when` are two ways to end an alert: expected one of them",
        )
    if (rule.gaps == "resolve") is not (rule.gap_after is not None):
        given = "gaps" if rule.gaps == "resolve" else "gap_after"
        yield (given,), "`gaps: resolve` and `gap_after` belong together: expected both or neither"
    if rule.gaps == "resolve" and missing:
        yield ("gaps",), "`gaps: resolve` would end what a `missing` condition raises: expected one of them"
    if not isinstance(rule.chatter, bool | None) and microseconds(rule.chatter.within) > microseconds(_LONGEST_CHATTER):
        yield ("chatter", "within"), f"within: {rule.chatter.within}: expected {_LONGEST_CHATTER} at most"


def standing_problems(rule: Rule) -> Iterator[Problem]:
    """Yield what is wrong with severities, scope and schedule."""
    seen = {rule.severity}
    for index, level in enumerate(rule.levels):
        if _WORST_FIRST.index(level.severity) > _WORST_FIRST.index(rule.severity):
            yield ("levels", index, "severity"), f"expected a severity worse than the rule's own ({rule.severity})"
        elif level.severity in seen:
            yield ("levels", index, "severity"), f"severity {level.severity} is given twice: expected once"
        seen.add(level.severity)
    if rule.scope is not None:
        if both := set(rule.scope.tags) & set(rule.scope.not_tags):
            yield ("scope", "not_tags"), f"{', '.join(sorted(both))} in `tags` too: expected it in one of them"
        if not any(msgspec.structs.astuple(rule.scope)):
            yield ("scope",), "a scope without a list covers all: expected at least one of them"
    if rule.schedule is not None and (problem := objection(rule.schedule)) is not None:
        key, text = problem
        yield ("schedule", key) if key else ("schedule",), text
