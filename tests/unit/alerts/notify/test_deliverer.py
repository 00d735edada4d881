"""The deliverer on twins: order, bounds, pauses and ends, whatever fails."""

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.dispatch.model import Intent, OutboxEntry, Purpose
from alerts.model import Severity
from alerts.notify.book import Channel, MessengerBook
from alerts.notify.deliverer import Deliverer, Limits, wait_for
from alerts.notify.errors import TryLater
from alerts.notify.patience import LIFETIMES, Patience
from core.clock import ManualClock
from core.errors import PermanentError
from storage.memory.outbox import MemoryOutbox
from tests.unit.alerts.notify.delivering import AWAY, DELIVERED, FAILED, WAITING, fails, started
from tests.unit.alerts.notify.intents import START, after, intent
from tests.unit.alerts.notify.mouth import Mouth


async def test_it_delivers_and_records_what_the_receiver_said() -> None:
    async with started({"duty": Mouth()}) as world:
        world.add(intent(1), intent(2, incident="other"))
        await world.run_until(1)
        assert [one.id for one in world.mouths["duty"].said] == ["intent-1", "intent-2"]
        assert (world.status(1), world.detail(1), world.status(2)) == (DELIVERED, "heard", DELIVERED)
        assert world.deliverer.stats.delivered == 2


async def test_a_temporary_failure_is_tried_again_with_growing_pauses() -> None:
    async with started({"duty": Mouth(fails(times=5, error=AWAY))}) as world:
        world.add(intent())
        await world.run_until(0.4)
        assert (world.status(), world.detail()) == (WAITING, "duty: away")
        assert world.deliverer.stats.failing["duty"] == (START, "duty: away")
        await world.run_until(1 + 2 + 4 + 8 + 16)
        assert world.status() is DELIVERED
        assert world.outbox.entries[0].attempts == 6
        assert world.deliverer.stats.failing == {}


async def test_it_comes_back_when_the_receiver_asks_it_to() -> None:
    async with started({"duty": Mouth(fails(times=1, error=TryLater("duty: too many", 30.0)))}) as world:
        world.add(intent(1), intent(2, incident="other"))
        await world.run_until(29.9)
        assert world.mouths["duty"].said[1:] == []
        await world.run_until(30)
        assert (world.status(1), world.status(2)) == (DELIVERED, DELIVERED)


async def test_a_permanent_failure_is_given_up_at_once_and_the_next_is_tried() -> None:
    refusing = fails(times=1, error=PermanentError("duty: answered 404"))
    async with started({"duty": Mouth(refusing)}) as world:
        world.add(intent(1), intent(2))
        await world.run_until(1)
        assert (world.status(1), world.detail(1)) == (FAILED, "duty: answered 404")
        assert world.status(2) is DELIVERED


async def test_a_receiver_that_is_not_in_the_plan_any_more_is_given_up() -> None:
    async with started({"duty": Mouth()}) as world:
        world.add(intent(receiver="former"))
        await world.run_until(1)
        assert (world.status(), world.detail()) == (FAILED, "receiver 'former' is not in the plan any more")


@pytest.mark.parametrize(("purpose", "hours"), [(Purpose.FIRING, 24), (Purpose.REMINDER, 1), (Purpose.RESOLVED, 72)])
async def test_it_gives_up_when_the_message_makes_no_sense_any_more(purpose: Purpose, hours: int) -> None:
    async with started({"duty": Mouth(fails(times=10_000, error=AWAY))}) as world:
        world.add(intent(purpose=purpose))
        await world.run_until(hours * 3600 - 360)
        assert world.status() is WAITING
        await world.run_until(hours * 3600 + 360)
        assert (world.status(), world.detail()) == (FAILED, f"given up after {hours} h: duty: away")


def refuses(poison: Intent) -> Callable[[Intent], None]:
    def behave(asked: Intent) -> None:
        if asked.id == poison.id:
            raise AWAY

    return behave


