"""The sentences of a reason: what a guard reads of values, places and times."""

from typing import Any

import pytest

from alerts.words import lasting_names, value_said
from tests.unit.alerts.talk import Talk, rule, run

STANDING = "{kind: state, signal: direction, equals: stopped}"


@pytest.mark.parametrize(
    ("signal", "value", "zh", "en"),
    [
        ("passenger_present", True, "轿厢内有人", "someone is in the car"),
        ("door_zone", False, "轿厢不在平层位置", "the car is not at a landing"),
        ("door_state", "closing", "轿门未关到位", "the car door is closing"),
        ("main_power", None, "主电源未上报", "mains power never sent"),
        ("load_kilograms", 700.0, "载重 700 kg", "load 700 kg"),
        ("maximum_celsius", 71.26, "最高温度 71.26 °C", "maximum temperature 71.26 °C"),
    ],
)
def test_a_value_is_said_as_what_it_means(signal: str, value: object, zh: str, en: str) -> None:
    assert value_said(signal, value) == (zh, en)


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0, "", ""),
        (4.5, "，已持续 4.5 秒", ", for 4.5 s"),
        (60, "，已持续 1 分钟", ", for 1 min"),
        (95, "，已持续 1 分钟 35 秒", ", for 1 min 35 s"),
        (2 * 3600 + 61, "，已持续 2 小时 1 分钟", ", for 2 h 1 min"),
        (26 * 3600, "，已持续 1 天 2 小时", ", for 1 d 2 h"),
    ],
)
def test_a_time_is_said_in_the_units_of_a_clock(seconds: float, zh: str, en: str) -> None:
    assert lasting_names(int(seconds * 1_000_000)) == (zh, en)


@pytest.mark.parametrize(
    ("where", "zh", "en"),
    [
        ({}, "轿厢静止，已持续 10 秒", "the car stands still, for 10 s"),
        ({"floor": "7"}, "7 层：轿厢静止，已持续 10 秒", "floor 7: the car stands still, for 10 s"),
        ({"floor": "G", "door_zone": True}, "G 层：轿厢静止，已持续 10 秒", "floor G: the car stands still, for 10 s"),
        (
            {"floor": "7", "door_zone": False},
            "7 层附近：轿厢静止，已持续 10 秒",
            "near floor 7: the car stands still, for 10 s",
        ),
    ],
)
def test_the_reason_begins_with_where_the_car_is(where: dict[str, Any], zh: str, en: str) -> None:
    talk = Talk()
    (_, firing) = run([rule("elevator", STANDING, "for: 10s")], [talk.lift(0, direction="stopped", **where)], until=10)
    assert (firing.reason.zh, firing.reason.en) == (zh, en)


def test_a_lift_that_is_no_longer_heard_is_at_no_floor() -> None:
    talk = Talk()
    rules = [rule("elevator", "{kind: missing, nothing_for: 5m}"), rule("elevator", STANDING, "for: 1h", rule_id="s")]
    said = run(rules, [talk.lift(0, direction="stopped", floor="7")], until=300)
    assert (said[-1].reason.zh, said[-1].reason.en) == ("5 分钟未收到消息", "nothing heard for 5 min")
