"""A score as it is printed, kept as JSON and compared with a baseline."""

from datetime import datetime

from msgspec import Struct

from alerts.quality import Figure, Quality

LISTED_AT_MOST = 1_000


class Finding(Struct, frozen=True):
    """That an alert of ``rule`` was raised ``at``."""

    rule: str
    at: datetime


class Outcome(Struct, frozen=True):
    """What came of one known incident."""

    kind: str
    variant: str
    device: str
    part: str
    began: datetime
    ended: datetime
    sign: datetime | None
    """When it could first be seen, ``None`` where it never could."""
    pressed: datetime | None
    found: Finding | None
    """The first alert that says enough to have found it."""
    mentioned: Finding | None
    """The first alert that may be about it at all."""
    told_at: datetime | None
    """When people were first told of an alert that found it."""
    masked_by: tuple[str, ...] = ()
    """Rules of which an alert stood since before it began, so that nothing new was raised."""

    @property
    def missed(self) -> bool:
        """Whether there was a sign, and no rule found it."""
        return self.found is None and self.sign is not None

    @property
    def delay_seconds(self) -> float | None:
        """From its first sign (from its beginning, where it had none) until it was found."""
        return None if self.found is None else self._waited(self.found.at)

    @property
    def told_seconds(self) -> float | None:
        """Likewise until people were told of it."""
        return None if self.told_at is None else self._waited(self.told_at)

    def _waited(self, until: datetime) -> float:
        return max(0.0, (until - (self.sign or self.began)).total_seconds())


class Delay(Struct, frozen=True):
    """Seconds from the first sign; ``None`` of nothing."""

    median_seconds: float | None
    worst_seconds: float | None


class Counted(Struct, frozen=True):
    """How many of the false alerts ``name`` (a device, a cause) has."""

    name: str
    alerts: int


class RuleScore(Struct, frozen=True):
    """How one rule did. ``found`` and ``missed`` are of the ``incidents`` of the kinds that it can find.

    Missed are those with a sign that no rule found; the others were found by another one, or had no sign. ``true`` and
    ``false`` are both 0 for a notice.
    """

    rule: str
    severity: str
    alerts: int
    true: int
    false: int
    incidents: int
    with_sign: int
    found: int
    missed: int
    after_the_end: int
    """Of those found: only after it had ended."""
    delay: Delay
    false_per_device_month: float
    """False alerts for each device of its kind in 30 days."""
    told: int
    """Notifications that spoke of its alerts."""
    devices: list[Counted]
    """Those with most false alerts, ten at most."""
    causes: list[Counted]
    """Of its false alerts."""


class KindScore(Struct, frozen=True):
    """How all rules together did at incidents of one kind."""

    kind: str
    incidents: int
    with_sign: int
    found: int
    missed: int
    mentioned_only: int
    """Of those missed: an alert that may be about them was raised, but said too little."""
    delay: Delay
    told: Delay
    """Until people were told of an alert that found it."""


class FalseAlert(Struct, frozen=True):
    """An alert about nothing that happened."""

    rule: str
    device: str
    at: datetime
    cause: str
    reason: str


class DutyRoom(Struct, frozen=True):
    """What the people on duty have of it; notifications that ask for something, each counted once for all receivers."""

    told: int
    told_per_day: Figure
    told_again: int
    """Reminders, next steps, and alerts that were acknowledged and left alone."""
    true_share_of_told: Figure
    critical_per_day: float
    critical_per_night: float
    """From 22:00 to 07:00."""
    worst_ten_minutes_told: Figure
    standing: int
    """Alerts that have not ended."""
    standing_over_a_day: Figure
    standing_untrue: int
    """Of those standing: nothing that they may be about lasts any more."""


class ScoreReport(Struct, frozen=True):
    """What came of a score. Lists of outcomes and alerts hold the first thousand."""

    since: datetime
    until: datetime
    zone: str
    """That of the truth, in which instants are shown."""
    devices: int
    messages: int
    rejected: int
    duplicates: int
    rules: list[RuleScore]
    kinds: list[KindScore]
    duty: DutyRoom
    quality: Quality
    """Of all alerts; those that are false count as marked so."""
    missed: list[Outcome]
    false_alerts: list[FalseAlert]