async def test_a_message_that_fails_while_others_are_taken_holds_up_its_line_for_minutes_only() -> None:
    poison = intent(1)
    async with started({"duty": Mouth(refuses(poison))}) as world:
        world.add(poison, intent(2), intent(3, purpose=Purpose.RESOLVED))
        for minute in range(20):
            await world.run_until(60 * minute)
            world.add(intent(10 + minute, incident=f"other {minute}"))
        await world.run_until(1_200)
        assert (world.status(1), world.outbox.entries[0].attempts) == (FAILED, 10)
        assert world.detail(1) == "given up after 10 attempts, others were taken: duty: away"
        assert [one.id for one in world.mouths["duty"].said if one.incident == poison.incident] == [
            "intent-2",
            "intent-3",
        ]
        assert world.outbox.entries[1].finished_at is not None
        assert world.outbox.entries[1].finished_at <= after(600)


async def test_a_message_that_fails_alone_may_have_met_a_receiver_that_is_away() -> None:
    poison = intent(1)
    async with started({"duty": Mouth(refuses(poison))}) as world:
        world.add(poison, intent(2), intent(3, incident="other"))
        await world.run_until(23 * 3_600)
        assert (world.status(1), world.status(2), world.status(3)) == (WAITING, WAITING, DELIVERED)


async def test_a_message_older_than_its_sense_is_tried_once() -> None:
    async with started({"duty": Mouth()}) as world:
        world.outbox.put([intent()], START - timedelta(days=9))
        world.deliverer.wake()
        await world.run_until(1)
        assert world.status() is DELIVERED


async def test_a_mistake_in_a_messenger_is_a_temporary_failure_that_names_its_place_only() -> None:
    async with started({"duty": Mouth(fails(times=1, error=ValueError("wecombot://GEHEIM")))}) as world:
        world.add(intent())
        await world.run_until(0.4)
        assert world.detail().startswith("unexpected ValueError in behave, line ")
        await world.run_until(2)
        assert world.status() is DELIVERED


async def test_a_messenger_that_never_returns_is_cut_off() -> None:
    stuck = Mouth()
    stuck.gate.clear()
    async with started({"duty": stuck}, Limits(attempt_seconds=0.01)) as world:
        world.add(intent())
        async with asyncio.timeout(5):
            while not world.detail():
                await asyncio.sleep(0.005)
        assert world.detail() == "gave no answer within 0.01 s"


async def test_a_dead_receiver_holds_up_nobody_else_however_much_waits_for_it() -> None:
    dead, well = Mouth(), Mouth()
    dead.gate.clear()
    async with started({"dead": dead, "well": well}, Limits(in_flight=8, per_receiver=3, stop_seconds=0.02)) as world:
        world.add(*(intent(number, receiver="dead", incident=f"i{number}") for number in range(500)))
        world.add(*(intent(number, receiver="well", incident=f"i{number}") for number in range(500, 510)))
        await world.run_until(1)
        assert len(well.said) == 10
        assert dead.most_open_at_once == 3


async def test_a_failing_receiver_is_tried_with_one_message_at_a_time() -> None:
    failing = Mouth(fails(times=10_000, error=AWAY))
    async with started({"duty": failing}) as world:
        world.add(*(intent(number, incident=f"i{number}") for number in range(100)))
        await world.run_until(600)
        assert failing.most_open_at_once == 4
        assert len(failing.tried) < 20
        failing.behave = lambda _intent: None
        await world.run_until(1_000)
        assert len(failing.said) == 100


async def test_no_more_leave_in_a_minute_than_the_receiver_takes() -> None:
    async with started({"duty": Mouth()}, per_minute=20) as world:
        world.add(*(intent(number, incident=f"i{number}") for number in range(50)))
        heard = []
        for seconds in (59, 61, 121):
            await world.run_until(seconds)
            heard.append(len(world.mouths["duty"].said))
        assert heard == [16, 32, 48]  # Of the 20 a minute four are kept for calls.


