"""Which lifts are asked for a test of their car alarm, and when: those unheard for long. `due` is pure."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta

import structlog
from msgspec import Struct

from core.clock import Clock, moment
from core.devices import DeviceKey
from core.errors import TemporaryError

_log = structlog.get_logger()
# EN 81-28 / GB/T 24475-2023 want an automatic test call at least every 3 days. Ours: half a day before that is enough
# to ask several times, and late enough to leave alone every lift that tests by itself.
ASK_AFTER = timedelta(days=2, hours=12)
# A lift that is asked while its line is dead would otherwise call without end.
ASK_EVERY = timedelta(hours=1)
LOOK_SECONDS = 60.0
# A test is a call to the same reception: ours, so that a thousand lifts whose tests are due do not ring there at once.
_ASKED_AT_ONCE = 20
# One read of the telemetry store for each; after a start every lift is looked up once, then each about every two days.
_LOOKED_UP_AT_ONCE = 200


class KnownLift(Struct, frozen=True):
    """A lift in service, and when its first word came."""

    lift: DeviceKey
    first_heard: datetime


Lifts = Callable[[], Awaitable[Sequence[KnownLift]]]
"""Returns every lift that was ever heard and is not retired. Raises `TemporaryError`."""
LastTest = Callable[[DeviceKey, datetime, datetime], Awaitable[datetime | None]]
"""Returns when a lift last reported a test, passed or failed, within a span of time. Raises `TemporaryError`."""
Ask = Callable[[Sequence[DeviceKey], datetime], Awaitable[None]]
"""Asks each for a test, and returns when the broker has it. Raises `TemporaryError`; may be repeated."""


class AlarmTests(Struct, frozen=True):
    """What is known of the tests of one lift: the newest one heard, passed or failed, and the newest asked for."""

    lift: DeviceKey
    first_heard: datetime
    tested: datetime | None = None
    asked: datetime | None = None

    @property
    def ask_at(self) -> datetime:
        """When it is to be asked: a lift that never tested counts from its first word."""
        waited = max(self.first_heard, self.tested or self.first_heard) + ASK_AFTER
        return waited if self.asked is None else max(waited, self.asked + ASK_EVERY)


def due(lifts: Iterable[AlarmTests], now: datetime) -> list[AlarmTests]:
    """Return those to be asked at ``now``, the longest due first."""
    waiting = [each for each in lifts if each.ask_at <= now]
    return sorted(waiting, key=lambda each: (each.ask_at, each.lift.path))


class AlarmTestAsking:
    """Runs until cancelled.

    Who was asked is not kept over a restart; so nobody is asked in the first hour after a start, and no lift more often
    than once an hour however often it is started.
    """

    def __init__(self, lifts: Lifts, last_test: LastTest, ask: Ask, clock: Clock) -> None:
        self._lifts = lifts
        self._last_test = last_test
        self._ask = ask
        self._clock = clock
        self._started = clock.steady()
        self._asked: dict[DeviceKey, datetime] = {}
        self._tested: dict[DeviceKey, datetime] = {}
        self.asked = 0
        """How often a lift was asked since the start."""
        self.detail = ""
        """What is in the way, empty when nothing is."""

    async def run(self) -> None:
        """Look once a minute."""
        while True:
            try:
                await self.look()
                self._told("")
            except TemporaryError as error:
                self._told(str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Ask those that are due now. Raises `TemporaryError`; what was not done is done the next time."""
        now = moment(self._clock)
        known = [self._tests(each, now.ahead) for each in await self._lifts()]
        self._forget({each.lift for each in known})
        wanted: list[DeviceKey] = []
        for each in due(known, now.steady)[:_LOOKED_UP_AT_ONCE]:
            if len(wanted) < _ASKED_AT_ONCE and await self._is_untested(each, now.wall):
                wanted.append(each.lift)
        if wanted:
            await self._ask(wanted, now.wall)
            self._asked.update(dict.fromkeys(wanted, now.steady))
            self.asked += len(wanted)
            _log.info("alarm_test.asked", lifts=len(wanted), first=wanted[0].path)

    def _tests(self, known: KnownLift, ahead: timedelta) -> AlarmTests:
        """Return what is known by the steady clock; what was stamped by the wall clock as that goes now."""
        lift, tested = known.lift, self._tested.get(known.lift)
        asked = self._asked.get(lift, self._started)
        return AlarmTests(lift, known.first_heard - ahead, tested and tested - ahead, asked)

    async def _is_untested(self, tests: AlarmTests, now: datetime) -> bool:
        """Look up whether a test was heard of since the one that is known."""
        tested = await self._last_test(tests.lift, now - ASK_AFTER, now)
        if tested is None:
            return True
        self._tested[tests.lift] = tested
        return False

    def _forget(self, in_service: set[DeviceKey]) -> None:
        self._asked = {lift: at for lift, at in self._asked.items() if lift in in_service}
        self._tested = {lift: at for lift, at in self._tested.items() if lift in in_service}

    def _told(self, detail: str) -> None:
        if detail and not self.detail:
            _log.warning("alarm_test.away", reason=detail)
        self.detail = detail
