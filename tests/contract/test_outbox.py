"""The contract of `alerts.ports.Outbox`: what every implementation of it promises."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from alerts.dispatch.model import Intent, OutboxEntry, OutboxStatus, Purpose
from tests.contract.records_cases import after, fired
from tests.contract.records_desk_cases import Bench, desk_commit, intent

pytestmark = pytest.mark.timeout(60)


async def _put(bench: Bench, *intents: Intent) -> None:
    """The desk decides ``intents``; the timeline stands still."""
    sequence = (await bench.desk.load()).sequence
    await bench.desk.commit(desk_commit(sequence, sequence, states={"k": repr(intents).encode()}, intents=intents))


def _ids(entries: Sequence[OutboxEntry]) -> list[str]:
    return [entry.intent.id for entry in entries]


async def test_an_entry_is_the_intent_as_it_was_decided(bench: Bench) -> None:
    wanted = intent("n1", alerts=("a1", "a2"), person="li")
    await _put(bench, wanted)
    (entry,) = await bench.outbox.due(after(60), 10)
    assert entry == OutboxEntry(1, wanted, OutboxStatus.WAITING, 0, after(60), after(60))
    assert await bench.outbox.next_due() == after(60)


async def test_nothing_is_due_before_its_time_nor_when_nothing_waits(bench: Bench) -> None:
    assert (await bench.outbox.due(after(60), 10), await bench.outbox.next_due()) == ([], None)
    await _put(bench, intent("n1"))
    assert await bench.outbox.due(after(59), 10) == []


async def test_the_same_intent_again_is_the_same_row(bench: Bench) -> None:
    await _put(bench, intent("n1"), intent("n2", incident="i2"))
    await bench.outbox.delivered(1, after(61), "ok")
    await _put(bench, intent("n1"), intent("n2", incident="i2"), intent("n3", incident="i3"))
    assert _ids(await bench.outbox.due(after(70), 10)) == ["n2", "n3"]


async def test_of_each_line_only_the_oldest_is_due(bench: Bench) -> None:
    await _put(bench, intent("a1"), intent("a2"), intent("b1", receiver="guard"), intent("c1", incident="i2"))
    await _put(bench, intent("a3"), intent("c2", incident="i2"))
    assert _ids(await bench.outbox.due(after(70), 10)) == ["a1", "b1", "c1"]
    assert _ids(await bench.outbox.due(after(70), 2)) == ["a1", "b1"]


async def test_what_waits_for_one_receiver_does_not_hide_what_waits_for_others(bench: Bench) -> None:
    await _put(bench, *(intent(f"a{number}", incident=f"i{number}") for number in range(5)))
    await _put(bench, intent("b1", receiver="guard"), intent("c1", receiver="o'brien"))
    assert _ids(await bench.outbox.due(after(70), 2, {"duty"})) == ["b1", "c1"]
    assert _ids(await bench.outbox.due(after(70), 9, ["duty", "o'brien"])) == ["b1"]
    assert await bench.outbox.due(after(70), 9, {"duty", "guard", "o'brien"}) == []


async def test_pages_of_calls_can_be_asked_for_alone_and_left_out(bench: Bench) -> None:
    await _put(bench, intent("a1"), intent("b1", incident="i2"), intent("c1", purpose=Purpose.CALL, incident="c"))
    await _put(bench, intent("c2", purpose=Purpose.CALL, incident="d", receiver="guard"), intent("a2"))
    assert _ids(await bench.outbox.due(after(70), 10, calls=True)) == ["c1", "c2"]
    assert _ids(await bench.outbox.due(after(70), 10, {"duty"}, calls=True)) == ["c2"]
    assert _ids(await bench.outbox.due(after(70), 10, calls=False)) == ["a1", "b1"]
    assert _ids(await bench.outbox.due(after(70), 10)) == ["a1", "b1", "c1", "c2"]


async def test_what_ends_at_the_same_time_ends_each_by_itself(bench: Bench) -> None:
    """Many at once, some of them twice: every line goes on with its next one, and the first that was said counts."""
    await _put(bench, *(intent(f"a{number}", incident=f"i{number}") for number in range(1, 31)))
    await _put(bench, *(intent(f"b{number}", incident=f"i{number}") for number in range(1, 31)))
    numbers = [*range(1, 31), 1, 2, 99]
    ending = [bench.outbox.delivered(number, after(70 + place), f"{place}") for place, number in enumerate(numbers)]
    await asyncio.gather(*ending)
    due = await bench.outbox.due(after(99), 100)
    assert _ids(due) == [f"b{number}" for number in range(1, 31)]
    assert [entry.next_attempt_at for entry in due] == [after(69 + number) for number in range(1, 31)]


@pytest.mark.parametrize("ending", ["delivered", "give_up"])
async def test_the_next_of_a_line_comes_when_the_one_before_is_finished(bench: Bench, ending: str) -> None:
    await _put(bench, intent("a1"), intent("a2"), intent("a3"))
    await getattr(bench.outbox, ending)(1, after(70), "said")
    assert _ids(await bench.outbox.due(after(70), 10)) == ["a2"]
    assert await bench.outbox.next_due() == after(70)
    await getattr(bench.outbox, ending)(2, after(80), "said")
    await getattr(bench.outbox, ending)(3, after(90), "said")
    assert (await bench.outbox.due(after(99), 10), await bench.outbox.next_due()) == ([], None)
    await _put(bench, intent("a4"))
    assert _ids(await bench.outbox.due(after(99), 10)) == ["a4"]


async def test_postponed_it_keeps_its_line_waiting_and_no_other(bench: Bench) -> None:
    await _put(bench, intent("a1"), intent("a2"), intent("b1", incident="i2"))
    await bench.outbox.postpone(1, after(70), after(300), "connection refused")
    assert _ids(await bench.outbox.due(after(299), 10)) == ["b1"]
    await bench.outbox.delivered(3, after(299), "ok")
    assert await bench.outbox.next_due() == after(300)
    await _put(bench, intent("a3"))
    assert await bench.outbox.due(after(299), 10) == []
    (entry,) = await bench.outbox.due(after(300), 10)
    assert (entry.intent.id, entry.attempts, entry.detail) == ("a1", 1, "connection refused")
    assert entry.next_attempt_at == after(300)


async def test_finishing_again_or_late_changes_nothing(bench: Bench) -> None:
    await _put(bench, intent("a1"), intent("a2"))
    await bench.outbox.delivered(1, after(70), "ok")
    await bench.outbox.delivered(1, after(80), "again")
    await bench.outbox.give_up(1, after(80), "late")
    await bench.outbox.postpone(1, after(80), after(900), "late")
    (entry,) = await bench.outbox.due(after(80), 10)
    assert (entry.intent.id, entry.next_attempt_at, entry.attempts) == ("a2", after(70), 0)
    assert await bench.desk.failing_receivers() == {}


async def test_one_that_waits_behind_another_cannot_be_postponed(bench: Bench) -> None:
    await _put(bench, intent("a1"), intent("a2"))
    await bench.outbox.postpone(2, after(70), after(900), "too early")
    await bench.outbox.delivered(1, after(70), "ok")
    (entry,) = await bench.outbox.due(after(70), 10)
    assert (entry.intent.id, entry.attempts) == ("a2", 0)


async def test_giving_up_is_no_step_that_concerns_the_desk(bench: Bench) -> None:
    await bench.engine.decide(fired("a1"))
    await _put(bench, intent("n1"))
    await bench.outbox.give_up(1, after(70), "refused")
    assert await bench.desk.told(2, 10) == []


async def test_trimming_deletes_what_was_finished_before_and_never_what_waits(bench: Bench) -> None:
    await bench.engine.decide(fired("a1"))
    await _put(bench, *(intent(f"n{number}", incident=f"i{number}", alerts=("a1", "a2")) for number in range(1, 7)))
    await bench.outbox.delivered(1, after(70), "ok")
    await bench.outbox.give_up(2, after(71), "refused")
    await bench.outbox.postpone(3, after(71), after(90), "busy")
    await bench.outbox.delivered(4, after(72), "ok")
    await bench.outbox.delivered(5, after(99), "ok")
    assert await bench.outbox.trim(after(72), 10) == 2
    assert await bench.outbox.trim(after(72), 10) == 0
    assert await bench.outbox.trim(after(1_000_000), 10) == 2
    assert _ids(await bench.outbox.due(after(99), 10)) == ["n3", "n6"]


async def test_trimming_deletes_no_more_than_asked(bench: Bench) -> None:
    await _put(bench, *(intent(f"n{number}", incident=f"i{number}") for number in range(1, 8)))
    for number in range(1, 8):
        await bench.outbox.delivered(number, after(70), "ok")
    assert [await bench.outbox.trim(after(71), 3) for _ in range(4)] == [3, 3, 1, 0]


async def test_what_was_trimmed_is_not_numbered_again_nor_finished_again(bench: Bench) -> None:
    await _put(bench, intent("n1"))
    await bench.outbox.give_up(1, after(70), "refused")
    assert await bench.outbox.trim(after(71), 10) == 1
    assert await bench.desk.failing_receivers() == {"duty": "refused"}  # It remembers without the row.
    await bench.outbox.delivered(1, after(80), "late")
    await bench.outbox.postpone(1, after(80), after(90), "late")
    await bench.outbox.give_up(1, after(80), "late")
    assert await bench.desk.failing_receivers() == {"duty": "refused"}
    await _put(bench, intent("n2"))
    assert [entry.number for entry in await bench.outbox.due(after(80), 10)] == [2]


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_happens_each_line_is_delivered_in_its_order(bench: Bench, seed: int) -> None:
    """A random walk: the desk adds, the deliverer delivers, postpones and gives up; lists say what is due."""
    chance = random.Random(seed)
    waiting: dict[tuple[str, str], list[tuple[int, str]]] = {}
    not_before: dict[int, int] = {}
    number = 0
    for now in range(60, 100):
        for _ in range(chance.randrange(3)):
            number += 1
            line = chance.choice(["duty", "guard"]), chance.choice(["i1", "i2", "i3"])
            waiting.setdefault(line, []).append((number, f"n{number}"))
            await _put(bench, intent(f"n{number}", receiver=line[0], incident=line[1]))
        heads = sorted(line[0] for line in waiting.values() if line)
        due = [name for at, name in heads if not_before.get(at, 0) <= now]
        entries = await bench.outbox.due(after(now), 100)
        assert _ids(entries) == due
        for entry in entries:
            if chance.random() < 0.5:
                until = now + chance.randrange(1, 5)
                await bench.outbox.postpone(entry.number, after(now), after(until), "busy")
                not_before[entry.number] = until
                continue
            ending = bench.outbox.delivered if chance.random() < 0.7 else bench.outbox.give_up
            await ending(entry.number, after(now), "said")
            waiting[entry.intent.receiver, entry.intent.incident].pop(0)
    assert number > 20
