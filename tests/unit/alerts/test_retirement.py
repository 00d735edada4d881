"""Devices taken out of service: their silence raises nothing, what they say does, and they can come back."""

import pytest

from alerts.engine import Engine
from alerts.inventory import DeviceFacts, Inventory
from alerts.model import Transition
from alerts.packs import builtin_rules
from alerts.rules.model import Rule
from core.wire.payloads import PresenceStatus, ThermalEvent, ThermalEventType, ThermalLevel
from tests.unit.alerts.talk import CAMERA, LIFT, Talk, instant, rule, told

DOOR = "{kind: state, signal: door_state, equals: open}"
SILENT = "{kind: missing, nothing_for: 5m}"
MIXED = f"{{kind: any_of, of: [{SILENT}, {DOOR}]}}"
RETIRED = Inventory({LIFT: DeviceFacts(building="3", retired=True)}, 1)
RETURNED = Inventory({LIFT: DeviceFacts(building="3")}, 2)


def codes(said: list[Transition]) -> list[tuple[str, str]]:
    return [(one.kind.value, one.reason.code) for one in said]


def restarted(engine: Engine, rules: list[Rule], inventory: Inventory) -> Engine:
    after = Engine(rules)
    after.set_inventory(inventory)
    after.restore({path: state for path, state in engine.dirty().items() if state is not None})
    return after


def test_its_open_alert_of_silence_is_resolved() -> None:
    engine = Engine([rule("elevator", SILENT)])
    engine.observe(Talk().lift(0))
    assert told(engine.advance(instant(400))) == [(300, "firing")]
    engine.set_inventory(RETIRED)
    said = engine.advance(instant(500))
    assert (codes(said), told(said)) == ([("resolved", "retired")], [(500, "resolved")])
    assert engine.advance(instant(90_000)) == []


@pytest.mark.parametrize("restart", [False, True])
def test_it_is_resolved_after_a_restart_too_and_stays_so(restart: bool) -> None:
    rules = [rule("elevator", SILENT)]
    engine = Engine(rules)
    engine.observe(Talk().lift(0))
    engine.advance(instant(400))
    after = restarted(engine, rules, RETIRED)
    assert codes(after.advance(instant(500))) == [("resolved", "retired")]
    after = restarted(after, rules, RETIRED) if restart else after
    assert after.advance(instant(90_000)) == []


def test_a_retired_device_is_not_waited_for_and_may_go_offline() -> None:
    talk, engine = Talk(), Engine(builtin_rules())
    engine.set_inventory(RETIRED)
    engine.observe(talk.lift(0))
    engine.observe(talk.presence(1, PresenceStatus.OFFLINE))
    assert engine.advance(instant(90_000)) == []


def test_a_retired_camera_that_reports_fire_raises_it() -> None:
    talk, engine = Talk(), Engine(builtin_rules())
    engine.set_inventory(Inventory({CAMERA: DeviceFacts(retired=True)}, 1))
    engine.observe(talk.camera(0, rack=25.0))
    assert engine.advance(instant(3_600)) == []
    fire = ThermalEvent(
        at=instant(3_700),
        type=ThermalEventType.EPISODE_STARTED,
        level=ThermalLevel.ALARM,
        region="rack",
        episode="e1",
    )
    fired = [one for one in engine.observe(talk.say(3_700, CAMERA, fire)) if one.kind.value == "firing"]
    assert "thermal-alarm" in {one.rule for one in fired}


def test_rules_that_look_at_more_than_silence_still_apply() -> None:
    talk, engine = Talk(), Engine([rule("elevator", MIXED)])
    engine.set_inventory(RETIRED)
    assert told(engine.observe(talk.lift(0, door_state="open"))) == [(0, "firing")]
    assert told(engine.observe(talk.lift(1, door_state="closed"))) == [(1, "resolved")]
    assert told(engine.advance(instant(400))) == [(301, "firing")]


@pytest.mark.parametrize("by_message", [False, True])
@pytest.mark.parametrize("restart", ["", "while retired", "while it returns"])
def test_once_it_is_expected_again_silence_counts_from_then(restart: str, by_message: bool) -> None:
    talk, rules = Talk(), [rule("elevator", SILENT)]
    engine = Engine(rules)
    engine.observe(talk.lift(0))
    engine.set_inventory(RETIRED)
    assert engine.advance(instant(90_000)) == []
    if restart == "while it returns":
        engine = restarted(engine, rules, RETURNED)
    else:
        engine = restarted(engine, rules, RETIRED) if restart else engine
        engine.set_inventory(RETURNED)
    others = talk.say(90_100, CAMERA, talk.camera(90_100, rack=25.0).body)
    assert (engine.observe(others) if by_message else engine.advance(instant(90_100))) == []
    assert told(engine.advance(instant(91_000))) == [(90_400, "firing")]


def test_what_it_remembers_of_its_silence_outlives_no_retirement() -> None:
    talk, engine = Talk(), Engine([rule("elevator", "{kind: missing, offline_for: 30s}")])
    engine.observe(talk.presence(0, PresenceStatus.OFFLINE))
    engine.set_inventory(RETIRED)
    assert engine.advance(instant(60)) == []
    engine.set_inventory(RETURNED)
    assert engine.advance(instant(600)) == []
    engine.observe(talk.presence(700, PresenceStatus.OFFLINE))
    assert told(engine.advance(instant(800))) == [(730, "firing")]


def test_retired_and_back_before_anything_happens_changes_nothing() -> None:
    engine = Engine([rule("elevator", SILENT)])
    engine.observe(Talk().lift(0))
    engine.advance(instant(400))
    engine.set_inventory(RETIRED)
    engine.set_inventory(RETURNED)
    assert engine.advance(instant(401)) == []


def test_retired_again_before_anything_happens_is_retired() -> None:
    engine = Engine([rule("elevator", SILENT)])
    engine.observe(Talk().lift(0))
    for facts in (RETIRED, RETURNED, RETIRED):
        engine.set_inventory(facts)
    assert engine.advance(instant(90_000)) == []
    engine.set_inventory(RETURNED)
    assert engine.advance(instant(90_001)) == []
    assert told(engine.advance(instant(91_000))) == [(90_301, "firing")]


def test_replayed_with_the_same_facts_it_is_the_same() -> None:
    def story() -> list[Transition]:
        talk, engine, said = Talk(), Engine([rule("elevator", SILENT), rule("elevator", DOOR, rule_id="door")]), []
        for seconds, facts in ((0, RETURNED), (400, RETIRED), (800, RETURNED), (2_000, RETIRED)):
            said += engine.advance(instant(seconds))
            engine.set_inventory(facts)
            said += engine.observe(talk.lift(seconds, door_state="open" if seconds == 800 else "closed"))
        return said + engine.advance(instant(9_000))

    said = story()
    assert said == story()
    assert [(one.rule, *pair) for one, pair in zip(said, codes(said), strict=True) if one.kind.value != "pending"] == [
        ("r", "firing", "missing"),
        ("r", "resolved", "retired"),
        ("door", "firing", "state"),
        ("r", "firing", "missing"),
        ("r", "resolved", "retired"),
        ("door", "resolved", "condition_over"),
    ]
