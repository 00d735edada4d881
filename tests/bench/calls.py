"""From the tap to the page: many calls raised at once, over the real records, outbox, deliverer and a webhook."""

import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from zoneinfo import ZoneInfo

import structlog

from alerts.notify.book import Channel, MessengerBook
from alerts.notify.deliverer import Deliverer
from alerts.notify.webhook import WebhookMessenger
from core.clock import SystemClock
from storage.records import OutboxAdapter, RecordsDatabase, upgrade
from tests.bench.call_raising import raise_all, switchboard
from tests.integration.webhook_receiver import SECRET, Answer, Request, WebhookReceiver

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
        call = str(request.document["incident"])
        self.repeated += call in self.came
        self.came.setdefault(call, time.monotonic())
        return Answer()


def measure(url: str | None = None, *, calls: int = CALLS) -> Iterator[list[str]]:
    """Yield the figures with everything in one process, then with the residents in another one.

    ``url`` names an empty database; SQLite in a folder of its own without it.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(open(os.devnull, "w")))  # noqa: SIM115 - as long as we run
    for apart in (False, True):
        with _folder(url) as database_url:
            yield asyncio.run(_measure(database_url, calls, apart=apart)).lines()


@contextmanager
def _folder(url: str | None) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="anju-bench-") as folder:
        yield url or f"sqlite+aiosqlite:///{folder}/records.db"


async def _measure(url: str, count: int, *, apart: bool) -> Figures:
    receiver = Receiver()
    receiver.start()
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    try:
        async with _delivering(database, receiver.url) as deliverer:
            raising = _apart(url, count) if apart else _beside(database, deliverer, count)
            times = await raising
            await _until(lambda: times.keys() <= receiver.came.keys())
            await _until(lambda: deliverer.stats.in_flight == 0)
            ended = time.monotonic()
    finally:
        await database.close()
        receiver.stop()
    return _figures(times, receiver, ended, "residents in a process of their own" if apart else "one process")


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
async def _delivering(database: RecordsDatabase, url: str) -> AsyncIterator[Deliverer]:
    clock = SystemClock()
    webhook = WebhookMessenger(url, SECRET, zone=ZoneInfo("Asia/Shanghai"), base_url=None, clock=clock)
    book = MessengerBook({"wall": Channel(webhook)})
    deliverer = Deliverer(OutboxAdapter(database, clock), book, clock)
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


async def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT_SECONDS
    while not true() and time.monotonic() < end:
        await asyncio.sleep(0.005)
