"""The alert service: the one reader of the journal that decides, and commits what it decided with its position."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from alerts import clocks
from alerts.engine import Engine
from alerts.faults import fault_of, is_unknown
from alerts.inventory import Inventory
from alerts.live import LiveView
from alerts.model import Commit, FaultCleared, FaultRaised, Transition
from alerts.persistence import Persistence, log_transition
from alerts.ports import Afresh, AlertRecords, Decoder, JournalReader, Registry, RuleSource
from alerts.scheduling import Budgets, Scheduler, slices
from core.clock import Clock, Moment, moment, to_microseconds
from core.devices import DeviceKey
from core.errors import TemporaryError
from core.observations import Entry, Observation

READER = "alerts"
BATCH = 2_000
# A transition waits for this many units at most before it is committed (`scheduling.units`): about 10 ms of work.
SLICE = 256
# Calls and pages are made in this process too, in many short steps of several threads: a backlog takes half of the
# time at most, in parts this large.
_BACKLOG_SLICE = 32
_LEAST_BREATH_SECONDS = 0.001
_LONGEST_BREATH_SECONDS = 0.05
CHECKPOINT_EVERY = timedelta(seconds=1)
ASK_EVERY = timedelta(seconds=1)
IDLE_SECONDS = 0.25
# A message gets its `received_at` before it is in the journal: a batch lingers 10 ms at most and then waits for the
# disk. Time is believed to have passed only this far, so that no timer overtakes a message that came before it. A
# message that took longer still counts from the instant its turn came; nothing is lost by it.
SETTLING = timedelta(milliseconds=250)

# Longer than any restart of this part alone, shorter than the patience of a rule that waits for silence.
UNHEARD_FOR = timedelta(seconds=60)
# The least patience of the built-in rules with an *offline*: one from before so long an absence proves nothing now.
OFFLINE_UNHEARD_FOR = timedelta(seconds=10)
# Under this prefix the live view keeps its state beside the engine's; no community can be called so.
_LIVE = "live:"
_BUDGETS = Budgets()
_log = structlog.get_logger()


@dataclass
class AlertStats:
    """What the service has done since it started; ``detail`` says what is in its way, empty when nothing is."""

    position: int = 0
    evaluated: int = 0
    transitions: int = 0
    commits: int = 0
    retries: int = 0
    last_commit_seconds: float = 0.0
    detail: str = ""
    deferred: int = 0
    """Messages that were beyond the budget of their device or community."""
    backlog: int = 0
    """How many of them wait now."""
    rule_changes: int = 0
    inventory_version: int = -1
    """Of the facts of devices in force; -1 while there are none."""
    inventory_problem: str = ""
    unknown_codes: int = 0
    """Messages of a fault with a code that no list knows."""
    forgotten: int = 0
    """Unknown devices that made room for others, or said nothing for long."""


class AlertService:
    """Reads the journal, lets the engine decide, and commits state, alerts and position in one transaction.

    Messages of a device beyond ``budgets`` are deferred, and decided a few at a time after what is new
    (`alerts.scheduling`). The committed position stays below them; each device's state says up to where it was decided.

    ``wait(position, seconds)`` returns when the journal reaches beyond ``position`` or the time is up. Killed at any
    instant, it goes on from the last commit and decides the same again. ``rules`` and ``registry`` are asked every
    second for what has changed, between two batches; without them the engine keeps the rules it was made with.
    """

    def __init__(
        self,
        journal: JournalReader,
        decode: Decoder,
        records: AlertRecords,
        engine: Engine,
        clock: Clock,
        *,
        wait: Callable[[int, float], Awaitable[None]],
        rules: RuleSource | None = None,
        registry: Registry | None = None,
        budgets: Budgets = _BUDGETS,
        batch: int = BATCH,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._journal = journal
        self._decode = decode
        self._records = records
        self._engine = engine
        self._clock = clock
        self._wait = wait
        self._batch = batch
        self._backlog_units = budgets.backlog_units
        self._rules = rules
        self._registry = registry
        self._live = LiveView()
        self._scheduler = Scheduler(budgets, engine.pauses, decided=engine.decided)
        self._transitions: list[Transition] = []
        self._faults: list[FaultRaised | FaultCleared] = []
        self._forgotten: list[DeviceKey] = []
        self._read = 0
        """Up to here the journal was read and sorted."""
        self._evaluated = 0
        """As of the last commit."""
        self._committed = 0
        self._pending_commit: Commit | None = None
        self._caught_up = False
        self._received_at: datetime | None = None
        self._asked_at = self._committed_at = self._told_at = datetime.min.replace(tzinfo=UTC)
        self.stats = AlertStats()
        self._persist = Persistence(self.stats, pause)

    async def run(self) -> None:
        """Decide until cancelled, then commit what is decided; what cannot be is decided again at the next start.

        Raises `Fenced` when a second engine works on the same records.
        """
        snapshot = await self._persist("alerts.load", self._records.load)
        if self._registry is not None:
            # Before the states: without its facts a device would seem to have left the scope of its rules.
            self._take_inventory(await self._persist("registry.load", self._registry.inventory))
        if refused := self._restore(snapshot.states):
            afresh = [Afresh(device) for path in refused if (device := _device_of(path)) is not None]
            await self._persist("alerts.put_aside", partial(self._records.put_aside, refused, afresh))
        self._read = self._committed = self.stats.position = snapshot.position
        devices = [device for path in snapshot.states if (device := _device_of(path)) is not None]
        self._scheduler.restart(max(map(self._engine.decided, devices), default=0))
        await self._persist("journal.register", partial(asyncio.to_thread, self._journal.register, READER))
        self._committed_at = self._clock.steady()
        try:
            while True:
                await self._turn()
        except asyncio.CancelledError:
            await self._finish()
            raise

    def problems(self) -> dict[str, str]:
        """Return wrong clocks, bounds that are reached and floods (`clocks`, `unknown_devices`, `floods`)."""
        floods = self._scheduler.problems(to_microseconds(self._clock.steady()))
        return {**clocks.problems(self._engine.wrong_clocks), **self._engine.unknown.problems(), **floods}

    @property
    def unknown_devices(self) -> int:
        """How many unregistered devices are remembered."""
        return self._engine.unknown.count

    def _restore(self, states: Mapping[str, bytes]) -> dict[str, str]:
        """Return the states that cannot be read, by their keys."""
        prefix = len(_LIVE)
        shown = self._live.restore({path[prefix:]: state for path, state in states.items() if path.startswith(_LIVE)})
        decided = self._engine.restore({path: state for path, state in states.items() if not path.startswith(_LIVE)})
        return {**decided, **{_LIVE + path: reason for path, reason in shown.items()}}

    async def _ask_what_changed(self) -> None:
        """Put changed rules and facts of devices in force; where they cannot be had, what is in force stays."""
        now = self._clock.steady()
        if now - self._asked_at < ASK_EVERY:
            return
        self._asked_at = now
        if self._rules is not None and (rules := await self._rules.changed()) is not None:
            with self._regrouping():
                self._engine.replace_rules(rules)
            self.stats.rule_changes += 1
            _log.info("alerts.rules_replaced", rules=len(rules), position=self._read)
        if self._registry is not None:
            try:
                self._take_inventory(await self._registry.inventory())
            except TemporaryError as error:
                if self.stats.inventory_problem != str(error):
                    _log.warning("registry.unavailable", reason=str(error))
                self.stats.inventory_problem = str(error)

    def _take_inventory(self, inventory: Inventory) -> None:
        self.stats.inventory_problem = ""
        if inventory.version != self.stats.inventory_version:
            with self._regrouping():
                self._engine.set_inventory(inventory)
            self.stats.inventory_version = inventory.version
            _log.info("alerts.inventory_taken", version=inventory.version, position=self._read)

    @contextmanager
    def _regrouping(self) -> Iterator[None]:
        """Where devices may be in other queues than before, sort again what waits, as after a restart."""
        pauses = self._engine.pauses
        grouped = pauses.groups
        yield
        if self._scheduler and (grouped or pauses.groups):
            pauses.clear()
            sorted_until, self._read = self._read, self._scheduler.floor(self._read)
            self._scheduler.restart(sorted_until)

    async def _turn(self) -> None:
        await self._ask_what_changed()
        # Taken before the journal is read: what is not in it by then was received after this, less the settling.
        now = moment(self._clock)
        entries = await self._persist("journal.read", partial(self._entries, self._read, self._batch))
        for run in self._runs(entries):
            for slice_ in slices(self._scheduler.sort(run), SLICE):
                self._decide(slice_)
                # What was deferred of the same run is below the scheduler's floor.
                self._read = slice_[-1].position
                await self._commit_if_due()
                await asyncio.sleep(0)
            self._read = run[-1].position
        if not entries:
            # Only at the journal's end may time pass by itself; before it, the messages carry the time.
            self._pass_time(now)
        if self._scheduler:
            await self._decide_backlog()
        await self._commit_if_due()
        self.stats.deferred, self.stats.backlog = self._scheduler.deferred, self._scheduler.backlog
        if not (entries or self._scheduler):
            await self._wait(self._read, self._idle_seconds())

    async def _decide_backlog(self) -> None:
        """Decide some of what was deferred, in the order of each device."""
        after = self._scheduler.next_turn()
        limit = self._batch if self._scheduler.searches else SLICE
        entries = await self._persist("journal.read", partial(self._entries, after, limit))
        for slice_ in slices(self._scheduler.due(entries, after, self._backlog_units), _BACKLOG_SLICE):
            began = self._clock.steady()
            self._decide(slice_)
            took = (self._clock.steady() - began).total_seconds()
            await asyncio.sleep(min(max(took, _LEAST_BREATH_SECONDS), _LONGEST_BREATH_SECONDS))
        for queue in self._scheduler.emptied():
            self._transitions += self._engine.resume(queue)

    def _runs(self, entries: list[Entry]) -> Iterator[list[Entry]]:
        """Yield ``entries`` in parts before each of which nothing was received for a while, while catching up.

        The first message after an absence must not let what was due meanwhile happen.
        """
        start = 0
        for index, entry in enumerate(() if self._caught_up else entries):
            received = entry.received_at - timedelta(microseconds=entry.wall_ahead)
            if self._received_at is None or received - self._received_at >= OFFLINE_UNHEARD_FOR:
                if index:
                    yield entries[start:index]
                start = index
                self._forgive_silence(received)
            self._received_at = received
        if entries:
            yield entries[start:]

    async def _entries(self, after: int, limit: int) -> list[Entry]:
        reading = asyncio.create_task(asyncio.to_thread(self._journal.read, after, limit), name="journal read")
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            # Whoever cancels us will close the journal next, and a thread is still in it.
            await asyncio.gather(reading, return_exceptions=True)
            raise

    def _pass_time(self, now: Moment) -> None:
        if not self._caught_up:
            if self._received_at is None or now.steady - self._received_at >= OFFLINE_UNHEARD_FOR:
                self._forgive_silence(now.steady)
            self._caught_up = True
        self._transitions += self._engine.advance(now.steady - SETTLING, now.ahead)
        self._take_forgotten()

    def _forgive_silence(self, now: datetime) -> None:
        """Let nothing be raised by a silence before ``now`` in which nothing at all was received: it was ours."""
        unread = timedelta(0) if self._received_at is None else now - self._received_at
        self._engine.absences.doubt_offline(now, OFFLINE_UNHEARD_FOR, unread)
        if self._engine.absences.forgive_silence(now, UNHEARD_FOR, unread):
            _log.info("alerts.silence_forgiven", reason="nothing at all was received before")

    def _decide(self, entries: list[Entry]) -> None:
        for entry in entries:
            if entry.duplicate:
                continue
            observation = self._decode(entry)
            if isinstance(observation, Observation):
                self._transitions += self._engine.observe(observation)
                self._live.observe(self._engine.judged or observation)
                self._take_forgotten()
                if (fault := fault_of(observation)) is not None:
                    self._faults.append(fault)
                    self.stats.unknown_codes += is_unknown(fault)
        self.stats.evaluated += len(entries)

    def _take_forgotten(self) -> None:
        for device in self._engine.take_forgotten():
            self._live.forget(device)
            self._forgotten.append(device)
            self.stats.forgotten += 1

    def _idle_seconds(self) -> float:
        due = self._engine.next_due()
        if due is None:
            return IDLE_SECONDS
        until_due = (due + SETTLING - self._clock.steady()).total_seconds()
        return min(IDLE_SECONDS, max(0.005, until_due))

    async def _commit_if_due(self) -> None:
        now = self._clock.steady()
        overdue = now - self._committed_at >= CHECKPOINT_EVERY
        moved = self.stats.evaluated > self._evaluated or self._decided_up_to > self._committed
        if self._transitions or self._faults or (overdue and moved):
            await self._commit()

    async def _commit(self) -> None:
        decided = self._pending_commit = self._gathered()
        began = self._clock.steady()
        await self._persist("alerts.commit", partial(self._records.commit, decided))
        self._pending_commit = None
        self._committed, self._committed_at = decided.position, self._clock.steady()
        self._note(decided, (self._committed_at - began).total_seconds())
        if self._committed_at - self._told_at >= CHECKPOINT_EVERY:
            # The records hold the truth; the journal's copy only tells it what may be trimmed.
            self._told_at = self._committed_at
            await self._persist(
                "journal.advance", partial(asyncio.to_thread, self._journal.advance, READER, decided.position)
            )

    @property
    def _decided_up_to(self) -> int:
        return self._scheduler.floor(self._read)

    def _gathered(self) -> Commit:
        """Take everything decided since the last commit together."""
        states, sightings = self._engine.dirty(), []
        states |= dict.fromkeys(_LIVE + device.path for device in self._forgotten)
        for sighting, state in self._live.changed():
            sightings.append(sighting)
            states[_LIVE + sighting.device.path] = state
        self._evaluated = self.stats.evaluated
        decided = Commit(
            self._decided_up_to, self._committed, states, self._transitions, self._faults, sightings, self._forgotten
        )
        self._transitions, self._faults, self._forgotten = [], [], []
        return decided

    async def _finish(self) -> None:
        """Commit once more, without a second try: the interrupted commit as it was, or else what has come since."""
        decided = self._pending_commit or self._gathered()
        if decided.position == self._committed and not (decided.transitions or decided.states):
            return
        if await self._persist.last_words("alerts.commit", self._records.commit(decided)):
            self._note(decided, 0.0)

    def _note(self, decided: Commit, seconds: float) -> None:
        self.stats.position = decided.position
        self.stats.transitions += len(decided.transitions)
        self.stats.commits += 1
        self.stats.last_commit_seconds = seconds
        for one in decided.transitions:
            log_transition(one)


def _device_of(key: str) -> DeviceKey | None:
    """Return the device whose engine state stands under ``key``; ``None`` for another key."""
    try:
        return DeviceKey.from_path(key)
    except ValueError:
        return None
