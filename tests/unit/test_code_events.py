"""Codes that are no faults: what a message with one becomes."""

from datetime import UTC, datetime

import pytest

from core.code_events import as_said
from core.faults import EventKind
from core.wire.payloads import ElevatorEvent, ElevatorEventType, ServiceMode

Type = ElevatorEventType
AT = datetime(2026, 8, 14, tzinfo=UTC)
MODES = [
    ("out_of_service", ServiceMode.STOPPED),
    ("inspection", ServiceMode.INSPECTION),
    ("fire_recall", ServiceMode.FIRE_RECALL),
    ("firefighter", ServiceMode.FIREFIGHTER),
    ("emergency_power", ServiceMode.EMERGENCY_POWER),
    ("earthquake", ServiceMode.EARTHQUAKE),
]
CASES: list[tuple[str, Type, ServiceMode | None, bool | None, Type, ServiceMode | None, bool | None]] = [
    *((code, Type.MODE_CHANGED, mode, None, Type.MODE_CHANGED, ServiceMode.UNKNOWN, None) for code, mode in MODES),
    ("back_to_automatic", Type.MODE_CHANGED, ServiceMode.NORMAL, None, Type.FAULT_CLEARED, None, None),
    ("main_power_off", Type.MAIN_POWER_CHANGED, None, False, Type.MAIN_POWER_CHANGED, None, True),
    ("alarm_button", Type.ALARM_PRESSED, None, None, Type.ALARM_RELEASED, None, None),
    ("ebike_in_car", Type.EBIKE_DETECTED, None, None, Type.EBIKE_CLEARED, None, None),
    ("no_fault", Type.FAULTS_CLEARED, None, None, Type.FAULT_CLEARED, None, None),
    ("brake", Type.FAULT_RAISED, None, None, Type.FAULT_CLEARED, None, None),
    ("nonsense", Type.FAULT_RAISED, None, None, Type.FAULT_CLEARED, None, None),
]


def said(code: str, kind: Type) -> tuple[Type, ServiceMode | None, bool | None]:
    event = ElevatorEvent(at=AT, type=kind, source="anju", code=code, floor="3")
    as_said(event)
    assert (event.source, event.code, event.floor) == ("anju", code, "3")
    return event.type, event.service_mode, event.main_power


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_raised_and_cleared(
    case: tuple[str, Type, ServiceMode | None, bool | None, Type, ServiceMode | None, bool | None],
) -> None:
    code, *expected = case
    assert [*said(code, Type.FAULT_RAISED), *said(code, Type.FAULT_CLEARED)] == expected


def test_every_kind_that_is_no_fault_is_among_the_cases() -> None:
    assert {case[0] for case in CASES} >= {*EventKind}


def test_what_is_no_message_of_a_fault_stays_as_it_is() -> None:
    event = ElevatorEvent(at=AT, type=Type.ALARM_PRESSED, source="gbt24476-2017", code="44")
    as_said(event)
    assert event.type is Type.ALARM_PRESSED
