"""Rules as they are written down: when to raise an alert, what to call it, what to do first."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from alerts.model import Severity
from alerts.rules.conditions import Condition
from alerts.rules.schedules import Schedule
from alerts.rules.scopes import Scope
from alerts.rules.series import RuleTest
from core.devices import DeviceKind
from core.durations import Duration

RuleId = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
Sentence = Annotated[str, Meta(min_length=1, max_length=200)]


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """An unknown key is a mistake in the file, not something to pass over."""


class Text(_Strict, frozen=True):
    """A sentence for people, in both languages."""

    zh: Sentence
    en: Sentence


class Level(_Strict, frozen=True):
    """A worse severity, for as long as ``condition`` holds while the alert is open. It never opens one by itself."""

    severity: Severity
    condition: Condition


class Chatter(_Strict, frozen=True):
    """The ``count``-th firing within ``within`` stays open until it has been quiet for that long.

    Three in 60 s is what ISA-18.2 calls chattering (secondary source). ``chatter: off`` lets each firing count.
    """

    count: Annotated[int, Meta(ge=2, le=100)] = 3
    within: Duration = "60s"


class Rule(_Strict, frozen=True):
    """When to raise an alert about devices of one kind, what to call it, and what to do first.

    The alert is *pending* from the instant ``condition`` holds and *fires* when it has held for ``for``; while
    ``at_once`` holds it fires without waiting. It is resolved when neither has held for ``keep_firing_for``, or, where
    ``clears_when`` is given, when that holds. ``late: accept`` lets events up to ``max_late`` old raise it as well;
    ``late: tell`` raises an alert of its own for those, with ``late_severity`` and the instant at which they happened,
    and with ``late_readings`` also for readings of that time.
    With ``by_arrival`` messages count when they arrive, whatever the device's clock shows, unless they were provably
    stored and forwarded; left out, that is so for critical and protected rules.
    While it is open it has the worst severity of ``levels`` whose conditions hold, and ``severity`` where none does.

    Silence is no recovery (``gaps: keep``): what is pending goes on counting, since a lift may lose its link with
    somebody in it. With ``gaps: resolve`` a device silent for ``gap_after`` ends both, and has to say it all again.
    ``chatter`` left out means `Chatter`, for a protected rule that each firing counts.
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
    keep_firing_for: Duration | None = None
    levels: Annotated[list[Level], Meta(max_length=3)] = []
    scope: Scope | None = None
    schedule: Schedule | None = None
    latch: bool = False
    protected: bool = False
    maintenance: bool = False
    chatter: Chatter | bool | None = None
    gaps: Literal["keep", "resolve"] = "keep"
    gap_after: Duration | None = None
    late: Literal["ignore", "accept", "tell"] = "ignore"
    max_late: Duration | None = None
    late_severity: Severity | None = None
    """With ``late: tell``; the rule's own where it is left out. What is known to be over is one step less severe."""
    late_readings: bool = False
    by_arrival: bool | None = None

    @property
    def counts_by_arrival(self) -> bool:
        """Whether messages with an instant that cannot be believed count by their arrival."""
        if self.by_arrival is not None:
            return self.by_arrival
        # Silence would cost a life there; a message too many costs a look.
        return self.protected or self.severity is Severity.CRITICAL


class RuleFile(_Strict, frozen=True):
    """A whole rule file: rules, and the series they are tested with (``anju rules test``)."""

    version: Literal[1]
    rules: list[Rule]
    tests: list[RuleTest] = []
