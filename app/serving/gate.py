"""Which HTTP connections may stay: limits in all and for one client network, and deadlines for slow clients.

A connection is in one of three phases. In `REQUEST_HEAD` and `REQUEST_BODY` the server waits for the client; both
have a deadline. In `RESPONSE` the server works or streams, for hours if need be. A newcomer at a full gate takes the
place of the connection that has waited longest in the first two phases: of its own network where that network is at
its limit, of any where all places are taken. Connections without any answer so far go first, those that have read
nothing of what waits for them for some seconds last. So 1,000 half-open connections make no honest client wait, because
an honest request is complete within milliseconds. Only when every place is in `RESPONSE` the newcomer is refused.

Example with 2 places: A (half a header) and B (a live stream) are open. C comes: A is dropped. D comes while C answers:
D is refused.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import chain
from typing import Protocol

from api.take_backs import network_of

# A sweep counts this at most, however late it comes: what our own process slept through is no fault of the clients.
LONGEST_STEP_SECONDS = 2.0
# A client that takes less than this of what waits for it, within the write time-out, is not reading.
LEAST_PROGRESS_BYTES = 4 * 1024
# The kernel takes 128 KiB at once, so an answer that still waits after so long is a large one that nobody reads.
UNREAD_SECONDS = 5.0


class Phase(Enum):
    """What a connection is at."""

    REQUEST_HEAD = auto()
    REQUEST_BODY = auto()
    RESPONSE = auto()


class Transport(Protocol):
    """The part of `asyncio.Transport` that the gate uses."""

    def get_write_buffer_size(self) -> int: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


@dataclass(frozen=True)
class GateLimits:
    """How many connections, and how many seconds for each thing that a client has to do."""

    connections: int
    per_network: int
    head_seconds: float
    body_seconds: float
    write_seconds: float


@dataclass
class GateStats:
    """Counted since the start."""

    accepted: int = 0
    crowded: int = 0
    """Newcomers that found every place taken, whether one was made free for them or not."""
    refused: int = 0
    evicted: int = 0
    timed_out: int = 0
    stalled: int = 0


class Slot:
    """The place of one connection; ``since`` is when its phase began, on the gate's own count of seconds."""

    def __init__(self, network: str, now: float) -> None:
        self.network = network
        self.phase = Phase.REQUEST_HEAD
        self.since = now
        self.transport: Transport | None = None
        self.answered = False
        self.closing = False
        self._unsent = 0
        self._taken = 0
        self._progress_at = now

    @property
    def gives_way(self) -> bool:
        """Whether a newcomer may take this place: no request of it is complete and no answer to it under way."""
        transport = self.transport
        return self.phase is not Phase.RESPONSE and transport is not None and not transport.get_write_buffer_size()

    def unread(self, now: float) -> bool:
        """Tell whether its client has taken almost nothing of what waits for it for some seconds."""
        transport = self.transport
        return bool(transport and transport.get_write_buffer_size()) and now - self._progress_at > UNREAD_SECONDS

    def stalls(self, now: float, limit_seconds: float) -> bool:
        """Tell whether the client has taken almost nothing of what waits for it for ``limit_seconds``.

        Called regularly: progress is what the unsent bytes shrank by between two calls.
        """
        unsent = self.transport.get_write_buffer_size() if self.transport else 0
        self._taken += max(0, self._unsent - unsent)
        self._unsent = unsent
        if unsent == 0 or self._taken >= LEAST_PROGRESS_BYTES:
            self._taken, self._progress_at = 0, now
        return now - self._progress_at > limit_seconds


