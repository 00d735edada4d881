"""From the tap to the page: many calls raised at once, over the real records, outbox, deliverer and a webhook."""

import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from zoneinfo import ZoneInfo

import structlog

from alerts.dispatch.model import DeskCommit, Intent, Purpose
from alerts.model import Severity
from alerts.notify.book import Channel, MessengerBook
from alerts.notify.deliverer import Deliverer, Limits
from alerts.notify.webhook import WebhookMessenger
from core.clock import SystemClock
from storage.records import DeskRecordsAdapter, OutboxAdapter, RecordsDatabase, upgrade
from tests.bench.call_raising import raise_all, switchboard
from tests.integration.webhook_receiver import SECRET, Answer, Request, WebhookReceiver, receiving
from tests.servers.places import find_program
from tests.servers.postgres import Postgres, PostgresApi

CALLS = 200
WANTED_SECONDS = 2.0
_WAIT_SECONDS = 30.0
_CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Figures:
    """Seconds from the tap until its call was kept, and until its first page had arrived; sorted."""

    title: str
    kept: list[float]
    paged: list[float]
    missing: int
    repeated: int
    recorded: float
    """Until the outbox knew of the last delivery."""

    def lines(self) -> list[str]:
        """Return the figures for people."""
        if len(self.paged) < 2:
            return [f"{self.title}: LOST: no pages came"]
        late = sum(took > WANTED_SECONDS for took in self.paged)
        said = [
            f"{self.title}: {len(self.kept)} calls at once",
            f"  tap to kept: median {median(self.kept) * 1000:.0f} ms, most {self.kept[-1] * 1000:.0f} ms",
            f"  tap to page: median {median(self.paged) * 1000:.0f} ms, "
            f"p99 {quantiles(self.paged, n=100, method='inclusive')[98] * 1000:.0f} ms, "
            f"most {self.paged[-1] * 1000:.0f} ms; {late} later than {WANTED_SECONDS:g} s; "
            f"all recorded after {self.recorded * 1000:.0f} ms",
        ]
        if self.missing or self.repeated:
            said.append(f"  LOST: {self.missing} pages never came, {self.repeated} came twice")
        return said


class Receiver:
    """A call centre's webhook in a thread of its own; notes when the first page of each call came."""

    def __init__(self) -> None:
        self.came: dict[str, float] = {}
        self.repeated = 0
        self.url = ""
        self._begun = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="webhook receiver", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._begun.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        server = self._loop.run_until_complete(WebhookReceiver(self._answer).start())
        self.url = server.url
        self._begun.set()
        self._loop.run_forever()
        self._loop.run_until_complete(server.stop())
        self._loop.close()

    def _answer(self, request: Request) -> Answer:
        document = request.document
        if "call" not in document:
            return Answer()
        call = str(document["incident"])
        self.repeated += call in self.came
        self.came.setdefault(call, time.monotonic())
        return Answer()


@dataclass(frozen=True)
class Scene:
    """What goes on around the calls: where the residents' taps come in, and how much else is to be told meanwhile."""

    title: str
    apart: bool = False
    """The residents press in a process of their own, as with an API beside the alert engine."""
    others: int = 0
    """Notifications of alerts that wait already, half of them for a receiver that never answers."""


SCENES = (
    Scene("one process"),
    Scene("residents in a process of their own", apart=True),
    Scene("amid a flood of alerts and a dead receiver", apart=True, others=2_000),
)


def measure(*, calls: int = CALLS) -> Iterator[list[str]]:
    """Yield the figures of every scene on SQLite, and on PostgreSQL where it is installed."""
    quiet = open(os.devnull, "w")  # noqa: SIM115 - as long as we run
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(quiet))
    for scene in SCENES:
        with tempfile.TemporaryDirectory(prefix="anju-bench-") as folder:
            url = f"sqlite+aiosqlite:///{folder}/records.db"
            yield _told("SQLite", asyncio.run(measured(url, scene, calls)))
    program = find_program("postgres")
    if program is None:
        yield ["PostgreSQL is not installed"]
        return
    with Postgres(program) as server:
        api = PostgresApi(server.address)
        for scene in SCENES:
            url = api.sqlalchemy_url(api.new_database())
            yield _told("PostgreSQL", asyncio.run(measured(url, scene, calls)))


def _told(database: str, figures: Figures) -> list[str]:
    first, *others = figures.lines()
    return [f"{database}, {first}", *others]


async def measured(url: str, scene: Scene, count: int) -> Figures:
    """Raise ``count`` calls at once in ``scene``, on the empty database at ``url``."""
    receiver = Receiver()
    receiver.start()
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    try:
        async with receiving(lambda _: Answer(stall=True)) as dead:
            await _crowd(database, scene.others)
            async with _delivering(database, {"wall": receiver.url, "dead": dead.url}) as deliverer:
                times = await (_apart(url, count) if scene.apart else _beside(database, deliverer, count))
                await _until(lambda: times.keys() <= receiver.came.keys())
                await _until_recorded(database)
                ended = time.monotonic()
    finally:
        await database.close()
        receiver.stop()
    return _figures(times, receiver, ended, scene.title)


async def _crowd(database: RecordsDatabase, count: int) -> None:
    """Let ``count`` notifications of alerts wait."""
    now = SystemClock().now()
    told = [
        Intent(f"n{n}", f"i{n}", 1, ("wall", "dead")[n % 2], Purpose.FIRING, Severity.CRITICAL, now, 0, "", (), 0)
        for n in range(count)
    ]
    await DeskRecordsAdapter(database).commit(DeskCommit(0, 0, {}, told, [], []))


def _figures(times: dict[str, tuple[float, float]], receiver: Receiver, ended: float, title: str) -> Figures:
    paged = sorted(receiver.came[call] - began for call, (began, _) in times.items() if call in receiver.came)
    return Figures(
        title=title,
        kept=sorted(kept - began for began, kept in times.values()),
        paged=paged,
        missing=len(times) - len(paged),
        repeated=receiver.repeated,
        recorded=ended - min(began for began, _ in times.values()),
    )


@asynccontextmanager
async def _delivering(database: RecordsDatabase, urls: Mapping[str, str]) -> AsyncIterator[Deliverer]:
    clock, zone = SystemClock(), ZoneInfo("Asia/Shanghai")
    webhooks = {
        name: WebhookMessenger(url, SECRET, zone=zone, base_url=None, clock=clock) for name, url in urls.items()
    }
    book = MessengerBook({name: Channel(webhook) for name, webhook in webhooks.items()})
    deliverer = Deliverer(OutboxAdapter(database, clock), book, clock, limits=Limits(stop_seconds=0.1))
    task = asyncio.create_task(deliverer.run(), name="deliverer")
    try:
        yield deliverer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await book.close()


async def _beside(database: RecordsDatabase, deliverer: Deliverer, count: int) -> dict[str, tuple[float, float]]:
    board = switchboard(database)
    board.on_pages = deliverer.wake
    return await raise_all(board, count)


async def _apart(url: str, count: int) -> dict[str, tuple[float, float]]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.call_raising",
        url,
        str(count),
        cwd=_CHECKOUT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    await child.stdout.readline()
    printed, _ = await child.communicate(b"go\n")
    return {call: (began, kept) for call, (began, kept) in json.loads(printed).items()}


async def _until_recorded(database: RecordsDatabase) -> None:
    outbox = OutboxAdapter(database)
    while await outbox.due(SystemClock().now(), 1, calls=True):
        await asyncio.sleep(0.005)


async def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT_SECONDS
    while not true() and time.monotonic() < end:
        await asyncio.sleep(0.005)
