"""Backtests: what rules would have raised, from the journal and the telemetry store as they are."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, tzinfo

from msgspec import Struct

from alerts.backtest import Backtest, BacktestReport, Coverage
from alerts.inventory import Inventory
from alerts.rules import Rule
from alerts.rules.checks import compares_devices
from app.replay import Devices, JournalHistory, Points, TelemetryHistory, known_devices
from core.devices import DeviceKey
from core.errors import PermanentError

# How many messages lie between two looks at the clock; at about 20 µs each that is every 10 ms.
_STRIDE = 500
_LIMITS_OF_TELEMETRY = (
    "the telemetry store keeps when devices spoke, not when they were heard: what came late counts as if it had not"
)


class TakesTooLong(PermanentError):
    """A backtest was given up at its bound."""


class Span(Struct, frozen=True):
    """What is replayed; ``seconds_at_most`` bounds the time it may take."""

    since: datetime
    until: datetime
    community: str | None = None
    seconds_at_most: float | None = None


class Sources(Struct, frozen=True):
    """Where history comes from, and where days begin. ``records`` name the devices that the store is asked for."""

    journal: JournalHistory | None
    store: Points | None
    records: Devices
    zone: tzinfo
    inventory: Inventory


class _Pace:
    """Looks at the clock now and then, and gives way to others."""

    def __init__(self, seconds_at_most: float | None) -> None:
        self._began = time.perf_counter()
        self._seconds_at_most = seconds_at_most
        self._steps = 0

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    async def step(self) -> None:
        """Count one message, and rest now and then. Raises `TakesTooLong`."""
        self._steps += 1
        if self._steps % _STRIDE == 0:
            await self.rest()

    async def rest(self) -> None:
        """Give way to others, among them whoever wants to cancel this. Raises `TakesTooLong`."""
        await asyncio.sleep(0)
        if self._seconds_at_most is not None and self.seconds > self._seconds_at_most:
            raise TakesTooLong(
                f"the backtest took longer than {self._seconds_at_most:g} s: expected a shorter span or fewer devices; "
                f"`anju rules backtest` has no such bound"
            )


async def run_backtest(
    rules: Sequence[Rule], present: Sequence[Rule], span: Span, sources: Sources, notes: Sequence[str] = ()
) -> BacktestReport:
    """Return what ``rules`` would have raised, beside those of ``present`` that have the same ids; with ``notes``.

    Raises `PermanentError` where there is nothing to replay, `TakesTooLong`, and `TemporaryError`.
    """
    if span.since >= span.until:
        raise PermanentError(f"since {span.since.isoformat()}: expected an instant before {span.until.isoformat()}")
    replay = _Replay(rules, present, span, sources, notes)
    begins = sources.journal.begins() if sources.journal else None
    journalled = min(max(begins, span.since), span.until) if begins else span.until
    if span.since < journalled:
        await replay.telemetry(journalled)
    if journalled < span.until:
        await replay.journal(journalled)
    return replay.report()


class _Replay:
    """One backtest on its way through the sources."""

    def __init__(
        self, rules: Sequence[Rule], present: Sequence[Rule], span: Span, sources: Sources, notes: Sequence[str]
    ) -> None:
        self._rules = [*rules, *present]
        self._span = span
        self._sources = sources
        self._kinds = sorted({rule.kind for rule in rules})
        self._backtest = Backtest(rules, present, sources.inventory)
        self._pace = _Pace(span.seconds_at_most)
        self._coverage: list[Coverage] = []
        self._notes = [*notes]

    async def telemetry(self, until: datetime) -> None:
        """Replay what the store holds up to ``until``, one device after the other: it is asked by device."""
        if self._sources.store is None:
            return
        history, first, before = TelemetryHistory(self._sources.store), until, self._backtest.messages
        async for devices in self._groups():
            async for observation in history.observations(devices, self._span.since, until):
                first = min(first, observation.at)
                self._backtest.observe(observation)
                await self._pace.step()
            self._backtest.advance(until)
            self._backtest.put_aside()
        self._backtest.bring_together()
        if messages := self._backtest.messages - before:
            self._coverage.append(Coverage("telemetry", first, until, messages))
            self._notes.append(_LIMITS_OF_TELEMETRY)
        if history.unreadable:
            self._notes.append(f"{history.unreadable} stored points were passed over: no message can have said them")

    async def _groups(self) -> AsyncIterator[list[DeviceKey]]:
        """Yield the devices by themselves, or all of them where a rule compares one with another."""
        known = known_devices(self._sources.records, self._kinds, self._span.community)
        if any(compares_devices(rule) for rule in self._rules):
            yield [device async for device in known]
            return
        async for device in known:
            yield [device]

    async def journal(self, since: datetime) -> None:
        """Replay the journal from ``since`` on."""
        if self._sources.journal is None:
            return
        before = self._backtest.messages
        stretches = self._sources.journal.stretches(self._kinds, self._span.community, since, self._span.until)
        for stretch in stretches:
            await self._pace.rest()
            for observation in stretch:
                self._backtest.observe(observation)
                await self._pace.step()
        self._backtest.advance(self._span.until)
        if messages := self._backtest.messages - before:
            self._coverage.append(Coverage("journal", since, self._span.until, messages))

    def report(self) -> BacktestReport:
        """Return what came of it; raises `PermanentError` where nothing did."""
        if not self._coverage:
            kinds = ", ".join(kind.value for kind in self._kinds)
            raise PermanentError(
                f"nothing to replay: neither the journal nor the telemetry store holds a message of kind {kinds} "
                f"between {self._span.since.isoformat()} and {self._span.until.isoformat()}"
            )
        return self._backtest.report(self._coverage, self._notes, self._sources.zone, self._pace.seconds)
