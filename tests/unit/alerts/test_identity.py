"""Which alert is the same alert (decision 0005)."""

from datetime import UTC, datetime, timedelta

from alerts.engine import Engine
from alerts.model import Transition, TransitionKind
from alerts.packs import builtin_rules
from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import Observation
from core.wire.payloads import ElevatorEvent, ElevatorEventType

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
LIFT = DeviceKey("willow-court", DeviceKind.ELEVATOR, "lift-1")


def _told(types: list[ElevatorEventType], engine: Engine) -> list[Transition]:
    """Tell events that the lift sent a second apart and that all arrived at once, as after an outage."""
    said: list[Transition] = []
    for position, type_ in enumerate(types, start=1):
        at = START + timedelta(seconds=position)
        body = ElevatorEvent(at=at, type=type_)
        said += engine.observe(Observation(position, LIFT, Channel.EVENT, at, START + timedelta(minutes=1), body))
    return said


def test_two_alarms_that_arrive_at_once_are_two_alerts() -> None:
    pressed, released = ElevatorEventType.ALARM_PRESSED, ElevatorEventType.ALARM_RELEASED
    said = _told([pressed, released, pressed, released], Engine(builtin_rules()))
    kinds = [TransitionKind.PENDING, TransitionKind.FIRING, TransitionKind.RESOLVED]
    assert [step.kind for step in said] == [*kinds, *kinds]
    first, second = said[0].alert_id, said[3].alert_id
    assert first != second
    assert [step.alert_id for step in said] == [first] * 3 + [second] * 3


def test_reading_the_same_messages_again_names_the_same_alerts() -> None:
    types = [ElevatorEventType.ALARM_PRESSED, ElevatorEventType.ALARM_RELEASED, ElevatorEventType.ALARM_PRESSED]
    assert _told(types, Engine(builtin_rules())) == _told(types, Engine(builtin_rules()))
