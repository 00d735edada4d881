"""The deliverer: takes what is due from the outbox and tries until the receiver has it or it makes no sense."""

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog

from alerts.dispatch.model import CallPage, OutboxEntry, Purpose
from alerts.model import Severity
from alerts.notify.book import Channel, MessengerBook
from alerts.notify.lane import Lane, Pace
from alerts.notify.patience import Patience
from alerts.persistence import Persistence
from alerts.ports import Outbox
from core.clock import Clock
from core.errors import PermanentError, TemporaryError

_SEVERITIES = list(Severity)
_log = structlog.get_logger()

LaneKey = tuple[str, bool]
"""A receiver, and whether it is about calls."""
Wait = Callable[[asyncio.Event, float], Awaitable[None]]


@dataclass(frozen=True)
class Limits:
    """How much is on its way at once, in all and to one receiver, and how long an attempt and the stop may take.

    Pages of emergency calls have room of their own: nothing else can take it. The outbox is looked at every
    ``poll_seconds`` without being woken: what another process writes rings no bell here, and a call must not wait for
    one. Looking costs about a millisecond.
    """

    in_flight: int = 64
    per_receiver: int = 4
    calls_in_flight: int = 128
    calls_per_receiver: int = 32
    attempt_seconds: float = 60.0
    stop_seconds: float = 10.0
    poll_seconds: float = 0.1


@dataclass
class DelivererStats:
    """What was done since the start; ``failing`` says since when which receiver has failed, and why."""

    delivered: int = 0
    postponed: int = 0
    given_up: int = 0
    retries: int = 0
    in_flight: int = 0
    detail: str = ""
    failing: dict[str, tuple[datetime, str]] = field(default_factory=dict)


