"""Asks lifts for the test of their car alarm when none was heard for long."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from msgspec import Struct

from core.clock import Clock, moment
from core.devices import DeviceKey
from core.errors import TemporaryError
from emergency.selftest import ASK_AFTER, AlarmTests, due

_log = structlog.get_logger()
LOOK_SECONDS = 60.0
# A test is a call to the same reception: ours, so that a thousand lifts whose tests are due do not ring there at once.
_ASKED_AT_ONCE = 20
# One read of the telemetry store for each; after a start every lift is looked up once, then each about every two days.
_LOOKED_UP_AT_ONCE = 200


class KnownLift(Struct, frozen=True):
    """A lift in service, and when its first word came."""

    lift: DeviceKey
    first_heard: datetime


class Lifts(Protocol):
    """The lifts there are."""

    async def in_service(self) -> Sequence[KnownLift]:
        """Return every lift that was ever heard and is not retired. Raises `TemporaryError`."""
        ...


class HeardTests(Protocol):
    """What was heard of tests."""

    async def last_test(self, lift: DeviceKey, since: datetime, until: datetime) -> datetime | None:
        """Return when ``lift`` last told of a test, passed or failed, within that time. Raises `TemporaryError`."""
        ...


class LiftAsker(Protocol):
    """The way to lifts."""

    async def ask(self, lifts: Sequence[DeviceKey], at: datetime) -> None:
        """Ask each for a test, and return when the broker has it. Raises `TemporaryError`; may be repeated."""
        ...


class AlarmTestAsking:
    """Runs until cancelled.

    Who was asked is not kept over a restart; so nobody is asked in the first hour after a start, and no lift more often
    than once an hour however often it is started.
    """

    def __init__(
        self,
        lifts: Lifts,
        heard: HeardTests,
        asker: LiftAsker,
        clock: Clock,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._lifts = lifts
        self._heard = heard
        self._asker = asker
        self._clock = clock
        self._pause = pause
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
            await self._pause(LOOK_SECONDS)

    async def look(self) -> None:
        """Ask those that are due now. Raises `TemporaryError`; what was not done is done the next time."""
        now = moment(self._clock)
        known = [self._tests(each, now.ahead) for each in await self._lifts.in_service()]
        self._forget({each.lift for each in known})
        wanted: list[DeviceKey] = []
        for each in due(known, now.steady)[:_LOOKED_UP_AT_ONCE]:
            if len(wanted) < _ASKED_AT_ONCE and await self._is_untested(each, now.wall):
                wanted.append(each.lift)
        if wanted:
            await self._asker.ask(wanted, now.wall)
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
        tested = await self._heard.last_test(tests.lift, now - ASK_AFTER, now)
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
