"""The wall clock of the whole machine is set while a call rings: help climbs on in its time, and the jump is told."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import wait_until
from tests.acceptance.test_emergency import Estate, estate
from tests.servers.faketime import WallClock
from tests.servers.plugin import MakeMosquitto

HOURS = 2 * 3_600
FIRST, SECOND = ("guard", "call", False), ("manager", "call", False)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("restart", [False, True], ids=["running", "killed"])
@pytest.mark.parametrize(
    ("jump", "said"), [(-HOURS, "set back by"), (HOURS, "set forward by")], ids=["back", "forward"]
)
def test_the_second_step_of_a_call_is_told_in_its_time(
    tmp_path: Path, make_mosquitto: MakeMosquitto, wall_clock: WallClock, jump: int, said: str, restart: bool
) -> None:
    broker = make_mosquitto(save_every_change=False).port
    with estate(tmp_path, broker, wall_clock.environment) as here:
        here.lift_says("alarm_pressed")
        call = here.call()
        here.paged(FIRST)
        wall_clock.jump(jump)
        if restart:
            here.alerts.kill()
            here.alerts.start()
        # After 4 s, and what busy cores need; it would be 2 h by the wall clock.
        here.paged(FIRST, SECOND)
        wait_until(lambda: said in _ready(here), lambda: f"{_ready(here)}\n{here.alerts.tail()}")
        wait_until(lambda: "clock-jumped" in _firing(here), lambda: f"{_firing(here)}\n{here.alerts.tail()}")
        # Neither is the ladder at its end, nor does a device seem silent.
        assert here.pages() == [FIRST, SECOND]
        assert [rule for rule in _firing(here) if rule.endswith("-offline") or rule.startswith("call-")] == []
        shown = here.call()
        assert shown["rescue"]["state"] == "running"
        assert _minutes(shown["stamps"]["raised"], shown["rescue"]["by"]) == pytest.approx(30 + jump / 60, abs=1)
        here.does(call["id"], "answer").raise_for_status()


def _ready(here: Estate) -> str:
    return here.staff.get(str(here.staff.base_url.copy_with(path="/readyz"))).text


def _firing(here: Estate) -> list[str]:
    items: list[dict[str, Any]] = (
        here.staff.get("/alerts", params={"state": "firing"}).raise_for_status().json()["items"]
    )
    return [item["rule"] for item in items]


def _minutes(since: str, until: str) -> float:
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds() / 60
