"""Whose turn it is to write: one at a time, calls before all else, and nobody is forgotten."""

import asyncio

from storage.records.turns import WriteTurns


async def test_writers_come_one_at_a_time_in_order_and_urgent_ones_first() -> None:
    turns, told = WriteTurns(), list[str]()

    async def write(name: str, *, urgent: bool = False) -> None:
        async with turns.turn(urgent=urgent):
            told.append(f"{name} begins")
            await asyncio.sleep(0)
            told.append(f"{name} ends")

    await asyncio.gather(write("engine"), write("desk"), write("outbox"), write("call", urgent=True))
    assert told[::2] == ["engine begins", "call begins", "desk begins", "outbox begins"]
    assert told[1::2] == ["engine ends", "call ends", "desk ends", "outbox ends"]


async def test_a_writer_that_is_cancelled_hands_its_turn_on() -> None:
    turns, entered = WriteTurns(), asyncio.Event()

    async def write() -> None:
        async with turns.turn():
            entered.set()

    async with turns.turn():
        waiting, called = asyncio.create_task(write()), asyncio.create_task(write())
        await asyncio.sleep(0)
        waiting.cancel()
        last = asyncio.create_task(write())
        await asyncio.sleep(0)
    # The turn has passed to `called`, which is cancelled before it runs.
    called.cancel()
    await asyncio.wait_for(last, 5)
    await asyncio.gather(waiting, called, return_exceptions=True)
    assert entered.is_set()


async def test_an_error_inside_a_turn_hands_it_on() -> None:
    turns = WriteTurns()
    for _ in range(2):
        try:
            async with turns.turn():
                raise ValueError
        except ValueError:
            pass
