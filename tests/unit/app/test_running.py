"""Services, doorbell and heartbeats."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import heartbeat
from app.doorbell import Doorbell, Poll
from app.services import ServiceEnded, run_until

NOW = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def test_a_service_that_ends_by_itself_has_failed() -> None:
    async def ends() -> None:
        await asyncio.sleep(0)

    with pytest.raises(ServiceEnded, match="reader ended by itself"):
        await run_until(asyncio.Event(), {"reader": ends, "other": _for_ever})


async def test_the_first_failure_stops_the_others_and_comes_out_bare() -> None:
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
        await run_until(asyncio.Event(), {"fails": fails, "notes": notes})
    assert cancelled == ["notes"]


async def test_stopping_ends_every_service() -> None:
    stopping = asyncio.Event()
    stopping.set()
    await run_until(stopping, {"one": _for_ever, "two": _for_ever})


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
    target.parent.mkdir()
    heartbeat.write(target, heartbeat.Heartbeat(NOW, "up", "writing", {"received_total": 3.0}))
    said = heartbeat.read(tmp_path, "ingest", NOW + age)
    assert (said.status, said.figures) == (status, {"received_total": 3.0})


def test_a_part_that_never_ran_is_down(tmp_path: Path) -> None:
    assert heartbeat.read(tmp_path, "alerts", NOW).status == "down"
