"""The part that never sleeps: climbs the ladders of all calls, and turns alerts of lifts into calls."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from core.clock import Clock
from core.errors import Conflict, Stale, TemporaryError
from emergency.acts import EndAlarm, Join
from emergency.ports import AlertStep, AlertSteps, CallRecords, Followed, Places
from emergency.steps import CallRequest
from emergency.switchboard import Switchboard
from emergency.watch import asks_for

_log = structlog.get_logger()
# A press has to become a page at once; looking costs about a millisecond.
LOOK_SECONDS = 0.1
_RETRY_SECONDS = 1.0
_STEPS_AT_ONCE = 100
_PASSED_OVER_AT_MOST = 10_000


@dataclass
class EmergencyStats:
    """What was done since the start; ``detail`` says what is in the way, empty when nothing is."""

    followed: int = 0
    raised: int = 0
    joined: int = 0
    retries: int = 0
    detail: str = ""


class EmergencyService:
    """Runs until cancelled. All it goes by is in the records: what it has not done when it dies is done later."""

    def __init__(
        self,
        switchboard: Switchboard,
        records: CallRecords,
        alert_steps: AlertSteps,
        places: Places,
        clock: Clock,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._switchboard = switchboard
        self._records = records
        self._steps = alert_steps
        self._places = places
        self._clock = clock
        self._pause = pause
        self._after: int | None = None
        self._kept = 0
        self.stats = EmergencyStats()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.turn()
            except (TemporaryError, Stale) as error:
                self._away(str(error))
                await self._pause(_RETRY_SECONDS)
            else:
                self._back()
                await self._pause(LOOK_SECONDS)

    async def turn(self) -> None:
        """Do once what there is to do: ladders first, for they are about people who wait already."""
        await self._switchboard.tick()
        await self._follow()
        for problem in self._switchboard.stuck.values():
            self._note_problem(problem)

    async def _follow(self) -> None:
        if self._after is None:
            self._after = self._kept = await self._steps.followed()
        newest = await self._steps.last_sequence()
        if newest <= self._after:
            return
        while steps := await self._steps.steps(self._after, _STEPS_AT_ONCE):
            for step in steps:
                await self._take_or_pass(step)
                self._after = step.sequence
        # What concerns no call is passed over in memory, and now and then in the records, so that no start is long.
        self._after = max(self._after, newest)
        if self._after - self._kept > _PASSED_OVER_AT_MOST:
            await self._pass_over(self._after)
        self.stats.followed = self._after

    async def _pass_over(self, sequence: int) -> None:
        await self._records.commit([], Followed(self._kept, sequence))
        self._kept = sequence

    async def _take_or_pass(self, step: AlertStep) -> None:
        try:
            await self._take(step)
        except (TemporaryError, Stale):
            raise
        except Exception as error:  # noqa: BLE001 - a task's border: one lift must not keep all others from being heard
            self._note_problem(f"alert {step.alert} of {step.device}: {error!r}")

    async def _take(self, step: AlertStep) -> None:
        asked = asks_for(step)
        if isinstance(asked, EndAlarm):
            await self._end_alarm(step, asked)
        elif asked is not None:
            await self._raise(step, asked)

    async def _raise(self, step: AlertStep, asked: Join) -> None:
        place = await self._places.of_lift(step.device)
        request = CallRequest(asked.source, place, ref=asked.ref)
        followed = Followed(self._kept, step.sequence)
        call, new = await self._switchboard.raise_call(request, step.device, followed=followed)
        self._kept = step.sequence
        self.stats.raised += new
        self.stats.joined += not new
        _log.info("call.raised" if new else "call.joined", call=call.id, lift=step.device, rule=step.rule)

    async def _end_alarm(self, step: AlertStep, asked: EndAlarm) -> None:
        call = await self._records.open_at(step.device, drill=False)
        if call is None:
            await self._pass_over(step.sequence)
            return
        try:
            await self._switchboard.act(call.id, asked, step.device, followed=Followed(self._kept, step.sequence))
        except Conflict as error:
            _log.info("call.reset_passed_over", call=call.id, lift=step.device, reason=str(error))
            await self._pass_over(step.sequence)
        self._kept = step.sequence

    def _away(self, reason: str) -> None:
        self._after = None  # Another one may have followed meanwhile.
        self.stats.retries += 1
        self._note_problem(reason)

    def _note_problem(self, reason: str) -> None:
        if self.stats.detail != reason:
            _log.warning("emergency.waiting", reason=reason)
        self.stats.detail = reason

    def _back(self) -> None:
        if self.stats.detail and not self._switchboard.stuck:
            _log.info("emergency.going_on")
            self.stats.detail = ""
