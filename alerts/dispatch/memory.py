"""What the desk remembers of alerts, incidents, floods and tests; MessagePack arrays, so fields are only appended."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Protocol

import msgspec
from msgspec import Struct

from alerts.memory import Microseconds
from alerts.model import Severity
from core.devices import DeviceKey

RANK = {severity: rank for rank, severity in enumerate(Severity)}
_NEVER = 0


class Standing(IntEnum):
    """How an alert stands with the people who are to be told of it."""

    WANTING = 0
    """Somebody has to take it."""
    ATTENDED = 1
    """It fires, and somebody has seen it."""
    HELD = 2
    """It fires, and people are not told, for a reason."""
    OVER = 3


class AlertMemory(Struct, array_like=True):
    """One alert. ``incidents`` are those it is told in; ``fresh`` of them have yet to be told of it as it is now."""

    id: str
    rule: str
    severity: Severity
    path: str
    title_zh: str
    title_en: str
    reason_zh: str
    reason_en: str
    next_step_zh: str
    next_step_en: str
    fired_at: Microseconds
    latching: bool
    protected: bool
    maintenance: bool
    resolved_at: Microseconds = _NEVER
    reset: bool = False
    acknowledged: bool = False
    acknowledged_by: str | None = None
    held: str = ""
    """The code of the reason why people are not told; empty while they are."""
    held_by: str = ""
    """The suppression, or the alert, that holds it."""
    grace_until: Microseconds = _NEVER
    """The cause is over, and this alert has until then to be over as well."""
    incidents: list[str] = []
    fresh: list[str] = []
    told: bool = False
    number: int = 0
    """The sequence of the step that raised it: which of two alerts came first."""
    happened_at: Microseconds = _NEVER
    """Of an alert that tells of what arrived late: the device's instant of it."""


class IncidentMemory(Struct, array_like=True):
    """One incident: alerts told together, and how far its ladder has been climbed."""

    id: str
    key: list[str]
    """Of the group: the route's name, its policy, the community and the values it groups by."""
    policy: str
    community: str
    group_wait: Microseconds
    group_interval: Microseconds
    version: int = 0
    said_at: Microseconds = _NEVER
    flush_at: Microseconds = _NEVER
    changed: bool = False
    """An alert left, or went down in severity, since people were last told."""
    climbing: bool = False
    resumed: bool = False
    """It climbs although all is acknowledged: it was left alone."""
    said_in_round: bool = False
    ladder_from: Microseconds = _NEVER
    step: int = 0
    """The next one of the ladder."""
    step_at: Microseconds = _NEVER
    repeat_at: Microseconds = _NEVER
    unattended_at: Microseconds = _NEVER
    urgent: bool = False
    """A critical or protected alert was told in it: nothing of it is put into a digest."""
    told: dict[str, str] = {}
    """Receivers that know of it, with the person meant."""
    digest: dict[str, str] = {}
    """Receivers that are to find it in the next digest, with the person meant."""
    closed: bool = False
    """All is over and said; only a digest still waits."""


class FloodMemory(Struct, array_like=True):
    """How a community's notifications come: the newest told incidents with their instants, oldest first."""

    recent: dict[str, Microseconds] = {}
    digest_at: Microseconds = _NEVER
    """While there is a flood: when the next digest is due."""
    version: int = 0
    alert: str = ""
    """The one that made it a flood; its end is noted there."""


class TestMemory(Struct, array_like=True):
    """When a person's channels are to be tested next."""

    when: str
    due: Microseconds
    version: int = 0

    __test__ = False  # pytest: not a class of tests


class DeskMemory(Struct, array_like=True):
    """The instant up to which the desk has decided, and how many incidents it has opened."""

    clock: Microseconds = _NEVER
    incidents: int = 0


class Kept(Protocol):
    """Something the desk remembers under a key, and that may become due."""

    key: str
    armed: Microseconds

    def due(self) -> Microseconds:
        """Return when time alone changes it, 0 for never."""
        ...

    def encoded(self) -> bytes:
        """Return what is kept of it."""
        ...


