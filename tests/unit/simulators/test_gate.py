"""A gate's day: who passes, what the door does, and a forced door."""

from collections import Counter
from datetime import timedelta

import pytest

from core.wire.payloads import GateEvent, GateEventType
from simulators.gate import PUSH_SECONDS, CloseGate, ForceOpen
from simulators.lift_inputs import PressAlarm
from simulators.model import UnknownInputError
from tests.unit.simulators.driving import START, drive, gate

DOOR = (GateEventType.DOOR_OPENED, GateEventType.DOOR_CLOSED)


def day(seed: int = 1, **changes: float) -> list[GateEvent]:
    return [body for body in drive(gate(seed, **changes), 86_400) if isinstance(body, GateEvent)]


def test_a_day_has_the_passages_it_was_given_with_its_peaks() -> None:
    people = [event for event in day(passages_per_day=800) if event.type not in DOOR]
    # A Poisson count of 800 stays within five standard deviations of 28.
    assert 660 <= len(people) <= 940
    by_hour = Counter((event.at + timedelta(hours=8)).hour for event in people)
    assert by_hour[7] + by_hour[18] > 8 * (by_hour[2] + by_hour[3])


def test_a_small_share_is_denied_with_a_reason() -> None:
    asked = [
        event for event in day(passages_per_day=8_000) if event.type in (GateEventType.GRANTED, GateEventType.DENIED)
    ]
    denied = [event for event in asked if event.type is GateEventType.DENIED]
    assert 0.01 < len(denied) / len(asked) < 0.03
    assert all(event.reason is not None for event in denied)
    assert all(event.credential is not None for event in asked)


def test_the_door_opens_and_closes_in_turn_within_its_time() -> None:
    door = [event for event in day() if event.type in DOOR]
    assert {event.type for event in door[::2]} == {GateEventType.DOOR_OPENED}
    assert {event.type for event in door[1::2]} == {GateEventType.DOOR_CLOSED}
    for opened, closed in zip(door[::2], door[1::2], strict=False):
        assert (closed.at - opened.at).total_seconds() >= 5.0 * 0.7


def test_a_denied_card_does_not_open_the_door() -> None:
    said = day(denied_share=1.0)
    assert GateEventType.GRANTED not in {event.type for event in said}
    buttons = {event.at for event in said if event.type is GateEventType.EXIT_BUTTON}
    opened = [event.at for event in said if event.type is GateEventType.DOOR_OPENED]
    assert opened
    assert all(at - timedelta(seconds=PUSH_SECONDS) in buttons for at in opened)


def test_a_forced_door_stays_open_until_it_is_closed() -> None:
    inputs = {100.0: ForceOpen(), 140.0: CloseGate()}
    said = [body for body in drive(gate(passages_per_day=0.0), 200, inputs=inputs) if isinstance(body, GateEvent)]
    assert [(event.type, (event.at - START).total_seconds()) for event in said] == [
        (GateEventType.FORCED_OPEN, 100.0),
        (GateEventType.DOOR_CLOSED, 140.0),
    ]


def test_a_busy_forced_door_says_nothing_of_opening_or_closing() -> None:
    inputs = {3600.0 * 8: ForceOpen(), 3600.0 * 9: CloseGate()}
    said = [
        body for body in drive(gate(passages_per_day=3_000), 3600 * 10, inputs=inputs) if isinstance(body, GateEvent)
    ]
    forced = [event for event in said if 8 * 3600 < (event.at - START).total_seconds() < 9 * 3600]
    assert len(forced) > 50
    assert not [event for event in forced if event.type in DOOR]


def test_the_same_seed_says_the_same_and_another_does_not() -> None:
    assert day(1) == day(1)
    assert day(1) != day(2)


def test_an_input_of_another_device_is_refused() -> None:
    with pytest.raises(UnknownInputError, match="PressAlarm"):
        gate().step(START, [PressAlarm()])
