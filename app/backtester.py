"""Opens what a backtest needs, and runs one on behalf of the API, beside the event loop and within bounds."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from alerts.backtest import BacktestReport
from alerts.rules import Rule, RuleError
from alerts.rules.loading import load_file, load_rule
from app import wiring
from app.backtest import Sources, Span, TakesTooLong, run_backtest
from app.code_lists import put_in_force
from app.opening import open_records
from app.replay import JournalHistory, Points
from app.rule_source import RuleSource
from app.settings import Settings
from core.errors import PermanentError, TemporaryError
from core.source import read_source
from storage.records import RecordsAdapter, RegistryAdapter

# Through the API a backtest shares the processor with everybody who looks at the console.
SPAN_AT_MOST = timedelta(days=31)
SECONDS_AT_MOST = 60.0


class Opened(Struct, frozen=True):
    """Open sources, and where the rules in force are read from."""

    sources: Sources
    rules: RuleSource


@asynccontextmanager
async def opened(settings: Settings, *, upgrading: bool) -> AsyncIterator[Opened]:
    """Open records (brought up to date, if ``upgrading``), journal and telemetry store for reading.

    Raises `PermanentError` and `TemporaryError`.
    """
    database, store = wiring.records(settings), wiring.telemetry(settings)
    journal = None
    try:
        await (open_records(database, settings) if upgrading else database.open())
        rules = wiring.rule_source(settings, database)
        await asyncio.to_thread(put_in_force, settings.codes.files)
        history = None
        # Opening would make an empty one.
        if settings.journal_path.exists():
            journal = await asyncio.to_thread(wiring.journal, settings, appending=False)
            history = JournalHistory(journal, wiring.decoder(settings))
        there = settings.telemetry.store != "embedded" or settings.telemetry_path.exists()
        points: Points | None = store if there else None
        inventory = await RegistryAdapter(database).inventory()
        zone = ZoneInfo(settings.time.zone)
        yield Opened(Sources(history, points, RecordsAdapter(database), zone, inventory), rules)
    finally:
        await store.close()
        await database.close()
        if journal is not None:
            await asyncio.to_thread(journal.close)


class Backtester:
    """Runs one backtest at a time, in a thread with an event loop and connections of its own.

    The records must be up to date. While a rule file is broken there is nothing to compare with; the report says so.
    """

    def __init__(
        self, settings: Settings, *, span_at_most: timedelta = SPAN_AT_MOST, seconds_at_most: float = SECONDS_AT_MOST
    ) -> None:
        self._settings = settings
        self._span_at_most = span_at_most
        self._seconds_at_most = seconds_at_most
        self._running = False
        self._given_up = False
        self._inner: tuple[asyncio.AbstractEventLoop, asyncio.Task[BacktestReport]] | None = None

    async def backtest(
        self, text: str, since: datetime, until: datetime, community: str | None = None
    ) -> BacktestReport:
        """Return what the rule (or rule file) ``text`` would have raised, beside the rules in force.

        Raises `RuleError`, `PermanentError` (nothing to replay, too long a span or taking too long), or
        `TemporaryError` while another one runs. Cancelled, it gives up and has closed everything when it returns.
        """
        # A long YAML text takes a while to read.
        rules = await asyncio.to_thread(_rules, text)
        if until - since > self._span_at_most:
            raise PermanentError(f"a span of {until - since}: expected {self._span_at_most.days} days at most")
        if self._running:
            raise TemporaryError("another backtest is running: expected one at a time")
        self._running, self._given_up, self._inner = True, False, None
        span = Span(since, until, community, self._seconds_at_most)
        running = asyncio.create_task(asyncio.to_thread(self._run_apart, rules, span), name="backtest")
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # The thread would go on for up to a minute, and a process that stops waits for its threads.
            self._give_up()
            await asyncio.gather(running, return_exceptions=True)
            raise
        finally:
            self._running = False

    def _give_up(self) -> None:
        self._given_up = True
        if self._inner is not None:
            loop, task = self._inner
            with suppress(RuntimeError):  # It has just ended, and its loop is closed.
                loop.call_soon_threadsafe(task.cancel)

    def _run_apart(self, rules: Sequence[Rule], span: Span) -> BacktestReport:
        """Run in this thread, with an event loop of its own."""
        try:
            return asyncio.run(self._run(rules, span))
        except asyncio.CancelledError:
            raise TakesTooLong("the backtest was given up") from None

    async def _run(self, rules: Sequence[Rule], span: Span) -> BacktestReport:
        task = asyncio.current_task()
        if task is not None:
            self._inner = asyncio.get_running_loop(), task
        if self._given_up:
            raise TakesTooLong("the backtest was given up before it began")
        async with opened(self._settings, upgrading=False) as found:
            present: Sequence[Rule] = ()
            notes = []
            try:
                present = await found.rules.load()
                if refused := found.rules.refused:
                    notes.append(f"compared with the rules in force, not with those at hand: {refused}")
            except RuleError as error:
                notes.append(f"compared with nothing, because the rules at hand are refused: {error}")
            return await run_backtest(rules, present, span, found.sources, notes)


def _rules(text: str) -> Sequence[Rule]:
    """Return the rules of a file, or the one rule by itself."""
    content = read_source(text, "rule").content
    if isinstance(content, dict) and "rules" in content:
        return load_file(text, "rules").rules
    return [load_rule(text, "rule")]
