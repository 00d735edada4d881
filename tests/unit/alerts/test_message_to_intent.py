"""From messages to notifications: any split and restart leads to the same alerts, each told exactly once."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from alerts.dispatch.defaults import default_plan
from alerts.dispatch.desk import Desk
from alerts.dispatch.model import Intent, Purpose, Told
from alerts.engine import Engine
from alerts.late import ZONE
from alerts.model import Transition, TransitionKind
from alerts.notify.wording import Language, Wording
from core.devices import Channel
from core.observations import Observation
from core.wire.payloads import ElevatorEventType as Lift
from tests.unit.alerts.by_level import rules_by_level
from tests.unit.alerts.talk import GATE, Talk, instant
from tests.unit.alerts.test_clocks import heard, presence
from tests.unit.alerts.test_replay import Step, stories
from tests.unit.alerts.test_replay import told as observed

RULES = rules_by_level()
PLAN = default_plan()
LONG_AFTER = timedelta(hours=3)


def timeline(transitions: list[Transition]) -> list[Told]:
    """Number what an engine decided as the records do; it is recorded in the order decided, at its instant or later."""
    fired = {one.alert_id: one for one in transitions if one.kind is TransitionKind.FIRING}
    recorded: datetime | None = None
    steps = []
    for sequence, one in enumerate(transitions, 1):
        recorded = one.at if recorded is None or one.at > recorded else recorded
        if one.kind is TransitionKind.PENDING:
            continue
        steps.append(_told(one, sequence, recorded, fired[one.alert_id]))
    return steps


def _told(one: Transition, sequence: int, recorded: datetime, firing: Transition) -> Told:
    return Told(
        sequence,
        one.alert_id,
        one.rule,
        one.severity,
        one.device,
        one.kind,
        one.at,
        recorded,
        None,
        one.reason,
        one.title_zh,
        one.title_en,
        firing.at,
        one.latching,
        one.protected,
        one.maintenance,
    )


def decided(observations: list[Observation], batch: int, killed: set[int]) -> list[Transition]:
    """What an engine commits that reads ``batch`` messages at a time and dies in the attempts ``killed``.

    Dead before its commit, it starts from the last one and is given the same messages again.
    """
    engine, committed, position, attempt = Engine(RULES), list[Transition](), 0, 0
    stored: dict[str, bytes] = {}
    while position < len(observations):
        said = [one for each in observations[position : position + batch] for one in engine.observe(each)]
        attempt += 1
        if attempt - 1 in killed:
            engine = Engine(RULES)
            engine.restore(stored)
            continue
        committed += said
        _keep(stored, engine.dirty())
        position += batch
    return committed + engine.advance(observations[-1].received_at + timedelta(days=2))


def intents(steps: list[Told], batch: int, killed: set[int]) -> list[Intent]:
    """What a desk commits that reads ``batch`` steps at a time and dies in the attempts ``killed``."""
    desk, committed, position, attempt = Desk(PLAN), list[Intent](), 0, 0
    stored: dict[str, bytes] = {}
    while position < len(steps):
        said = [one for each in steps[position : position + batch] for one in desk.observe(each).intents]
        attempt += 1
        if attempt - 1 in killed:
            desk = Desk(PLAN)
            desk.restore(stored)
            continue
        committed += said
        _keep(stored, desk.dirty())
        position += batch
    return committed + (desk.advance(steps[-1].recorded_at + LONG_AFTER).intents if steps else [])


def _keep(stored: dict[str, bytes], changed: dict[str, bytes | None]) -> None:
    for key, state in changed.items():
        if state is None:
            stored.pop(key, None)
        else:
            stored[key] = state


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories, st.integers(1, 7), st.sets(st.integers(0, 12)), st.integers(1, 5), st.sets(st.integers(0, 12)))
def test_the_same_alerts_and_each_intent_once(
    story: list[Step], batch: int, killed: set[int], desk_batch: int, desk_killed: set[int]
) -> None:
    observations = observed(story)
    undisturbed = decided(observations, len(observations), set())
    disturbed = decided(observations, batch, killed)
    assert disturbed == undisturbed
    steps = timeline(disturbed)
    said = intents(steps, desk_batch, desk_killed)
    assert said == intents(timeline(undisturbed), max(1, len(steps)), set())
    assert max(Counter(intent.id for intent in said).values(), default=1) == 1
    _assert_nobody_is_forgotten(steps, said)


def _assert_nobody_is_forgotten(steps: list[Told], said: list[Intent]) -> None:
    """Every critical alert is named in a notification, unless the engine said of it that another stands for it."""
    critical = {one.alert_id for one in steps if one.kind is TransitionKind.FIRING and one.severity == "critical"} - {
        one.alert_id for one in steps if one.rule == "stopped-outside-door-zone"
    }
    maintained = any(one.maintenance for one in steps)
    named = {alert.id for intent in said for alert in intent.alerts}
    protected = {one.alert_id for one in steps if one.protected and one.kind is TransitionKind.FIRING}
    # Inspection of a lift holds back what is not protected.
    assert (protected if maintained else critical | protected) <= named


def test_a_region_that_burns_after_another_was_acknowledged_is_told_to_people() -> None:
    talk, seconds = Talk(), (0, 2, 4, 60, 62, 64)
    looks = [talk.camera(at, a=60, b=60 if at >= 60 else 20) for at in seconds]
    fire, again = [step for step in timeline(decided(looks, 1, set())) if step.rule == "thermal-alarm"]
    assert (fire.kind, again.kind) == (TransitionKind.FIRING, TransitionKind.REPEATED)
    between = fire.at + timedelta(seconds=30)
    seen = replace(fire, kind=TransitionKind.ACKNOWLEDGED, at=between, recorded_at=between, actor="wang")
    desk = Desk(PLAN)
    said = [[intent.purpose for intent in desk.observe(step).intents] for step in (fire, seen, again)]
    assert [Purpose.FIRING in purposes for purposes in said] == [True, False, True]


@pytest.mark.parametrize("milliseconds", [0, 2, 900])
def test_a_button_that_is_told_twice_is_one_alert_and_one_notification(milliseconds: int) -> None:
    talk = Talk()
    pressed = [talk.lift_event(0, Lift.ALARM_PRESSED), talk.lift_event(milliseconds / 1_000, Lift.ALARM_PRESSED)]
    steps = [step for step in timeline(decided(pressed, 1, set())) if step.rule == "car-alarm-button"]
    assert [step.kind for step in steps] == [TransitionKind.FIRING, TransitionKind.RESOLVED]
    firing = [intent for intent in intents(steps, 1, set()) if intent.purpose is Purpose.FIRING]
    assert len(firing) == 1


def test_what_arrives_late_is_told_to_people_once_with_both_its_instants() -> None:
    gone = [presence(0, "online", GATE), presence(60, "offline", GATE), presence(1_800, "online", GATE)]
    late = (1_800.0, 720.0, GATE, Channel.EVENT, {"type": "forced_open"})
    again = (1_900.0, 820.0, GATE, Channel.EVENT, {"type": "forced_open"})
    closed = (1_800.0, 600.0, GATE, Channel.EVENT, {"type": "door_closed"})
    for said, severity in ([late, again], "major"), ([late, closed, again], "minor"):
        transitions = decided(heard([*gone, *said]), 1, {0, 2, 4})
        steps = [step for step in timeline(transitions) if step.rule == "gate-forced-open"]
        (told,) = [intent for intent in intents(steps, 1, {1}) if intent.purpose is Purpose.FIRING]
        assert (told.severity.value, told.alerts[0].happened_at) == (severity, instant(1_080))
        assert "（发生于 08-14 15:18，15:30 收到）" in Wording(ZONE).notice(told, Language.ZH).title
