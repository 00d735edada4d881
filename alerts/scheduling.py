"""Which messages are decided now, and which later: budgets for devices and communities before the engine.

One sender that says too much must not delay another one's alarm button. Messages of a device beyond its budget are
*deferred*: the journal keeps them, and each turn of the service decides a few of them after all that is new. Whatever
the same device sends meanwhile waits behind them, so the order of one device is always that of the journal. Devices
that rules compare with each other form one *queue* and wait together.

Example: a lift sends 20,000 readings in a second. About 500 are decided at once. The positions of the others are kept
as numbers, 8 bytes each, and its own time stands still (`alerts.pausing`). A button at another lift is decided with the
next turn. The readings are decided in turns of 256, and once none is left the lift is like any other again.

Budgets count by the instants at which messages were received, so that catching up after an absence defers nothing that
was not too much then. They decide only what goes first, never what comes of it.
"""

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from alerts.floods import FloodWatch
from alerts.memory import Microseconds
from alerts.pausing import SHARED, Pauses
from core.clock import to_microseconds
from core.devices import Channel, DeviceKey
from core.observations import Entry
from core.wire.topics import UnknownTopic, parse

_SECOND: Microseconds = 1_000_000
# Measured: a reading of a lift costs 10 µs in the engine, a look of a camera at 64 regions (6.5 KiB) 500 to 800 µs, an
# event 80 µs and mostly a commit.
_BYTES_PER_UNIT = 512
_EVENT_UNITS = 5
# Below a tenth of its burst a known device is decided at once even where its community is beyond its budget.
_LIGHT_SHARE = 0.1
_LIMITS_REMEMBERED = 65_536


class Budget(Struct, frozen=True):
    """What may be decided at once: ``rate`` units a second, ``burst`` units together; a plain reading is one unit."""

    rate: float
    burst: float


class Budgets(Struct, frozen=True):
    """The budgets of each device and of each community."""

    device: Budget = Budget(50, 500)
    community: Budget = Budget(5_000, 50_000)
    backlog_units: int = 256
    """How much of what was deferred is decided between two looks at what is new: about 20 ms of work."""
    positions_at_most: int = 2_000_000
    """How many positions of deferred messages are kept (16 MB); for the rest the journal is searched."""
    queues_at_most: int = 1_000
    """Beyond so many queues that wait, unregistered devices share one (`alerts.pausing.SHARED`)."""


class RateLimiter:
    """One budget for each key, by the generic cell rate algorithm: one instant is all that is kept of a key."""

    def __init__(self, budget: Budget) -> None:
        self._per_unit = _SECOND / budget.rate
        self._burst = self._per_unit * budget.burst
        self._full_at: dict[object, float] = {}
        """When each budget will be whole again."""

    def owed(self, key: object, units: float, now: Microseconds) -> float:
        """Return how much of its burst a key has used with ``units`` more: above 1 it is beyond its budget."""
        used = self._full_at.get(key, now) - now
        return (max(used, 0) + units * self._per_unit) / self._burst

    def charge(self, key: object, owed: float, now: Microseconds) -> None:
        """Take what `owed` returned, at most the burst."""
        self._full_at[key] = now + min(owed, 1) * self._burst
        if len(self._full_at) > _LIMITS_REMEMBERED:
            self._forget(now)

    def _forget(self, now: Microseconds) -> None:
        """Forget whole budgets, which is what a key has that is not remembered; in need also those that are not."""
        kept = {key: at for key, at in self._full_at.items() if at > now}
        self._full_at = {} if len(kept) > _LIMITS_REMEMBERED // 2 else kept


