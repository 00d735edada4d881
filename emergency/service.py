"""The part that never sleeps: climbs the ladders of all calls, and turns alerts of lifts into calls."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from core.errors import Conflict, Stale, TemporaryError
from emergency.acts import EndAlarm
from emergency.model import Caller, Source
from emergency.pending import PendingSteps, coalesced, pressed_after
from emergency.ports import AlertStep, AlertSteps, CallRecords, Followed, KnownLifts, Standing
from emergency.steps import CallRequest
from emergency.switchboard import Switchboard
from emergency.watch import Asked

_log = structlog.get_logger()
# A press has to become a page at once; looking costs about a millisecond.
LOOK_SECONDS = 0.1
_RETRY_SECONDS = 1.0
_STEPS_AT_ONCE = 1_000
_PENDING_AT_MOST = 20_000
# Between two such groups a new press is seen, and ladders climb.
_LIFTS_AT_ONCE = 32
_PASSED_OVER_AT_MOST = 10_000
# The records of all open calls are decoded this often: one may be damaged and have nothing due.
_REPAIR_EVERY_TURNS = 50


@dataclass
class EmergencyStats:
    """What was done since the start; ``detail`` says what is in the way, empty when nothing is."""

    raised: int = 0
    joined: int = 0
    detail: str = ""


class EmergencyService:
    """Runs until cancelled. All it goes by is in the records: what it has not done when it dies is done later."""

    def __init__(
        self,
        switchboard: Switchboard,
        records: CallRecords,
        alert_steps: AlertSteps,
        places: KnownLifts,
    ) -> None:
        self._switchboard = switchboard
        self._records = records
        self._steps = alert_steps
        self._places = places
        self._after: int | None = None
        self._kept = 0
        self._pending = PendingSteps()
        self._turns = 0
        self.stats = EmergencyStats()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.turn()
            except (TemporaryError, Stale) as error:
                self._away(str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._back()
                await asyncio.sleep(LOOK_SECONDS)

    async def turn(self) -> None:
        """Do all there is to do: ladders first, and again between lifts, for they are about people who wait already."""
        await self._repair()
        while True:
            await self._switchboard.tick()
            await self._read_steps()
            await self._serve()
            for problem in (*self._switchboard.stuck.values(), *self._switchboard.unrepaired.values()):
                self._note_problem(problem)
            if not self._pending:
                return

    async def _repair(self) -> None:
        if self._turns % _REPAIR_EVERY_TURNS == 0 or self._switchboard.damaged_due:
            for call in await self._switchboard.repair(self._places):
                _log.error("call.record_damaged", call=call)
        self._turns += 1

    async def _read_steps(self) -> None:
        """Take new steps into the queue, so that a press behind a thousand others is seen at once."""
        if self._after is None:
            self._after = self._kept = await self._steps.followed()
        newest = await self._steps.last_sequence()
        if newest <= self._after:
            return
        while len(self._pending) < _PENDING_AT_MOST:
            steps = await self._steps.steps(self._after, _STEPS_AT_ONCE)
            for step in steps:
                self._pending.add(step)
                self._after = step.sequence
            if len(steps) < _STEPS_AT_ONCE:
                self._after = max(self._after, newest)
                return

    async def _serve(self) -> None:
        """Work on some lifts at the same time: their commits share transactions."""
        if self._pending:
            lifts = self._pending.take(_LIFTS_AT_ONCE, await self._standing())
            came = await asyncio.gather(*map(self._take_or_pass, lifts), return_exceptions=True)
            for error in came:
                if error is not None:
                    raise error
        await self._keep_followed()

    async def _standing(self) -> Standing:
        """Ask how well lifts are known, where not all can be served at once."""
        lifts = self._pending.lifts
        return await self._places.standing(lifts) if len(lifts) > _LIFTS_AT_ONCE else Standing()

    async def _keep_followed(self) -> None:
        """Keep up to where all steps were taken. What is above is taken again after a kill, and is known by its key."""
        oldest, after = self._pending.oldest(), self._after or 0
        reached = after if oldest is None else oldest - 1
        concerned = oldest is None and self._pending.newest > self._kept
        # What concerns no call is passed over in memory, and now and then in the records, so that no start is long.
        if concerned or reached - self._kept > _PASSED_OVER_AT_MOST:
            await self._records.commit([], Followed(self._kept, reached))
            self._kept = reached

    async def _take_or_pass(self, steps: Sequence[AlertStep]) -> None:
        try:
            for asked in coalesced(steps):
                if asked.source is None:
                    await self._end_alarm(asked.step)
                else:
                    await self._raise(asked, asked.source)
        except (TemporaryError, Stale):
            raise
        except Exception as error:  # noqa: BLE001 - a task's border: one lift must not keep all others from being heard
            self._note_problem(f"alert {steps[0].alert} of {steps[0].device}: {error!r}")

    async def _raise(self, asked: Asked, source: Source) -> None:
        step = asked.step
        place, caller = await self._places.of_lift(step.device), Caller(text=step.late)
        request = CallRequest(source, place, caller, ref=asked.ref)
        call, new = await self._switchboard.raise_call(request, step.device, key=f"step/{asked.ref}")
        self.stats.raised += new
        self.stats.joined += not new
        _log.info("call.raised" if new else "call.joined", call=call.id, lift=step.device, rule=step.rule)

    async def _end_alarm(self, step: AlertStep) -> None:
        call = await self._records.open_at(step.device, drill=False)
        if call is None or pressed_after(call, step.sequence):
            return
        try:
            await self._switchboard.act(call.id, EndAlarm("device"), step.device)
        except Conflict as error:
            _log.info("call.reset_passed_over", call=call.id, lift=step.device, reason=str(error))

    def _away(self, reason: str) -> None:
        self._after = None  # Another one may have followed meanwhile.
        self._pending = PendingSteps()
        self._note_problem(reason)

    def _note_problem(self, reason: str) -> None:
        if self.stats.detail != reason:
            _log.warning("emergency.waiting", reason=reason)
        self.stats.detail = reason

    def _back(self) -> None:
        if self.stats.detail and not (self._switchboard.stuck or self._switchboard.unrepaired):
            _log.info("emergency.going_on")
            self.stats.detail = ""
