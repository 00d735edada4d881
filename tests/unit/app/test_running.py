"""Services, doorbell and heartbeats."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app import heartbeat
from app.doorbell import Doorbell, Poll
from app.services import RECOVERED_AFTER_SECONDS, Service, ServiceEnded, Supervisor, serve
from core.clock import ManualClock

NOW = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)


async def _for_ever() -> None:
    await asyncio.Event().wait()


class Restarts:
    """A supervisor whose pauses take no time, and are measured."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self.supervisor = Supervisor(pause=self._pause, monotonic=lambda: self.now)
        self.stopping = asyncio.Event()

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    async def run(self, services: dict[str, Service]) -> None:
        async with asyncio.timeout(20):
            await self.supervisor.run(self.stopping, services)


async def test_a_vital_service_that_ends_by_itself_ends_the_process() -> None:
    async def ends() -> None:
        await asyncio.sleep(0)

    with pytest.raises(ServiceEnded, match="reader ended by itself"):
        await Restarts().run({"reader": Service(ends, vital=True), "other": Service(_for_ever)})


async def test_the_failure_of_a_vital_service_stops_the_others_and_comes_out_bare() -> None:
    cancelled: list[str] = []

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    async def notes() -> None:
        try:
            await _for_ever()
        except asyncio.CancelledError:
            cancelled.append("notes")
            raise

    with pytest.raises(ValueError, match="broken"):
        await Restarts().run({"fails": Service(fails, vital=True), "notes": Service(notes)})
    assert cancelled == ["notes"]


async def test_any_other_service_is_restarted_with_growing_pauses_while_the_rest_goes_on() -> None:
    world, begun, rest = Restarts(), 0, 0

    async def fails() -> None:
        nonlocal begun
        begun += 1
        if begun == 12:
            world.stopping.set()
            await _for_ever()
        raise OSError(28, "No space left on device")

    async def goes_on() -> None:
        nonlocal rest
        while True:
            rest += 1
            await asyncio.sleep(0)

    with capture_logs() as logs:
        await world.run({"heartbeat": Service(fails), "engine": Service(goes_on, vital=True)})
    assert (begun, world.supervisor.restarts) == (12, 11)
    assert rest > 11
    assert 0.5 <= world.pauses[0] <= 1.0
    assert 30.0 <= world.pauses[-1] <= 60.0
    assert [entry["event"] for entry in logs] == ["service.failed"]  # Eleven failures alike are one line.


async def test_a_failing_service_is_a_problem_until_it_has_run_for_a_while_again() -> None:
    world, attempts = Restarts(), 0
    seen: list[dict[str, str]] = []

    async def fails_once() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise RuntimeError("no more descriptors")
        seen.append(world.supervisor.problems())
        world.now += RECOVERED_AFTER_SECONDS
        seen.append(world.supervisor.problems())
        world.stopping.set()
        await _for_ever()

    assert world.supervisor.problems() == {}
    await world.run({"status line": Service(fails_once)})
    assert seen == [{"service/status line": "RuntimeError: no more descriptors"}, {}]


async def test_pauses_begin_anew_after_a_long_run() -> None:
    world, begun = Restarts(), 0

    async def fails() -> None:
        nonlocal begun
        begun += 1
        if begun == 8:
            world.now += 61.0
        if begun == 9:
            world.stopping.set()
            await _for_ever()
        raise ValueError(begun)

    await world.run({"reports": Service(fails)})
    assert world.pauses[6] > 10.0
    assert world.pauses[7] <= 1.0


async def test_a_service_whose_own_inner_task_is_cancelled_has_failed_like_any_other() -> None:
    world, begun = Restarts(), 0

    async def loses_its_task() -> None:
        nonlocal begun
        begun += 1
        if begun == 3:
            world.stopping.set()
            await _for_ever()
        inner = asyncio.ensure_future(_for_ever())
        inner.cancel()
        await inner

    await world.run({"deliverer": Service(loses_its_task)})
    assert (begun, world.supervisor.restarts) == (3, 2)
    begun = 0
    with pytest.raises(ServiceEnded, match="engine was cancelled"):
        await Restarts().run({"engine": Service(loses_its_task, vital=True), "other": Service(_for_ever)})


async def test_a_failure_is_one_short_line_whatever_a_library_says() -> None:
    world = Restarts()

    async def fails() -> None:
        if world.pauses:
            world.stopping.set()
            await _for_ever()
        raise ValueError("first line\n  second line\n" + "x" * 5_000)

    await world.run({"reports": Service(fails)})
    [text] = world.supervisor.problems().values()
    assert text.startswith("ValueError: first line second line xxx")
    assert len(text) == 300


async def test_stopping_ends_every_service() -> None:
    world = Restarts()
    world.stopping.set()
    await world.run({"one": Service(_for_ever), "two": Service(_for_ever)})


async def test_stopping_gives_up_a_start_that_waits() -> None:
    stopping, closed = asyncio.Event(), False

    @asynccontextmanager
    async def opened() -> AsyncIterator[dict[str, Service]]:
        nonlocal closed
        try:
            stopping.set()
            await asyncio.Event().wait()
            yield {}
        finally:
            closed = True

    await asyncio.wait_for(serve(stopping, opened(), Supervisor()), 10)
    assert closed