class Backlog:
    """The deferred messages of one queue, by position. Beyond what is ``indexed``, the rest begins after a position."""

    def __init__(self, beyond: DeviceKey | str | None = None, *, is_shared: bool = False) -> None:
        self.beyond = beyond
        """The device or community whose budget it is beyond, where that is known."""
        self.is_shared = is_shared
        self.count = 0
        self.events = 0
        """How many of them are events: an alarm may be among them."""
        self._positions = array("q")
        self._next = 0
        self._rest_after: int | None = None

    @property
    def first(self) -> int:
        """The position of the oldest message, or one before it where the journal has to be searched."""
        if self._next < len(self._positions):
            return self._positions[self._next]
        return (self._rest_after or 0) + 1

    @property
    def indexed(self) -> int:
        """How many positions are kept."""
        return len(self._positions) - self._next

    @property
    def searching(self) -> bool:
        """Whether the next message has to be searched for."""
        return not self.indexed and self.count > 0

    def add(self, position: int, *, event: bool, index: bool) -> None:
        """Take note of a message behind all others; without ``index`` it is searched for when its turn comes."""
        self.count += 1
        self.events += event
        if self._rest_after is not None:
            return
        if index:
            self._positions.append(position)
        else:
            self._rest_after = position - 1

    def has(self, position: int, after: int) -> bool:
        """Tell whether the message at ``position``, which is of this queue, is the next one; all from ``after`` on were
        looked at."""
        return position == self.first if self.indexed else self.searching and after < self.first <= position

    def pop(self, position: int, *, event: bool) -> None:
        """Note that the next message was decided."""
        self.count -= 1
        self.events -= event
        if self.indexed:
            self._next += 1
            if self._next >= 4_096:
                del self._positions[: self._next]
                self._next = 0
        else:
            self._rest_after = position

    def searched(self, position: int) -> None:
        """Note that up to ``position`` there is none."""
        if self.searching:
            self._rest_after = max(position, self._rest_after or 0)


