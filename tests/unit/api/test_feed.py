"""The feed and the pieces of a stream, without a server."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.feed import Feed, TransitionFrames, backoff_seconds
from api.stream import Wanted, follow
from core.errors import TemporaryError
from tests.unit.api.twins import RecordsTwin
from tests.unit.api.world import LIFT

EVERYTHING = Wanted()


async def _take(pieces: AsyncIterator[bytes], count: int) -> list[bytes]:
    async with asyncio.timeout(5):
        return [await anext(pieces) for _ in range(count)]


async def _ended() -> None:
    """Wait until the reading of the records, which nobody wants any more, has ended."""
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "api.feed"))


async def test_silence_is_filled_with_heartbeats_that_carry_the_id() -> None:
    records = RecordsTwin()
    records.raise_alert(LIFT)
    feed = Feed(TransitionFrames(records))
    with feed.listening():
        pieces = await _take(follow(feed, 1, EVERYTHING, heartbeat_seconds=0.01), 3)
    assert pieces == [b"retry: 2000\nid: 1\n\n", b": heartbeat\nid: 1\n\n", b": heartbeat\nid: 1\n\n"]
    await _ended()


async def test_what_a_filter_leaves_out_still_moves_the_id_on() -> None:
    records = RecordsTwin()
    feed = Feed(TransitionFrames(records))
    with feed.listening():
        pieces = follow(feed, 0, Wanted(community="elsewhere"), heartbeat_seconds=0.05)
        await _take(pieces, 2)
        records.raise_alert(LIFT)
        async with asyncio.timeout(5):
            while await anext(pieces) != b": heartbeat\nid: 1\n\n":
                pass
    await _ended()


async def test_a_client_behind_the_window_reads_from_the_records_in_order() -> None:
    records = RecordsTwin()
    feed = Feed(TransitionFrames(records), window=4)
    with feed.listening():
        pieces = follow(feed, 0, EVERYTHING)
        await _take(pieces, 1)
        for _ in range(10):
            records.raise_alert(LIFT)
        async with asyncio.timeout(5):
            while feed.reached != 10:
                await feed.changed.wait()
        [piece] = await _take(pieces, 1)
    assert [line for line in piece.split(b"\n") if line.startswith(b"id")] == [b"id: %d" % n for n in range(1, 11)]
    assert records.reads_of_transitions[-1] == 0
    await _ended()


async def test_records_that_fail_are_asked_again_and_the_stream_goes_on() -> None:
    records = RecordsTwin()
    feed = Feed(TransitionFrames(records))
    records.failure = TemporaryError("connection refused")
    with feed.listening():
        pieces = follow(feed, 0, EVERYTHING, heartbeat_seconds=0.01)
        assert (await _take(pieces, 2))[1].startswith(b": heartbeat")
        records.failure = None
        records.raise_alert(LIFT)
        async with asyncio.timeout(5):
            while not (await anext(pieces)).startswith(b"id: 1\nevent: transition"):
                pass
    await _ended()


async def test_closing_ends_streams_and_refuses_new_ones() -> None:
    feed = Feed(TransitionFrames(RecordsTwin()))
    with feed.listening():
        pieces = follow(feed, 0, EVERYTHING)
        await _take(pieces, 1)
        feed.close()
        with pytest.raises(StopAsyncIteration):
            await _take(pieces, 1)
    with pytest.raises(TemporaryError, match="stopping"):
        feed.check_room()
    await _ended()


async def test_there_is_room_for_so_many_and_no_more() -> None:
    feed = Feed(TransitionFrames(RecordsTwin()), clients=1)
    feed.check_room()
    with feed.listening(), pytest.raises(TemporaryError, match="at most 1"):
        feed.check_room()
    feed.check_room()
    await _ended()


def test_waiting_doubles_and_is_capped() -> None:
    assert 0.1 <= backoff_seconds(1) <= 0.2
    assert 2.5 <= backoff_seconds(30) <= 5.0
