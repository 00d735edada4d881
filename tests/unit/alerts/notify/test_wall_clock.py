"""The wall clock is set forward or back while messages wait: they are tried, and given up, in their time."""

from datetime import timedelta

import pytest

from alerts.dispatch.model import Purpose
from tests.unit.alerts.notify.delivering import AWAY, DELIVERED, FAILED, WAITING, fails, started
from tests.unit.alerts.notify.intents import intent
from tests.unit.alerts.notify.mouth import Mouth

JUMPS = pytest.mark.parametrize("jump", [timedelta(hours=2), timedelta(hours=-2)], ids=["forward", "back"])


@JUMPS
async def test_a_message_that_failed_is_tried_again_after_its_pause(jump: timedelta) -> None:
    async with started({"duty": Mouth(fails(times=1, error=AWAY))}) as world:
        world.add(intent())
        await world.run_until(0.1)
        assert world.status() is WAITING
        world.clock.jump(jump)
        await world.run_until(2)
        assert world.status() is DELIVERED


@JUMPS
async def test_what_is_new_leaves_at_once(jump: timedelta) -> None:
    async with started({"duty": Mouth()}) as world:
        world.clock.jump(jump)
        world.add(intent())
        await world.run_until(0.1)
        assert world.status() is DELIVERED


@JUMPS
async def test_a_page_of_a_call_is_tried_for_an_hour(jump: timedelta) -> None:
    async with started({"duty": Mouth(fails(times=1_000_000, error=AWAY))}) as world:
        world.add(intent(purpose=Purpose.CALL))
        await world.run_until(60)
        world.clock.jump(jump)
        await world.run_until(59 * 60)
        assert world.status() is WAITING
        await world.run_until(61 * 60)
        assert world.status() is FAILED
        assert world.detail().startswith("given up after 1 h")


@JUMPS
async def test_a_receiver_is_told_at_most_so_often_a_minute(jump: timedelta) -> None:
    async with started({"duty": Mouth()}, per_minute=5) as world:
        world.add(*(intent(number, incident=f"i{number}") for number in range(1, 13)))
        await world.run_until(1)
        begun = sum(world.status(number) is DELIVERED for number in range(1, 13))
        world.clock.jump(jump)
        await world.run_until(50)
        assert sum(world.status(number) is DELIVERED for number in range(1, 13)) == begun
        await world.run_until(180)
        assert all(world.status(number) is DELIVERED for number in range(1, 13))
