"""The plan that comes with Anju: what rings, and what waits for the list of the day."""

from datetime import timedelta

from alerts.dispatch.defaults import default_plan
from alerts.inventory import Inventory
from alerts.scoring.duty import notifications
from core.wire.payloads import ElevatorEventType as Lift
from tests.unit.alerts.talk import START, Talk, instant, rule, run

HOUR = 3_600
TREND = rule("elevator", "{kind: threshold, signal: load_kilograms, above: 100}", rule_id="worn", severity="info")
SECOND = rule("elevator", "{kind: threshold, signal: speed_mps, above: 1}", rule_id="worn-too", severity="info")
ENDED = rule(
    "elevator", "{kind: event, types: [alarm_reset], resolve_after: 10m}", rule_id="car-alarm-ended", severity="info"
)


def told_at(*rules: object, said: list[object]) -> list[tuple[float, int]]:
    """Return when people are told, in seconds, and of how many alerts."""
    transitions = run(rules, said, until=60 * HOUR)  # type: ignore[arg-type]
    found = notifications(transitions, default_plan(), Inventory(), instant(60 * HOUR), timedelta(minutes=2))
    return [((one.at - START).total_seconds(), len(one.alerts)) for one in found]


def test_trends_of_a_community_are_one_list_a_day() -> None:
    talk = Talk()
    said: list[object] = [talk.lift(0, load_kilograms=120.0), talk.lift(4 * HOUR, speed_mps=2.0)]
    assert told_at(TREND, SECOND, said=said) == [(12 * HOUR, 2)]


def test_what_is_over_before_is_not_listed() -> None:
    talk = Talk()
    assert told_at(TREND, said=[talk.lift(0, load_kilograms=120.0), talk.lift(HOUR, load_kilograms=0.0)]) == []


def test_the_end_of_a_car_alarm_does_not_wait_for_the_list() -> None:
    talk = Talk()
    assert told_at(ENDED, said=[talk.lift_event(0, Lift.ALARM_RESET)]) == [(60, 1)]
