"""Rules as they are written down: when to raise an alert, what to call it, what to do first."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from alerts.model import Severity
from alerts.rules.conditions import Condition
from alerts.rules.durations import Duration
from alerts.rules.series import RuleTest
from core.devices import DeviceKind

RuleId = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
Sentence = Annotated[str, Meta(min_length=1, max_length=200)]


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """An unknown key is a mistake in the file, not something to pass over."""


class Text(_Strict, frozen=True):
    """A sentence for people, in both languages."""

    zh: Sentence
    en: Sentence


class Rule(_Strict, frozen=True):
    """When to raise an alert about devices of one kind, what to call it, and what to do first.

    The alert is *pending* from the instant ``condition`` holds and *fires* when it has held for ``for``; while
    ``at_once`` holds it fires without waiting. It is resolved when neither has held for ``hold``, or, where
    ``clears_when`` is given, when that holds. ``late: accept`` lets events up to ``max_late`` old raise it as well.
    """

    id: RuleId
    kind: DeviceKind
    severity: Severity
    title: Text
    next_step: Text
    condition: Condition
    lasting: Duration | None = field(name="for", default=None)
    at_once: Condition | None = None
    clears_when: Condition | None = None
    hold: Duration | None = None
    late: Literal["ignore", "accept"] = "ignore"
    max_late: Duration | None = None


class RuleFile(_Strict, frozen=True):
    """A whole rule file: rules, and the series they are tested with (``anju rules test``)."""

    version: Literal[1]
    rules: list[Rule]
    tests: list[RuleTest] = []
