"""Events that are due again and again and do not come: since when they are waited for, and what ends it."""

from datetime import timedelta

import pytest

from alerts.engine import Engine
from alerts.inventory import DeviceFacts, Inventory
from alerts.packs import builtin_rules
from alerts.rules import Rule
from core.wire.payloads import ElevatorEventType as Event
from tests.unit.alerts.talk import LIFT, Talk, instant, rule, told

HOUR, DAY = 3_600.0, 86_400.0
UNTESTED = "{kind: missing, types: [alarm_tested], nothing_for: 3d}"
WITHIN_A_DAY = "{kind: missing, types: [alarm_tested], nothing_for: 1d}"
OTHER = "{kind: missing, types: [alarm_pressed], nothing_for: 3d}"
RETIRED = Inventory({LIFT: DeviceFacts(retired=True)}, 1)
RETURNED = Inventory({LIFT: DeviceFacts(building="3")}, 2)


def restarted(engine: Engine, rules: list[Rule]) -> Engine:
    after = Engine(rules)
    after.restore({path: state for path, state in engine.dirty().items() if state is not None})
    return after


def test_it_counts_from_the_first_word_of_a_device_whatever_else_it_says() -> None:
    talk, engine = Talk(), Engine([rule("elevator", UNTESTED)])
    engine.observe(talk.lift(0))
    for hour in range(1, 72):
        assert engine.observe(talk.lift(hour * HOUR)) == []
    assert engine.observe(talk.lift_event(71.5 * HOUR, Event.ALARM_PRESSED)) == []
    (_, fired) = engine.observe(talk.lift(72 * HOUR))
    assert (fired.at, fired.reason.facts["missing"]) == (instant(3 * DAY), "alarm_tested")
    assert fired.reason.zh.endswith("3 天内未收到：轿厢报警装置自检通过")
    assert fired.reason.en.endswith("not heard for 3 d: car alarm tested")


ONCE = "{kind: missing, types: [alarm_tested], nothing_for: 3d, once_heard: true}"


def test_with_once_heard_it_counts_from_the_first_of_these_events_only() -> None:
    talk, rules = Talk(), [rule("elevator", ONCE)]
    engine = Engine(rules)
    for hour in range(0, 30 * 24, 12):
        assert engine.observe(talk.lift(hour * HOUR)) == []
    engine = restarted(engine, rules)
    engine.observe(talk.lift_event(30 * DAY, Event.ALARM_TESTED))
    engine = restarted(engine, rules)
    assert told(engine.advance(instant(34 * DAY))) == [(33 * DAY, "firing")]


def test_what_was_waited_for_from_the_first_word_on_is_not_once_it_has_to_be_heard() -> None:
    talk, engine = Talk(), Engine([rule("elevator", UNTESTED)])
    engine.observe(talk.lift(0))
    engine.replace_rules([rule("elevator", ONCE)])
    engine.observe(talk.lift(DAY))
    assert told(engine.advance(instant(9 * DAY))) == []


def test_a_restart_does_not_begin_it_anew() -> None:
    talk, rules = Talk(), [rule("elevator", UNTESTED)]
    engine = Engine(rules)
    engine.observe(talk.lift(0))
    engine = restarted(engine, rules)
    engine.observe(talk.lift(DAY))
    engine = restarted(engine, rules)
    assert told(engine.advance(instant(4 * DAY))) == [(3 * DAY, "firing")]


@pytest.mark.parametrize(
    ("made", "heard", "expected"),
    [
        pytest.param(DAY, DAY, [(4 * DAY, "firing")], id="in time"),
        pytest.param(DAY, 2 * DAY, [(4 * DAY, "firing")], id="told a day late, counts by its own time"),
        pytest.param(-DAY, HOUR, [(3 * DAY, "firing")], id="from before the device was known"),
        pytest.param(
            0.5 * DAY,
            3.2 * DAY,
            [(3 * DAY, "firing"), (3.2 * DAY, "resolved"), (3.5 * DAY, "firing")],
            id="late, but new enough",
        ),
        pytest.param(-DAY, 3.2 * DAY, [(3 * DAY, "firing")], id="too old to end it"),
    ],
)
def test_a_late_event_counts_by_its_own_time(made: float, heard: float, expected: list[tuple[float, str]]) -> None:
    talk, engine = Talk(), Engine([rule("elevator", UNTESTED)])
    engine.observe(talk.lift(0))
    said = engine.observe(talk.lift_event(made, Event.ALARM_TESTED, received=heard, late=made != heard))
    assert told([*said, *engine.advance(instant(4.5 * DAY))]) == expected