class Alert:
    """An alert with what is drawn from its memory."""

    def __init__(self, memory: AlertMemory) -> None:
        self.memory = memory
        self.key = f"alert/{memory.id}"
        self.device = DeviceKey.from_path(memory.path)
        self.labels: dict[str, str] = {}
        self.armed: Microseconds = _NEVER

    @property
    def firing(self) -> bool:
        """Whether what raised it still holds."""
        return not self.memory.resolved_at

    @property
    def urgent(self) -> bool:
        """Whether it waits neither for a group nor for a flood to end."""
        return self.memory.protected or self.memory.severity is Severity.CRITICAL

    @property
    def is_alarm(self) -> bool:
        """Whether it is repeated until somebody acknowledges, over or not (EN 81-28): a pressed button, a fire."""
        return self.memory.latching and self.memory.protected

    @property
    def standing(self) -> Standing:
        """How it stands: a pressed alarm button wants somebody even when it was released (EN 81-28)."""
        memory = self.memory
        if memory.resolved_at:
            wanting = self.is_alarm and not memory.acknowledged and not memory.reset
            return Standing.WANTING if wanting else Standing.OVER
        if memory.held:
            return Standing.HELD
        return Standing.ATTENDED if memory.acknowledged else Standing.WANTING

    @property
    def mentioned(self) -> bool:
        """Whether a notification speaks of it: not while it is held, nor of its end when people never heard of it."""
        memory = self.memory
        return not memory.held or (memory.told and not self.firing)

    def due(self) -> Microseconds:
        """Return when its grace ends."""
        return self.memory.grace_until

    def encoded(self) -> bytes:
        """Return what is kept of it."""
        return msgspec.msgpack.encode(self.memory)


def by_age(alerts: Iterable[Alert]) -> list[Alert]:
    """Return ``alerts`` in the order they were raised, whether the desk heard of them in one life or in two."""
    return sorted(alerts, key=lambda alert: alert.memory.number)


class Incident:
    """An incident with its alerts, counted by how they stand, so that no decision has to look at all of them."""

    def __init__(self, memory: IncidentMemory) -> None:
        self.memory = memory
        self.key = f"incident/{memory.id}"
        self.alerts: dict[str, Alert] = {}
        self.fresh: dict[str, Alert] = {}
        self.armed: Microseconds = _NEVER
        self._standings: dict[str, tuple[Standing, int]] = {}
        self._counts = dict.fromkeys(Standing, 0)
        self._attended = [0] * len(RANK)

    def count(self, standing: Standing) -> int:
        """Return how many of its alerts stand so."""
        return self._counts[standing]

    @property
    def over(self) -> bool:
        """Whether none of its alerts fires or wants somebody."""
        return self._counts[Standing.OVER] == len(self.alerts)

    @property
    def worst_attended(self) -> Severity | None:
        """The worst severity that somebody has seen and that still fires."""
        return next((severity for severity, rank in RANK.items() if self._attended[rank]), None)

    def place(self, alert: Alert) -> None:
        """Count ``alert`` as it stands now; one that was not in it joins."""
        its_id = alert.memory.id
        self._forget(its_id)
        standing, rank = alert.standing, RANK[alert.memory.severity]
        self.alerts[its_id] = alert
        self._standings[its_id] = standing, rank
        self._counts[standing] += 1
        if standing is Standing.ATTENDED:
            self._attended[rank] += 1

    def remove(self, alert: Alert) -> None:
        """Let ``alert`` leave."""
        its_id = alert.memory.id
        self._forget(its_id)
        self.alerts.pop(its_id, None)
        self.fresh.pop(its_id, None)

    def _forget(self, its_id: str) -> None:
        if (before := self._standings.pop(its_id, None)) is not None:
            standing, rank = before
            self._counts[standing] -= 1
            if standing is Standing.ATTENDED:
                self._attended[rank] -= 1

    def due(self) -> Microseconds:
        """Return when the next thing is to be said."""
        memory = self.memory
        instants = (memory.flush_at, memory.step_at, memory.repeat_at, memory.unattended_at)
        return min((instant for instant in instants if instant), default=_NEVER)

    def encoded(self) -> bytes:
        """Return what is kept of it."""
        return msgspec.msgpack.encode(self.memory)


class Flood:
    """The notifications of one community, counted; ``waiting`` are incidents for the next digest, by receiver."""

    def __init__(self, community: str, memory: FloodMemory) -> None:
        self.community = community
        self.memory = memory
        self.key = f"flood/{community}"
        self.waiting: dict[str, dict[str, Incident]] = {}
        self.armed: Microseconds = _NEVER

    def due(self) -> Microseconds:
        """Return when the next digest is due."""
        return self.memory.digest_at

    def encoded(self) -> bytes:
        """Return what is kept of it."""
        return msgspec.msgpack.encode(self.memory)


class ChannelTest:
    """The weekly test of a person's channels: an appointment by the wall clock, which is ``wall_ahead``."""

    def __init__(self, person: str, memory: TestMemory, wall_ahead: Microseconds = 0) -> None:
        self.person = person
        self.memory = memory
        self.wall_ahead = wall_ahead
        self.key = f"test/{person}"
        self.armed: Microseconds = _NEVER

    def due(self) -> Microseconds:
        """Return when the next test is due, by the steady clock."""
        return self.memory.due - self.wall_ahead

    def encoded(self) -> bytes:
        """Return what is kept of it."""
        return msgspec.msgpack.encode(self.memory)
