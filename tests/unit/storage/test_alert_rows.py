"""Alerts that begin and end within one commit are written once, as they are at the end; the order still counts."""

from datetime import UTC, datetime, timedelta

from alerts.model import Reason, Severity, Transition, TransitionKind
from core.devices import DeviceKey, DeviceKind
from storage.records.alert_rows import _fold

T0 = datetime(2026, 8, 14, 7, 0, tzinfo=UTC)
LIFT = DeviceKey("demo", DeviceKind.ELEVATOR, "lift-1")
REASON = Reason("event", "按下", "pressed")


def step(alert: str, kind: TransitionKind, second: int, severity: Severity = Severity.MAJOR) -> Transition:
    at = T0 + timedelta(seconds=second)
    return Transition(alert, "button", severity, LIFT, kind, at, T0, REASON, second)


def test_a_button_pressed_and_let_go_many_times_is_one_row_for_each_alert() -> None:
    steps = []
    for number in range(100):
        steps += [
            step(f"a{number}", TransitionKind.FIRING, number),
            step(f"a{number}", TransitionKind.RESOLVED, number),
        ]
    folded = _fold([*steps, step("last", TransitionKind.FIRING, 100)])
    assert folded is not None
    begun, rest = folded
    assert [row["id"] for row in begun if row["resolved_at"] is None] == ["last"]
    assert (len(begun), rest) == (101, [])


def test_the_last_severity_counts_and_what_was_open_before_keeps_its_steps() -> None:
    worse = step("new", TransitionKind.SEVERITY_CHANGED, 2, Severity.CRITICAL)
    ended = step("old", TransitionKind.RESOLVED, 3)
    folded = _fold([step("new", TransitionKind.FIRING, 1), worse, ended])
    assert folded is not None
    assert (folded[0][0]["severity"], folded[1]) == ("critical", [ended])


def test_one_that_ends_and_begins_again_is_written_in_order() -> None:
    assert _fold([step("a", TransitionKind.RESOLVED, 1), step("a", TransitionKind.FIRING, 1)]) is None