def test_a_rule_that_is_new_gives_devices_that_are_known_the_whole_time() -> None:
    talk, engine = Talk(), Engine([rule("elevator", OTHER, rule_id="other")])
    engine.observe(talk.lift(0))
    engine.observe(talk.lift(DAY))
    engine.replace_rules([rule("elevator", OTHER, rule_id="other"), rule("elevator", UNTESTED)])
    assert [(one.rule, *pair) for one in engine.advance(instant(9 * DAY)) for pair in told([one])] == [
        ("other", 3 * DAY, "firing"),
        ("r", 4 * DAY, "firing"),
    ]


def test_a_rule_that_was_changed_remembers_the_last_one_where_it_waits_for_the_same() -> None:
    talk, engine = Talk(), Engine([rule("elevator", UNTESTED)])
    engine.observe(talk.lift_event(0, Event.ALARM_TESTED))
    engine.observe(talk.lift(0.9 * DAY))
    engine.replace_rules([rule("elevator", WITHIN_A_DAY)])
    assert told(engine.advance(instant(9 * DAY))) == [(DAY, "firing")]
    engine.replace_rules([rule("elevator", OTHER)])
    assert told(engine.observe(talk.lift_event(9.1 * DAY, Event.ALARM_PRESSED))) == [(9.1 * DAY, "resolved")]
    assert told(engine.advance(instant(20 * DAY))) == [(12.1 * DAY, "firing")]


def test_a_retired_lift_is_not_waited_for_and_has_the_whole_time_when_it_returns() -> None:
    talk, engine = Talk(), Engine([rule("elevator", UNTESTED)])
    engine.observe(talk.lift(0))
    assert told(engine.advance(instant(4 * DAY))) == [(3 * DAY, "firing")]
    engine.set_inventory(RETIRED)
    assert [(one.kind.value, one.reason.code) for one in engine.advance(instant(5 * DAY))] == [("resolved", "retired")]
    assert engine.advance(instant(30 * DAY)) == []
    engine.set_inventory(RETURNED)
    assert engine.advance(instant(40 * DAY)) == []
    assert told(engine.advance(instant(44 * DAY))) == [(43 * DAY, "firing")]


def test_time_in_which_nobody_listened_does_not_count() -> None:
    talk, rules = Talk(), [rule("elevator", UNTESTED)]
    engine = Engine(rules)
    engine.observe(talk.lift_event(0, Event.ALARM_TESTED))
    engine.observe(talk.lift(DAY))
    engine = restarted(engine, rules)
    assert engine.absences.forgive_silence(instant(6 * DAY), timedelta(minutes=1))
    assert told(engine.advance(instant(10 * DAY))) == [(8 * DAY, "firing")]


def test_what_was_missing_before_nobody_listened_stays_so() -> None:
    talk, rules = Talk(), [rule("elevator", UNTESTED)]
    engine = Engine(rules)
    engine.observe(talk.lift(0))
    engine.observe(talk.lift(3.5 * DAY))
    engine = restarted(engine, rules)
    assert engine.absences.forgive_silence(instant(6 * DAY), timedelta(minutes=1))
    assert engine.advance(instant(7 * DAY)) == []
    assert told(engine.observe(talk.lift_event(8 * DAY, Event.ALARM_TESTED))) == [(8 * DAY, "resolved")]


def test_readings_are_not_looked_at_for_it() -> None:
    engine = Engine([rule("elevator", UNTESTED)])
    engine.observe(Talk().lift(0))
    (site,) = engine._sites.values()
    assert (site.roster.telemetry, site.roster.undrawn, [post.id for post in site.roster.event]) == ([], [], ["r"])


def test_a_lift_that_is_tested_daily_never_raises_one_of_the_built_in_rules() -> None:
    talk, engine = Talk(), Engine([one for one in builtin_rules() if one.id.startswith("car-alarm")])
    engine.observe(talk.lift(0))
    said = [one for day in range(1, 20) for one in engine.observe(talk.lift_event(day * DAY, Event.ALARM_TESTED))]
    assert said == []