async def test_where_few_are_taken_the_worst_goes_first_and_what_is_over_last() -> None:
    async with started({"duty": Mouth()}, per_minute=2) as world:
        world.add(
            intent(1, incident="a", purpose=Purpose.RESOLVED),
            intent(2, incident="b", severity=Severity.MINOR),
            intent(3, incident="c", severity=Severity.MAJOR),
            intent(4, incident="d", severity=Severity.CRITICAL),
        )
        await world.run_until(120)
        assert [one.id for one in world.mouths["duty"].said] == ["intent-4", "intent-3", "intent-2", "intent-1"]


async def test_all_together_keep_to_the_bound() -> None:
    mouths = {f"r{number}": Mouth() for number in range(6)}
    for mouth in mouths.values():
        mouth.gate.clear()
    async with started(mouths, Limits(in_flight=5)) as world:
        world.add(*(intent(number, receiver=f"r{number % 6}", incident=f"i{number}") for number in range(30)))
        await world.run_until(1)
        assert sum(mouth.open_at_once for mouth in mouths.values()) == 5
        assert world.deliverer.stats.in_flight == 5
        for mouth in mouths.values():
            mouth.gate.set()
        await world.run_until(2)
        assert sum(len(mouth.said) for mouth in mouths.values()) == 30


async def test_an_outbox_that_fails_is_asked_again_and_nothing_is_sent_twice() -> None:
    async with started({"duty": Mouth()}) as world:
        world.add(intent())
        world.mouths["duty"].behave = lambda _intent: world.outbox.fail(times=4)
        await world.run_until(1)
        assert world.status() is DELIVERED
        assert len(world.mouths["duty"].said) == 1
        assert world.deliverer.stats.retries == 4
        assert world.deliverer.stats.detail == ""


async def test_what_ends_while_the_outbox_is_asked_is_not_sent_again() -> None:
    first = Mouth()
    first.gate.clear()
    async with started({"duty": first}) as world:
        world.add(intent(1))
        await world.run_until(1)
        look = world.outbox.due

        async def look_slowly(
            now: datetime, limit: int, without: Collection[str] = (), *, calls: bool | None = None
        ) -> list[OutboxEntry]:
            seen = await look(now, limit, without, calls=calls)
            first.gate.set()
            for _ in range(10):
                await asyncio.sleep(0)
            return seen

        world.outbox.due = look_slowly  # type: ignore[method-assign]
        world.add(intent(2, incident="other"))
        await world.run_until(2)
        assert [one.id for one in first.said] == ["intent-1", "intent-2"]


async def test_a_new_plan_is_used_from_now_on_and_the_old_messenger_is_closed() -> None:
    old, new, kept = Mouth(fails(times=10_000, error=AWAY)), Mouth(), Mouth()
    async with started({"duty": old, "desk": kept}) as world:
        world.add(intent())
        await world.run_until(400)
        await world.book.replace({"duty": Channel(new), "desk": Channel(kept)})
        world.deliverer.wake()
        await world.run_until(800)
        assert world.status() is DELIVERED
        assert [one.id for one in new.said] == ["intent-1"]
    assert (old.closed, new.closed, kept.closed) == (True, False, False)
    await world.book.close()
    assert (new.closed, kept.closed) == (True, True)


async def test_stopping_lets_what_is_on_its_way_end() -> None:
    slow = Mouth()
    slow.gate.clear()
    async with started({"duty": slow}) as world:
        world.add(intent(1), intent(2))
        await world.run_until(1)
        world.task.cancel()
        await asyncio.sleep(0)
        slow.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await world.task
        assert (world.status(1), world.status(2)) == (DELIVERED, WAITING)


async def test_stopping_waits_no_longer_than_its_deadline() -> None:
    stuck = Mouth()
    stuck.gate.clear()
    async with started({"duty": stuck}, Limits(stop_seconds=0.02)) as world:
        world.add(intent())
        await world.run_until(1)
        world.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(world.task), 5)
        assert world.status() is WAITING


