"""Doing together what is asked for together."""

import asyncio
from collections.abc import Sequence

import pytest

from storage.records.grouped import MOST, Grouped


class Store:
    """Doubles what it is asked for, and says what a test tells it to; a closed gate holds it up."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.refusals: dict[int, Exception] = {}
        self.broken: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def work(self, group: Sequence[int]) -> Sequence[int | Exception]:
        self.groups.append(list(group))
        await self.gate.wait()
        if self.broken is not None:
            raise self.broken
        return [self.refusals.get(item, 2 * item) for item in group]


async def test_while_one_is_at_work_the_next_ones_gather_in_order() -> None:
    store = Store()
    store.gate.clear()
    asking = Grouped(store.work)
    first = asyncio.create_task(asking.ask(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(asking.ask(number)) for number in range(1, 6)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in (first, *others))
    store.gate.set()
    assert await asyncio.gather(first, *others) == [0, 2, 4, 6, 8, 10]
    assert store.groups == [[0], [1, 2, 3, 4, 5]]
    assert await asking.ask(6) == 12
    assert store.groups[-1] == [6]


async def test_no_group_is_larger_than_others_can_wait_for() -> None:
    store = Store()
    asking = Grouped(store.work)
    await asyncio.gather(*(asking.ask(number) for number in range(MOST + 1)))
    assert [len(group) for group in store.groups] == [MOST, 1]


async def test_a_refusal_is_raised_at_whom_it_is_about_and_no_other() -> None:
    store = Store()
    store.refusals = {1: ValueError("no"), 3: KeyError("never")}
    asking = Grouped(store.work)
    answers = await asyncio.gather(*(asking.ask(number) for number in range(4)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, ValueError, int, KeyError]


async def test_what_breaks_the_group_is_raised_at_all_of_it_and_the_next_is_tried() -> None:
    store = Store()
    store.broken = OSError("disk")
    asking = Grouped(store.work)
    answers = await asyncio.gather(*(asking.ask(number) for number in range(3)), return_exceptions=True)
    assert answers == [store.broken] * 3
    store.broken = None
    await asking.ask(3)
    assert store.groups == [[0, 1, 2], [3]]


async def test_who_leaves_while_waiting_is_written_all_the_same() -> None:
    store = Store()
    store.gate.clear()
    asking = Grouped(store.work)
    leaving, staying = (asyncio.create_task(asking.ask(number)) for number in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    store.gate.set()
    await staying
    assert store.groups == [[0, 1]]