async def test_a_start_that_is_cancelled_by_others_stays_cancelled() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    @asynccontextmanager
    async def opened() -> AsyncIterator[dict[str, Service]]:
        await cancelled()
        yield {}

    with pytest.raises(asyncio.CancelledError):
        await serve(asyncio.Event(), opened(), Supervisor())


async def test_a_ring_from_another_thread_wakes_the_waiting() -> None:
    doorbell = Doorbell()
    doorbell.attach()
    waiting = asyncio.create_task(doorbell.wait(4, 60.0))
    await asyncio.sleep(0)
    await asyncio.to_thread(doorbell.ring, 5)
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(doorbell.wait(4, 60.0), 5)


async def test_a_poll_returns_when_the_journal_has_grown_or_the_time_is_up() -> None:
    position = 4

    def last_position() -> int:
        return position

    poll = Poll(last_position)
    await asyncio.wait_for(poll.wait(4, 0.02), 5)
    waiting = asyncio.create_task(poll.wait(4, 60.0))
    await asyncio.sleep(0)
    position = 5
    await asyncio.wait_for(waiting, 5)


STATES = {"fresh": (timedelta(seconds=2), "up"), "stale": (timedelta(seconds=11), "down")}


@pytest.mark.parametrize(("age", "status"), STATES.values(), ids=STATES.keys())
def test_a_heartbeat_counts_while_it_is_fresh(age: timedelta, status: str, tmp_path: Path) -> None:
    target = heartbeat.path_of(tmp_path, "ingest")
    heartbeat.write(target, heartbeat.Heartbeat(NOW, "up", "writing", {"received_total": 3.0}))
    said = heartbeat.read(tmp_path, "ingest", NOW + age)
    assert (said.status, said.figures) == (status, {"received_total": 3.0})


def test_a_part_that_never_ran_is_down(tmp_path: Path) -> None:
    assert heartbeat.read(tmp_path, "alerts", NOW).status == "down"


class NoDrafts:
    """A folder in which nothing new can be written, as on a full disk; files that are there keep their blocks."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.target = heartbeat.path_of(folder, "ingest")
        heartbeat.write(self.target, heartbeat.Heartbeat(NOW, "up", "writing"))
        self._monkeypatch = monkeypatch

    def fill(self) -> None:
        self._monkeypatch.setattr(Path, "write_bytes", self._refuse)

    @staticmethod
    def _refuse(_path: Path, _text: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_heartbeat_on_a_full_disk_takes_the_blocks_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = NoDrafts(tmp_path, monkeypatch)
    full.fill()
    size = full.target.stat().st_size
    later = heartbeat.Heartbeat(NOW + timedelta(seconds=60), "degraded", "full", {}, {"disk/full": "0 bytes free"})
    heartbeat.write(full.target, later)
    assert heartbeat.read(tmp_path, "ingest", later.at) == later
    assert full.target.stat().st_size == size
    assert [path.name for path in full.target.parent.iterdir()] == ["ingest.json"]


def test_a_heartbeat_that_has_grown_fits_into_a_full_disk_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = NoDrafts(tmp_path, monkeypatch)
    full.fill()
    size, now = full.target.stat().st_size, NOW + timedelta(seconds=60)
    figures = {f"figure_{number}_total": 1.0 for number in range(200)}
    many = {f"device-clock/garden/elevator/{number}": "6 min slow" for number in range(500)}
    for problems, kept in (
        ({"disk/full": "0 bytes"}, 1),
        ({"disk/full": "0 bytes", **many}, 1),
        ({"disk": "x" * 9_000}, 0),
    ):
        heartbeat.write(full.target, heartbeat.Heartbeat(now, "degraded", "deciding", figures, problems))
        said = heartbeat.read(tmp_path, "ingest", now)
        assert (said.status, said.detail, len(said.problems)) == ("degraded", "deciding", kept)
        assert full.target.stat().st_size == size


def test_a_heartbeat_of_nonsense_is_down(tmp_path: Path) -> None:
    target = heartbeat.path_of(tmp_path, "ingest")
    target.parent.mkdir()
    for nonsense in (b"", b"\0" * 4_096, b'{"at": "2026-05-01T08:00:00", "status": "up", "detail": ""}', b"[1, 2"):
        target.write_bytes(nonsense)
        assert heartbeat.read(tmp_path, "ingest", NOW).status == "down"


async def test_a_heartbeat_that_cannot_be_written_is_logged_once_and_tried_again(tmp_path: Path) -> None:
    beats = 0
    (tmp_path / "health").write_text("a file where the folder should be")

    def pulse() -> heartbeat.Pulse:
        nonlocal beats
        beats += 1
        if beats == 5:
            (tmp_path / "health").unlink()
        if beats == 7:
            raise KeyboardInterrupt
        return heartbeat.Pulse("up", "writing", {}, {"disk": "little room"})

    with capture_logs() as logs, pytest.raises(KeyboardInterrupt):
        await heartbeat.beat(tmp_path, "alerts", ManualClock(NOW), pulse, every_seconds=0)
    assert [entry["event"] for entry in logs] == ["heartbeat.unwritten"]
    assert heartbeat.read(tmp_path, "alerts", NOW).problems == {"disk": "little room"}


def test_a_heartbeat_that_cannot_be_opened_says_nothing_of_its_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_descriptor(_path: Path) -> bytes:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "read_bytes", no_descriptor)
    said = heartbeat.read(tmp_path, "ingest", NOW)
    assert (said.status, said.detail) == ("degraded", "ingest: heartbeat cannot be read: Too many open files")