async def test_an_outbox_that_refuses_for_good_ends_the_service() -> None:
    async with started({"duty": Mouth()}) as world:

        async def refuse(*_arguments: object) -> None:
            raise PermanentError("outbox: no such row")

        world.outbox.delivered = refuse  # type: ignore[method-assign,assignment]
        world.add(intent())
        with pytest.raises(PermanentError, match="no such row"):
            await world.run_until(1)


async def test_a_new_message_leaves_at_once_when_woken() -> None:
    outbox, mouth = MemoryOutbox(), Mouth()
    deliverer = Deliverer(outbox, MessengerBook({"duty": Channel(mouth)}), ManualClock(START))
    task = asyncio.create_task(deliverer.run())
    await asyncio.sleep(0.05)
    outbox.put([intent()], START)
    deliverer.wake()
    async with asyncio.timeout(0.5):
        while not mouth.said:
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_waiting_ends_when_woken_and_when_the_time_is_up() -> None:
    woken = asyncio.Event()
    await wait_for(woken, 0.001)
    woken.set()
    await asyncio.wait_for(wait_for(woken, 60), 5)


@settings(max_examples=60, deadline=None)
@given(
    told=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), min_size=1, max_size=25),
    outcomes=st.lists(st.sampled_from(["taken", "taken", "away", "refused"]), max_size=60),
    slots=st.integers(1, 4),
)
async def test_order_is_kept_for_each_receiver_and_incident(
    told: list[tuple[str, str]], outcomes: list[str], slots: int
) -> None:
    coming = list(outcomes)

    def behave(_intent: Intent) -> None:
        match coming.pop(0) if coming else "taken":
            case "away":
                raise AWAY
            case "refused":
                raise PermanentError("refused")

    mouths = {"a": Mouth(behave), "b": Mouth(behave)}
    async with started(mouths, Limits(per_receiver=slots)) as world:
        world.add(*(intent(n, receiver=who, incident=what, version=n) for n, (who, what) in enumerate(told, 1)))
        await world.run_until(20_000)
        assert all(entry.finished_at for entry in world.outbox.entries)
    for who, what in set(told):
        tried = [one.version for one in mouths[who].tried if one.incident == what]
        said = [one.version for one in mouths[who].said if one.incident == what]
        assert tried == sorted(tried)
        assert said == sorted(set(said))


@settings(max_examples=60, deadline=None)
@given(
    told=st.lists(st.tuples(st.integers(0, 3_000), st.sampled_from("xyz"), st.sampled_from(Purpose)), min_size=1),
    outcomes=st.lists(st.sampled_from(["taken", "away", "away", "refused"]), max_size=80),
)
async def test_a_receiver_that_is_dead_loses_nothing_before_its_time(
    told: list[tuple[int, str, Purpose]], outcomes: list[str]
) -> None:
    """However it fared before: from the first failure after the last one it took, a message is tried for its time."""
    coming, tries = list(outcomes), list[tuple[str, str]]()

    def behave(asked: Intent) -> None:
        tries.append((asked.id, coming.pop(0) if coming else "away"))
        match tries[-1][1]:
            case "away":
                raise AWAY
            case "refused":
                raise PermanentError("refused")

    async with started({"duty": Mouth(behave)}) as world:
        for number, (seconds, incident, purpose) in enumerate(sorted(told), 1):
            await world.run_until(seconds)
            world.add(intent(number, incident=incident, purpose=purpose))
        await world.run_until(8 * 3_600)
        for entry in world.outbox.entries:
            assert entry.finished_at is None or may_end(entry, tries)


def may_end(entry: OutboxEntry, tries: list[tuple[str, str]]) -> bool:
    """It was taken or refused, its time was up, or it failed often and others were taken between its last failures."""
    own = [at for at, (name, _) in enumerate(tries) if name == entry.intent.id]
    if tries[own[-1]][1] != "away":
        return True
    assert entry.finished_at is not None
    longest = Patience().most
    if entry.finished_at + longest - entry.created_at > LIFETIMES[entry.intent.purpose]:
        return True
    between = [what for _, what in tries[own[-2] : own[-1]]]
    return len(own) >= 10 and "taken" in between
