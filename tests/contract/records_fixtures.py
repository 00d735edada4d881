"""A migrated records database, in SQLite and in PostgreSQL, and both sides of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alerts.ports import AlertRecords
from core.clock import ManualClock
from storage.memory.calls import MemoryAlertSteps, MemoryCallPoints, MemoryCallRecords, MemoryControllerCodes
from storage.memory.desk import MemoryDeskRecords
from storage.records import (
    AlertRecordsAdapter,
    AlertStepsAdapter,
    CallPointsAdapter,
    CallRecordsAdapter,
    ControllerCodesAdapter,
    DeskRecordsAdapter,
    OutboxAdapter,
    RecordsAdapter,
    RecordsDatabase,
    TokensAdapter,
    upgrade,
)
from tests.contract.records_call_cases import FOLLOWED_RULES, TOKENS, CallBench
from tests.contract.records_cases import after
from tests.contract.records_desk_cases import Bench, MemoryEngine, RealEngine

DATABASES = ("sqlite", "postgres")


def url_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a database of this kind without tables."""
    if kind == "sqlite":
        return f"sqlite+aiosqlite:///{folder / 'records.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=DATABASES)
def records_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables; runs the test once per kind of database."""
    return url_of(request.param, request, tmp_path)


@pytest.fixture
async def records_database(records_url: str) -> AsyncIterator[RecordsDatabase]:
    await upgrade(records_url)
    opened = RecordsDatabase(records_url)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def engine_records(records_database: RecordsDatabase) -> AlertRecordsAdapter:
    """The alert engine's side of the records."""
    return AlertRecordsAdapter(records_database)


@pytest.fixture
def api_records(records_database: RecordsDatabase) -> RecordsAdapter:
    """The API's side of the records, on the same database as `engine_records`."""
    return RecordsAdapter(records_database)


@pytest.fixture
def api_tokens(records_database: RecordsDatabase) -> TokensAdapter:
    return TokensAdapter(records_database)


@pytest.fixture(params=[*DATABASES, "memory"])
async def alert_records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AlertRecords]:
    """Every implementation of the `AlertRecords` port, empty."""
    if request.param == "memory":
        twin: AlertRecords = pytest.importorskip("storage.memory.records").MemoryAlertRecords()
        yield twin
        return
    url = url_of(request.param, request, tmp_path)
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    yield AlertRecordsAdapter(database)
    await database.close()


@pytest.fixture(params=[*DATABASES, "memory"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """Every implementation of `DeskRecords` and `Outbox`, empty, a minute after `START`."""
    clock = ManualClock(after(60))
    if request.param == "memory":
        twin = MemoryDeskRecords(clock=clock)
        yield Bench(twin, twin.outbox, MemoryEngine(twin))
        return
    url = url_of(request.param, request, tmp_path)
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    engine = RealEngine(AlertRecordsAdapter(database, clock))
    yield Bench(DeskRecordsAdapter(database, clock), OutboxAdapter(database, clock), engine)
    await database.close()


@pytest.fixture(params=[*DATABASES, "memory"])
async def calls(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CallBench]:
    """Every implementation of the ports of the emergency service, empty, a minute after `START`."""
    clock = ManualClock(after(60))
    if request.param == "memory":
        yield _memory_calls(clock)
        return
    url = url_of(request.param, request, tmp_path)
    await upgrade(url)
    database, other = RecordsDatabase(url), RecordsDatabase(url)
    await database.open()
    await other.open()
    desk, engine = DeskRecordsAdapter(database, clock), RealEngine(AlertRecordsAdapter(database, clock))
    yield CallBench(
        records=CallRecordsAdapter(database, clock),
        elsewhere=CallRecordsAdapter(other, clock),
        steps=AlertStepsAdapter(database, FOLLOWED_RULES),
        points=CallPointsAdapter(database, TOKENS),
        codes=ControllerCodesAdapter(database),
        desk=Bench(desk, OutboxAdapter(database, clock), engine),
    )
    await other.close()
    await database.close()


def _memory_calls(clock: ManualClock) -> CallBench:
    desk = MemoryDeskRecords(clock=clock)
    records = MemoryCallRecords(desk, clock)
    steps = MemoryAlertSteps(records, FOLLOWED_RULES)
    bench = Bench(desk, desk.outbox, MemoryEngine(desk))
    return CallBench(records, records, steps, MemoryCallPoints(TOKENS), MemoryControllerCodes(), bench)