class Scheduler:
    """Sorts what the journal holds into what is decided now and what waits.

    ``pauses`` names the devices whose messages need one order, and is told of each queue that gets a backlog, with the
    instant of its first message. ``decided`` says up to which position the messages of a device were decided, 0 for one
    never heard.
    """

    def __init__(self, budgets: Budgets, pauses: Pauses, *, decided: Callable[[DeviceKey], int]) -> None:
        self._devices = RateLimiter(budgets.device)
        self._communities = RateLimiter(budgets.community)
        self._pauses = pauses
        self._queue_of = pauses.queue_of
        self._decided = decided
        self._queues_at_most = budgets.queues_at_most
        self._free = budgets.positions_at_most
        self._backlogs: dict[DeviceKey, Backlog] = {}
        self._turns: deque[DeviceKey] = deque()
        self._events_first = False
        self._again_until = 0
        self.floods = FloodWatch()
        self.deferred = 0
        """How many messages were deferred so far."""

    def __bool__(self) -> bool:
        """Tell whether anything waits."""
        return bool(self._backlogs)

    @property
    def backlog(self) -> int:
        """How many messages wait."""
        return sum(backlog.count for backlog in self._backlogs.values())

    @property
    def searches(self) -> bool:
        """Tell whether the queue whose turn it is has to be searched for in the journal."""
        return self._backlogs[self._turns[-1]].searching

    def floor(self, read: int) -> int:
        """Return the position up to which everything is decided, where up to ``read`` all is but what waits."""
        return min([read, *(backlog.first - 1 for backlog in self._backlogs.values() if backlog.count)])

    def restart(self, until: int) -> None:
        """Forget all backlogs: the journal is sorted again, of which much up to ``until`` was decided before.

        What was not is deferred whatever the budget: others were decided beyond it.
        """
        self._free += sum(backlog.indexed for backlog in self._backlogs.values())
        self._backlogs, self._again_until = {}, until
        self._turns.clear()

    def sort(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return those of ``entries`` that are to be decided now, in their order; defer the others."""
        now: list[Entry] = []
        for entry in entries:
            device = device_of(entry)
            if device is None or entry.duplicate:
                now.append(entry)
                continue
            again = entry.position <= self._again_until
            if again and entry.position <= self._decided(device):
                continue
            received = received_at(entry)
            backlog = self._backlogs.get(self._queue_of(device)) if self._backlogs else None
            if backlog is None:
                beyond = None if again else self._beyond(device, entry, received)
                if beyond is None and not again:
                    now.append(entry)
                    continue
                backlog = self._begin(device, received, beyond)
            self._defer(backlog, entry)
            self.floods.note(device.community if backlog.is_shared else backlog.beyond or device)
        return now

    def _begin(self, device: DeviceKey, received: Microseconds, beyond: DeviceKey | str | None) -> Backlog:
        crowded = len(self._backlogs) >= self._queues_at_most and self._pauses.may_share(device)
        queue = SHARED if crowded else self._queue_of(device)
        backlog = self._backlogs[queue] = Backlog(beyond, is_shared=crowded)
        self._turns.append(queue)
        self._pauses.begin(queue, received)
        return backlog

    def _defer(self, backlog: Backlog, entry: Entry) -> None:
        self.deferred += 1
        before = backlog.indexed
        backlog.add(entry.position, event=is_event(entry), index=self._free > 0)
        self._free -= backlog.indexed - before

    def _beyond(self, device: DeviceKey, entry: Entry, received: Microseconds) -> DeviceKey | str | None:
        """Return the device or the community whose budget ``entry`` is beyond; take it from both where it is not."""
        cost, community = units(entry), device.community
        by_device = self._devices.owed(device, cost, received)
        if by_device > 1:
            return device
        by_community = self._communities.owed(community, cost, received)
        if by_community > 1 and not (by_device <= _LIGHT_SHARE and self._decided(device)):
            return community
        self._devices.charge(device, by_device, received)
        self._communities.charge(community, by_community, received)
        return None

    def next_turn(self) -> int:
        """Return the position behind which the next queue has its first message.

        Queues take turns, and every other turn is for those in which events wait: alarms before telemetry.
        """
        self._turns.rotate(-1)
        self._events_first = not self._events_first
        if self._events_first:
            urgent = next((queue for queue in self._turns if self._backlogs[queue].events), self._turns[-1])
            self._turns.remove(urgent)
            self._turns.append(urgent)
        return self._backlogs[self._turns[-1]].first - 1

    def due(self, entries: Sequence[Entry], after: int, most: int) -> Iterator[Entry]:
        """Yield those of ``entries`` that are the next of their queue, of ``most`` units together.

        ``entries`` are the next ones above ``after``, which `next_turn` returned.
        """
        spent, turn = 0, self._turns[-1]
        for entry in entries:
            device = device_of(entry)
            if device is None or entry.duplicate:
                continue
            queue = self._queue_of(device)
            backlog = self._backlogs.get(queue)
            if backlog is None or not backlog.has(entry.position, after) or entry.position <= self._decided(device):
                continue
            if spent >= most:
                return
            spent += units(entry)
            self._free += backlog.indexed > 0
            backlog.pop(entry.position, event=is_event(entry))
            yield entry
        if (backlog := self._backlogs.get(turn)) is not None and entries:
            backlog.searched(entries[-1].position)

    def problems(self, now: Microseconds) -> dict[str, str]:
        """Return who floods, as components (`alerts.floods`); while something waits, nobody has stopped."""
        if not self._backlogs:
            self.floods.forget(now)
        return self.floods.problems()

    def emptied(self) -> list[DeviceKey]:
        """Return the queues of which nothing waits any more, and forget them."""
        empty = [queue for queue, backlog in self._backlogs.items() if not backlog.count]
        for queue in empty:
            del self._backlogs[queue]
        if empty:
            self._turns = deque(queue for queue in self._turns if queue in self._backlogs)
        return empty


def device_of(entry: Entry) -> DeviceKey | None:
    """Return the device whose topic an entry came on, ``None`` where the topic names none."""
    try:
        return parse(entry.topic)[0]
    except UnknownTopic:
        return None


def received_at(entry: Entry) -> Microseconds:
    """Return when an entry was received, by the steady clock."""
    return to_microseconds(entry.received_at) - entry.wall_ahead


def units(entry: Entry) -> int:
    """Return what an entry costs: by its size, and more for an event."""
    cost = 1 + len(entry.payload) // _BYTES_PER_UNIT
    return cost + _EVENT_UNITS if is_event(entry) else cost


def is_event(entry: Entry) -> bool:
    """Tell whether an entry came on the topic of a device's events."""
    return entry.topic.endswith(Channel.EVENT.value)


def slices(entries: Iterable[Entry], most: int) -> Iterator[list[Entry]]:
    """Yield ``entries`` in parts of about ``most`` units."""
    part: list[Entry] = []
    spent = 0
    for entry in entries:
        part.append(entry)
        spent += units(entry)
        if spent >= most:
            yield part
            part, spent = [], 0
    if part:
        yield part
