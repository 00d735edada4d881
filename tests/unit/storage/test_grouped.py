"""Writing together what comes in together."""

import asyncio
from collections.abc import Sequence

import pytest

from storage.records.grouped import GroupedWrites, Refusals


class Store:
    """Keeps each group it was given, and says what a test tells it to; a closed gate holds the first one up."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.refusals: Refusals = {}
        self.broken: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, group: Sequence[int]) -> Refusals:
        self.groups.append(list(group))
        await self.gate.wait()
        if self.broken is not None:
            raise self.broken
        return {place: self.refusals[item] for place, item in enumerate(group) if item in self.refusals}


async def test_while_one_is_written_the_next_ones_gather_in_order() -> None:
    store = Store()
    store.gate.clear()
    writes = GroupedWrites(store.write, most=3)
    first = asyncio.create_task(writes.put(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(writes.put(number)) for number in range(1, 6)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in (first, *others))
    store.gate.set()
    await asyncio.gather(first, *others)
    assert store.groups == [[0], [1, 2, 3], [4, 5]]
    await writes.put(6)
    assert store.groups[-1] == [6]


async def test_a_refusal_is_raised_at_whom_it_is_about_and_no_other() -> None:
    store = Store()
    store.refusals = {1: ValueError("no"), 3: KeyError("never")}
    writes = GroupedWrites(store.write)
    answers = await asyncio.gather(*(writes.put(number) for number in range(4)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None), ValueError, type(None), KeyError]


async def test_what_breaks_the_group_is_raised_at_all_of_it_and_the_next_is_tried() -> None:
    store = Store()
    store.broken = OSError("disk")
    writes = GroupedWrites(store.write)
    answers = await asyncio.gather(*(writes.put(number) for number in range(3)), return_exceptions=True)
    assert answers == [store.broken] * 3
    store.broken = None
    await writes.put(3)
    assert store.groups == [[0, 1, 2], [3]]


async def test_who_leaves_while_waiting_is_written_all_the_same() -> None:
    store = Store()
    store.gate.clear()
    writes = GroupedWrites(store.write)
    leaving, staying = (asyncio.create_task(writes.put(number)) for number in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    store.gate.set()
    await staying
    assert store.groups == [[0, 1]]