class ConnectionGate:
    """Counts connections by network and drops those that have to go. Belongs to one event loop.

    ``exempt`` tells which hosts are under the limit in all only: a reverse proxy, behind which everybody is.
    """

    def __init__(self, limits: GateLimits, exempt: Callable[[str], bool]) -> None:
        self.limits = limits
        self.stats = GateStats()
        self._exempt = exempt
        self._slots: dict[Slot, None] = {}
        # In the order in which they began to wait for their clients: those without a request yet, and those kept alive
        # after an answer, whose clients may be sending the next request at this moment.
        self._new: dict[Slot, None] = {}
        self._kept: dict[Slot, None] = {}
        self._by_network: Counter[str] = Counter()
        self._swept_at: float | None = None
        self._elapsed = 0.0

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self._slots)

    @property
    def full(self) -> bool:
        """Whether every place is taken."""
        return self.open >= self.limits.connections

    def admit(self, host: str) -> Slot | None:
        """Return a place for a connection from ``host``, made free if need be; `None` when there is none."""
        network = "" if self._exempt(host) else network_of(host)
        if network and self._by_network[network] >= self.limits.per_network:
            room = self._evict(slot for slot in self._dispensable if slot.network == network)
        else:
            self.stats.crowded += self.full
            room = not self.full or self._evict(self._dispensable)
        if not room:
            self.stats.refused += 1
            return None
        self.stats.accepted += 1
        slot = Slot(network, self._elapsed)
        self._slots[slot] = self._new[slot] = None
        self._by_network[network] += 1
        return slot

    def enter(self, slot: Slot, phase: Phase) -> None:
        """Take note that ``slot`` begins a phase, perhaps the one it was in."""
        slot.phase, slot.since = phase, self._elapsed
        slot.answered = slot.answered or phase is Phase.RESPONSE
        self._forget_wait(slot)
        if phase is not Phase.RESPONSE and slot in self._slots:
            (self._kept if slot.answered else self._new)[slot] = None

    def _forget_wait(self, slot: Slot) -> None:
        self._new.pop(slot, None)
        self._kept.pop(slot, None)

    @property
    def _dispensable(self) -> Iterator[Slot]:
        """Those that give way, in the order in which they do."""
        waiting = (slot for slot in chain(self._new, self._kept) if slot.gives_way)
        return chain(waiting, (slot for slot in self._slots if slot.unread(self._elapsed)))

    def leave(self, slot: Slot) -> None:
        """Free the place; calling it again does nothing."""
        if slot not in self._slots:
            return
        del self._slots[slot]
        self._forget_wait(slot)
        self._by_network[slot.network] -= 1
        if not self._by_network[slot.network]:
            del self._by_network[slot.network]

    def give_way(self, count: int) -> None:
        """Drop up to ``count`` of those that have waited longest: descriptors are short."""
        for _ in range(count):
            if not self._evict(self._dispensable):
                return

    def sweep(self, now: float) -> None:
        """End what is overdue; about once a second. ``now`` is in seconds on a clock that only rises."""
        if self._swept_at is not None:
            self._elapsed += min(now - self._swept_at, LONGEST_STEP_SECONDS)
        self._swept_at = now
        for slot in list(self._slots):
            if slot.stalls(self._elapsed, self.limits.write_seconds):
                self.stats.stalled += 1
                self._drop(slot)
            elif self._overdue(slot) and slot.transport is not None and not slot.closing:
                self.stats.timed_out += 1
                slot.closing = True
                # Not aborted: a former answer may still be on its way, and `stalls` sees to its end.
                slot.transport.close()

    def _overdue(self, slot: Slot) -> bool:
        waited = self._elapsed - slot.since
        if slot.phase is Phase.REQUEST_HEAD:
            return waited > self.limits.head_seconds
        return slot.phase is Phase.REQUEST_BODY and waited > self.limits.body_seconds

    def _evict(self, candidates: Iterator[Slot]) -> bool:
        oldest = next(candidates, None)
        if oldest is None:
            return False
        self.stats.evicted += 1
        self._drop(oldest)
        return True

    def _drop(self, slot: Slot) -> None:
        self.leave(slot)
        if slot.transport is not None:
            slot.transport.abort()