class Deliverer:
    """Delivers at least once, in order within each (receiver, incident), and every receiver at its own speed.

    What was delivered but not yet recorded when the process died is sent again, with the same id. A message is tried
    once at least, however old it is.
    """

    def __init__(
        self,
        outbox: Outbox,
        book: MessengerBook,
        clock: Clock,
        *,
        limits: Limits | None = None,
        patience: Patience | None = None,
        wait: Wait | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._outbox = outbox
        self._book = book
        self._clock = clock
        self._limits = limits or Limits()
        self._patience = patience or Patience()
        self._wait = wait or wait_for
        self._woken = asyncio.Event()
        self._lanes: dict[LaneKey, Lane] = {}
        self._paces: dict[str, Pace] = {}
        self._flying: dict[int, asyncio.Task[None]] = {}
        self._flying_calls: set[int] = set()
        self._broken: BaseException | None = None
        self.stats = DelivererStats()
        self._persist = Persistence(self.stats, pause)

    def wake(self) -> None:
        """Say that the outbox holds something new, or that the plan has changed; from this loop's thread."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled; then let what is on its way end, within a few seconds. May be called again."""
        self._broken = None
        try:
            while True:
                await self._turn()
        finally:
            await self._land()

    async def _turn(self) -> None:
        self._woken.clear()
        next_due = await self._next_due()
        if next_due is not None and next_due <= self._clock.steady():
            while await self._take(calls=True) or await self._take(calls=False):
                pass
            next_due = await self._next_due()
        await self._wait(self._woken, self._idle_seconds(next_due))
        if self._broken is not None:
            raise self._broken

    async def _take(self, *, calls: bool) -> bool:
        """Begin what may begin now, of calls or of all else; True when more may be behind it."""
        now = self._clock.steady()
        # Those on their way are still due by the records, and stand at the front. One that ends while the records are
        # asked may be in the answer all the same: as it was.
        flying = frozenset(self._flying_calls if calls else self._flying.keys() - self._flying_calls)
        room = (self._limits.calls_in_flight if calls else self._limits.in_flight) - len(flying)
        if room <= 0:
            return False
        limit = room + len(flying)
        asked = partial(self._outbox.due, now, limit, self._busy(now, calls=calls), calls=calls)
        entries = await self._persist("outbox.due", asked)
        begun = 0
        for entry in sorted(entries, key=_urgency):
            if entry.number not in flying and begun < room:
                begun += self._begin(entry, now)
        # A shorter answer was all there is: what of it waits for a slot is begun when one is free.
        return begun > 0 and len(entries) == limit

    def _busy(self, now: datetime, *, calls: bool) -> frozenset[str]:
        """Return the receivers that can take nothing now; what waits for them must not hide what waits for others."""
        lanes = {receiver: lane for (receiver, of_calls), lane in self._lanes.items() if of_calls is calls}
        for receiver, lane in lanes.items():
            self._renew(lane, self._book.find(receiver))
        return frozenset(receiver for receiver, lane in lanes.items() if not lane.may_begin(now))

    @staticmethod
    def _renew(lane: Lane, channel: Channel | None) -> None:
        lane.use(channel, channel.per_minute if channel else None)

    def _lane(self, entry: OutboxEntry) -> Lane:
        receiver, calls = entry.intent.receiver, _is_call(entry)
        if (known := self._lanes.get((receiver, calls))) is not None:
            return known
        slots = self._limits.calls_per_receiver if calls else self._limits.per_receiver
        made = Lane(slots, self._paces.setdefault(receiver, Pace()), calls=calls)
        return self._lanes.setdefault((receiver, calls), made)

    def _begin(self, entry: OutboxEntry, now: datetime) -> bool:
        lane, channel = self._lane(entry), self._book.find(entry.intent.receiver)
        self._renew(lane, channel)
        if not lane.may_begin(now):
            return False
        lane.begin(now)
        task = asyncio.create_task(self._attempt(entry, channel, lane), name=f"deliver {entry.number}")
        self._flying[entry.number] = task
        if _is_call(entry):
            self._flying_calls.add(entry.number)
        self.stats.in_flight = len(self._flying)
        task.add_done_callback(partial(self._ended, entry.number, lane))
        return True

    def _ended(self, number: int, lane: Lane, task: asyncio.Task[None]) -> None:
        lane.end()
        del self._flying[number]
        self._flying_calls.discard(number)
        self.stats.in_flight = len(self._flying)
        if not task.cancelled() and task.exception() is not None:
            self._broken = task.exception()
        self._woken.set()

    async def _attempt(self, entry: OutboxEntry, channel: Channel | None, lane: Lane) -> None:
        """Try once and record what came of it."""
        try:
            said = await self._delivered(entry, channel)
        except PermanentError as error:
            await self._give_up(entry, lane, str(error))
        except TemporaryError as error:
            await self._failed(entry, lane, error)
        else:
            lane.take(entry.number)
            self._recovered(entry)
            self.stats.delivered += 1
            _log.info("notification.delivered", **_facts(entry), answer=said)
            now = self._clock.steady()
            await self._persist("outbox.delivered", partial(self._outbox.delivered, entry.number, now, said))

    async def _delivered(self, entry: OutboxEntry, channel: Channel | None) -> str:
        if channel is None:
            raise PermanentError(f"receiver {entry.intent.receiver!r} is not in the plan any more")
        try:
            async with asyncio.timeout(self._limits.attempt_seconds):
                return await channel.messenger.deliver(entry.intent)
        except TimeoutError as error:
            raise TemporaryError(f"gave no answer within {self._limits.attempt_seconds:g} s") from error
        except (PermanentError, TemporaryError):
            raise
        except Exception as error:
            # A task's border: one messenger's mistake must not stop the others. Where, but not what: the text of a
            # library's error may hold an address with its secret.
            place = traceback.extract_tb(error.__traceback__)[-1]
            raise TemporaryError(f"unexpected {type(error).__name__} in {place.name}, line {place.lineno}") from error

    async def _failed(self, entry: OutboxEntry, lane: Lane, error: TemporaryError) -> None:
        now, asked, calls = self._clock.steady(), getattr(error, "retry_after", None), _is_call(entry)
        pause = partial(self._patience.pause, asked_seconds=asked, calls=calls)
        lane.fail(now, pause(lane.failures + 1, random.random()))  # noqa: S311 - jitter, not a secret
        self._note_failing(entry, lane, str(error))
        attempts = entry.attempts + 1
        until = now + pause(attempts, random.random())  # noqa: S311 - the same
        if self._patience.is_poisoned(attempts, lane.doubt(entry.number)):
            await self._record_given_up(entry, lane, f"given up after {attempts} attempts, others were taken: {error}")
            return
        if self._patience.is_over(entry, until):
            lasted = _hours(self._patience.lifetimes[entry.intent.purpose])
            await self._record_given_up(entry, lane, f"given up after {lasted}: {error}")
            return
        self.stats.postponed += 1
        await self._persist("outbox.postpone", partial(self._outbox.postpone, entry.number, now, until, str(error)))

    async def _give_up(self, entry: OutboxEntry, lane: Lane, reason: str) -> None:
        # It answered, so it is there: what else waits for it is tried.
        lane.recover()
        self._recovered(entry)
        await self._record_given_up(entry, lane, reason)

    async def _record_given_up(self, entry: OutboxEntry, lane: Lane, reason: str) -> None:
        lane.forget(entry.number)
        self.stats.given_up += 1
        _log.warning("notification.given_up", **_facts(entry), reason=reason)
        now = self._clock.steady()
        await self._persist("outbox.give_up", partial(self._outbox.give_up, entry.number, now, reason))

    def _note_failing(self, entry: OutboxEntry, lane: Lane, reason: str) -> None:
        receiver = entry.intent.receiver
        known = self.stats.failing.get(receiver)
        if known is None or known[1] != reason:
            _log.warning("receiver.failing", receiver=receiver, reason=reason)
        self.stats.failing[receiver] = (lane.failing_since or self._clock.steady(), reason)

    def _recovered(self, entry: OutboxEntry) -> None:
        if self.stats.failing.pop(entry.intent.receiver, None) is not None:
            _log.info("receiver.recovered", receiver=entry.intent.receiver)

    async def _next_due(self) -> datetime | None:
        return await self._persist("outbox.next_due", self._outbox.next_due)

    def _idle_seconds(self, next_due: datetime | None) -> float:
        now = self._clock.steady()
        instants = [lane.rests_until for lane in self._lanes.values() if lane.rests_until is not None]
        if next_due is not None:
            instants.append(next_due)
        # What is past already waits for a slot, whose end wakes us.
        coming = [(instant - now).total_seconds() for instant in instants if instant > now]
        return min([self._limits.poll_seconds, *coming])

    async def _land(self) -> None:
        """Let what is on its way end; what does not in time is sent again at the next start."""
        flying = set(self._flying.values())
        if not flying:
            return
        try:
            await asyncio.wait(flying, timeout=self._limits.stop_seconds)
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)


async def wait_for(woken: asyncio.Event, seconds: float) -> None:
    """Return when ``woken`` is set, or after ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return


def _facts(entry: OutboxEntry) -> dict[str, str | int]:
    intent = entry.intent
    return {
        "number": entry.number,
        "intent": intent.id,
        "receiver": intent.receiver,
        "incident": intent.incident,
        "purpose": intent.purpose.value,
        "attempt": entry.attempts + 1,
    }


def _is_call(entry: OutboxEntry) -> bool:
    return entry.intent.purpose is Purpose.CALL


def _urgency(entry: OutboxEntry) -> tuple[bool, bool, int, int]:
    """Sort key: where a receiver takes few at a time, a call for help goes first, what is over last.

    In between the worst goes first. Behind a call for help comes news of one, then a drill: no call, but measured.
    """
    intent, calls = entry.intent, _is_call(entry)
    rank = _call_rank(intent.call) if calls else _SEVERITIES.index(intent.severity)
    return not calls, intent.purpose is Purpose.RESOLVED, rank, entry.number


def _call_rank(page: CallPage | None) -> int:
    return 0 if page is None else 2 * page.drill + (page.kind == "update")


def _hours(duration: timedelta) -> str:
    return f"{duration.total_seconds() / 3600:g} h"
