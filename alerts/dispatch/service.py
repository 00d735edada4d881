"""The desk service: follows the timelines, lets the desk decide, and commits what it decided with its sequence."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from msgspec.structs import replace

from alerts.dispatch.desk import Desk
from alerts.dispatch.model import DeskCommit, Told
from alerts.dispatch.plan import Plan
from alerts.dispatch.speaking import Decision
from alerts.dispatch.superseded import without_superseded
from alerts.dispatch.system import SystemWatch, alert_of_state
from alerts.dispatch.system_rules import RECEIVER
from alerts.history import RotaOverrideRow
from alerts.model import Transition, TransitionKind, stamped
from alerts.persistence import Persistence, log_transition
from alerts.ports import DeskRecords, Registry
from core.clock import Clock, Moment, moment

BATCH = 2_000
# What follows from this many steps at most is committed together: about 10 ms of work, for which others cannot write.
SLICE = 64
IDLE_SECONDS = 0.02
# A step gets its `recorded_at` inside the transaction that commits it, and is seen when that is through. Time is
# believed to have passed only this far, so that no timer overtakes a step recorded before it.
SETTLING = timedelta(milliseconds=500)
# Silences, overrides and the plan are looked at this often, and whenever somebody shelves an alert.
LOOK_EVERY = timedelta(seconds=1)
# What the two clocks drift apart by less than this between two looks is of no interest to people or shifts.
_WALL_CLOCK_SET = timedelta(milliseconds=100)
_SHELVING = frozenset({TransitionKind.SHELVED, TransitionKind.UNSHELVED})
_log = structlog.get_logger()


@dataclass(frozen=True)
class Surroundings:
    """What the desk goes by beside the timelines.

    ``plan`` is the one in force; a new one is a new object. ``overrides`` gives those that end after an instant, and
    raises `TemporaryError`. ``health`` says of each component what is wrong with it, ``None`` for nothing.
    """

    plan: Callable[[], Plan]
    registry: Registry
    overrides: Callable[[datetime], Awaitable[Sequence[RotaOverrideRow]]]
    health: Callable[[], Mapping[str, str | None]]


@dataclass
class DeskStats:
    """What the service has done since it started; ``detail`` says what is in its way, empty when nothing is."""

    sequence: int = 0
    steps: int = 0
    intents: int = 0
    notes: int = 0
    commits: int = 0
    retries: int = 0
    last_commit_seconds: float = 0.0
    detail: str = ""


class DeskService:
    """Reads the timelines, lets the desk decide, and commits memory, intents, notes and sequence in one transaction.

    ``wait(seconds)`` returns when there may be new steps or the time is up. Killed at any instant, the service goes on
    from the last commit and decides the same again.
    """

    def __init__(
        self,
        records: DeskRecords,
        surroundings: Surroundings,
        clock: Clock,
        *,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._records = records
        self._around = surroundings
        self._clock = clock
        self._wait = wait
        self.stats = DeskStats()
        self._persist = Persistence(self.stats, pause)
        self._forget()

    def _forget(self) -> None:
        """Drop everything decided or remembered since the last commit."""
        self._plan = self._around.plan()
        self._desk = Desk(self._plan)
        self._system = SystemWatch()
        self._inventory_version: int | None = None
        self._decision = Decision()
        self._transitions: list[Transition] = []
        self._read = self._committed = 0
        self._pending_commit: DeskCommit | None = None
        self._looked_at = datetime.min.replace(tzinfo=UTC)
        self._wall_ahead = timedelta(0)

    async def run(self) -> None:
        """Decide until cancelled, then commit what is decided; what cannot be is decided again at the next start.

        May be called again after a failure: it goes on from the last commit. Raises `Fenced` when a second desk works
        on the same records.
        """
        self._forget()
        snapshot = await self._persist("desk.load", self._records.load)
        refused, components = self._desk.restore(snapshot.states), self._system.restore(snapshot.states)
        if refused or components:
            afresh = [alert for key in components if (alert := alert_of_state(key)) is not None]
            aside = partial(self._records.put_aside, {**refused, **components}, afresh)
            await self._persist("desk.put_aside", aside)
        self._read = self._committed = self.stats.sequence = snapshot.sequence
        try:
            while True:
                await self._turn()
        except asyncio.CancelledError:
            await self._finish()
            raise

    async def _turn(self) -> None:
        # Taken before the timelines are read: what is not in them by then was recorded after this, less the settling.
        now = moment(self._clock)
        told = await self._persist("desk.read", partial(self._records.told, self._read, BATCH))
        if now.steady - self._looked_at >= LOOK_EVERY or any(step.kind in _SHELVING for step in told):
            await self._look_around(now)
        for start in range(0, len(told), SLICE):
            self._observe(told[start : start + SLICE])
            await self._commit_if_due()
            await asyncio.sleep(0)
        if len(told) < BATCH:
            # Only at the end of the timelines may time pass by itself; before it, the steps carry the time.
            self._decision.add(self._desk.advance(now.steady - SETTLING))
            await self._commit_if_due()
        if not told:
            await self._wait(IDLE_SECONDS)

    async def _look_around(self, now: Moment) -> None:
        """Take what people have set since the last look, and how the components do."""
        suppressions = await self._persist("desk.suppressions", partial(self._records.suppressions, now.wall))
        overrides = await self._persist("desk.overrides", partial(self._around.overrides, now.wall - LOOK_EVERY))
        inventory = await self._persist("desk.inventory", self._around.registry.inventory)
        failing = await self._persist("desk.receivers", self._records.failing_receivers)
        self._set_wall_clock(now.ahead)
        self._desk.set_suppressions(tuple(suppressions))
        self._desk.set_overrides(overrides)
        if inventory.version != self._inventory_version:
            self._inventory_version = inventory.version
            self._desk.set_inventory(inventory)
        if (plan := self._around.plan()) is not self._plan:
            self._plan = plan
            self._desk.replace_plan(plan)
            _log.info("desk.plan_replaced", routes=len(plan.routes), receivers=len(plan.receivers))
        self._transitions += stamped(self._system.observe(self._reports(failing), now.steady), self._wall_ahead)
        self._looked_at = now.steady

    def _set_wall_clock(self, ahead: timedelta) -> None:
        if abs(ahead - self._wall_ahead) >= _WALL_CLOCK_SET:
            self._wall_ahead = ahead
            self._desk.set_wall_clock(ahead)

    def _reports(self, failing: Mapping[str, str]) -> dict[str, str | None]:
        """Return the reports on all components; a receiver that the plan has no longer cannot fail."""
        known = {receiver.name for receiver in self._plan.receivers}
        receivers = {RECEIVER + name: error for name, error in failing.items() if name in known}
        return {**self._around.health(), **receivers}

    def _observe(self, told: Sequence[Told]) -> None:
        # Another machine's clock may be ahead, and would take the desk's time, and every ladder, along.
        # So would one of before our own was set back: it counts from now, as one of before it was set forward does from
        # where the desk's time is.
        now = moment(self._clock)
        for step in told:
            recorded_at = min(step.recorded_at - now.ahead, now.steady)
            seen = step if step.recorded_at == recorded_at else replace(step, recorded_at=recorded_at)
            self._decision.add(self._desk.observe(seen))
        self._read = told[-1].sequence
        self.stats.steps += len(told)

    async def _commit_if_due(self) -> None:
        decided = self._gathered()
        if decided is None:
            return
        self._pending_commit = decided
        began = self._clock.steady()
        await self._persist("desk.commit", partial(self._records.commit, decided))
        self._pending_commit = None
        self._note(decided, (self._clock.steady() - began).total_seconds())

    def _gathered(self) -> DeskCommit | None:
        """Take everything decided since the last commit together; ``None`` when that is nothing."""
        states = {**self._desk.dirty(), **self._system.dirty()}
        decision, self._decision = without_superseded(self._decision), Decision()
        transitions, self._transitions = self._transitions, []
        if not (states or decision.intents or decision.notes or transitions) and self._read == self._committed:
            return None
        return DeskCommit(self._read, self._committed, states, decision.intents, decision.notes, transitions)

    async def _finish(self) -> None:
        """Commit once more, without a second try: the interrupted commit as it was, or else what has come since."""
        decided = self._pending_commit or self._gathered()
        if decided is None:
            return
        if await self._persist.last_words("desk.commit", self._records.commit(decided)):
            self._note(decided, 0.0)

    def _note(self, decided: DeskCommit, seconds: float) -> None:
        self._committed = self.stats.sequence = decided.sequence
        self.stats.intents += len(decided.intents)
        self.stats.notes += len(decided.notes)
        self.stats.commits += 1
        self.stats.last_commit_seconds = seconds
        for one in decided.intents:
            _log.info(f"notification.{one.purpose.value}", receiver=one.receiver, incident=one.incident, intent=one.id)
        for each in decided.transitions:
            log_transition(each)
