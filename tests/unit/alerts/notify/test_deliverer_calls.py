"""The deliverer and calls for help: their own room, their own patience, before everything else."""

from alerts.dispatch.model import Purpose
from alerts.model import Severity
from alerts.notify.deliverer import Limits
from tests.unit.alerts.notify.delivering import AWAY, fails, started
from tests.unit.alerts.notify.intents import intent, page
from tests.unit.alerts.notify.mouth import Mouth


async def test_a_call_for_help_finds_room_in_the_minute_of_its_receiver_and_no_more_leave_than_it_takes() -> None:
    async with started({"duty": Mouth()}, per_minute=20) as world:
        world.add(*(intent(number, incident=f"i{number}") for number in range(50)))
        await world.run_until(10)
        world.add(*(page(number) for number in range(100, 106)))
        world.deliverer.wake()
        await world.run_until(59)
        said = [one.purpose for one in world.mouths["duty"].said]
        assert (len(said), said[16:]) == (20, [Purpose.CALL] * 4)
        await world.run_until(61)
        assert {one.id for one in world.mouths["duty"].said} >= {f"intent-{number}" for number in range(100, 106)}


async def test_nothing_else_on_its_way_takes_the_room_of_a_call() -> None:
    """Everything hangs, at the call's own receiver and at the others, up to every bound there is."""
    mouths = {"duty": Mouth(), **{f"r{number}": Mouth() for number in range(16)}}
    for mouth in mouths.values():
        mouth.gate.clear()
    async with started(mouths) as world:
        names = list(mouths)
        world.add(*(intent(number, receiver=names[number % 17], incident=f"i{number}") for number in range(200)))
        await world.run_until(1)
        assert world.deliverer.stats.in_flight == Limits().in_flight
        world.add(page(900))
        world.deliverer.wake()
        await world.run_until(2)
        assert world.deliverer.stats.in_flight == Limits().in_flight + 1
        for mouth in mouths.values():
            mouth.gate.set()
        await world.run_until(3)
        assert len(world.mouths["duty"].said) == 13


async def test_a_call_does_not_wait_while_its_receiver_rests_and_is_tried_again_within_seconds() -> None:
    duty = Mouth(fails(times=10_000, error=AWAY))
    async with started({"duty": duty}) as world:
        world.add(intent(1))
        await world.run_until(1_000)
        tried = len(duty.tried)
        world.add(page(2))
        world.deliverer.wake()
        await world.run_until(1_000)
        assert duty.tried[tried].id == "intent-2"
        await world.run_until(1_300)
        # Every 5 to 10 s, but for what chance and the alert take; an alert by itself is tried once or twice.
        assert len([one for one in duty.tried if one.id == "intent-2"]) >= 15
        duty.behave = lambda _intent: None
        await world.run_until(1_330)
        assert "intent-2" in [one.id for one in duty.said]


async def test_a_call_for_help_goes_before_everything_then_news_of_one_then_a_drill() -> None:
    async with started({"duty": Mouth()}, per_minute=1) as world:
        news = page(3, kind="update")
        world.add(intent(1, incident="a"), page(2, drill=True), news, page(4, severity=Severity.INFO))
        await world.run_until(240)
        assert [one.id for one in world.mouths["duty"].said] == ["intent-4", "intent-3", "intent-2", "intent-1"]
