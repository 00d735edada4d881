"""Why people are not told: silences, maintenance, shelving, causes; and that they are told when it ends."""

import pytest
from msgspec.structs import replace

from alerts.dispatch.model import Purpose, SuppressionKind
from alerts.inventory import DeviceFacts
from alerts.matchers import Matcher, Operator
from alerts.model import Severity, TransitionKind
from core.devices import DeviceKey, DeviceKind
from tests.unit.alerts.dispatch.scene import PLAN, Scene, brief, gateway, instant, lift, plan, silence

FIRING, ESCALATION, RESOLVED = Purpose.FIRING, Purpose.ESCALATION, Purpose.RESOLVED
CRITICAL = Severity.CRITICAL
DOOR = Matcher("rule", "door")
BEHIND = {lift(number): DeviceFacts(gateway="gw-1", building=str(number)) for number in range(1, 201)}


@pytest.mark.parametrize("kind", list(SuppressionKind))
def test_what_is_suppressed_is_not_told_and_the_timeline_says_why(kind: SuppressionKind) -> None:
    scene = Scene()
    scene.suppress(silence(-10, 600, DOOR, kind=kind))
    assert scene.fire(0, severity=CRITICAL) == []
    (note,) = scene.notes("a1")
    assert (note.kind, note.reason.code, note.reason.facts) == (TransitionKind.SUPPRESSED, kind.value, {"by": "1"})
    assert scene.pass_until(599) == []
    assert brief(scene.pass_until(600)) == [(600, "wall", FIRING)]
    assert scene.codes("a1") == [kind.value, "firing"]


def test_what_is_over_before_the_silence_is_never_told() -> None:
    scene = Scene()
    scene.suppress(silence(-10, 600, DOOR))
    scene.fire(0, severity=CRITICAL)
    scene.resolve(300)
    assert scene.pass_until(10_000) == []
    assert scene.remembered == {}


def test_a_silence_over_something_else_changes_nothing() -> None:
    scene = Scene()
    scene.suppress(silence(-10, 600, Matcher("rule", "other")), silence(-10, 600, DOOR, Matcher("device", "lift-9")))
    assert brief(scene.fire(0, severity=CRITICAL)) == [(0, "wall", FIRING)]


def test_a_silence_that_begins_later_stops_the_ladder_and_one_that_ends_starts_it_anew() -> None:
    scene = Scene()
    scene.suppress(silence(200, 900, DOOR))
    scene.fire(0, severity=CRITICAL)
    assert scene.pass_until(899) == []
    assert brief(scene.pass_until(1_200)) == [(900, "wall", FIRING), (1_200, "phone-li", ESCALATION)]


def test_a_silence_ended_before_its_time_lets_go_at_once() -> None:
    scene = Scene()
    quiet = silence(-10, 600, DOOR)
    scene.suppress(quiet)
    scene.fire(0, severity=CRITICAL)
    scene.suppress(replace(quiet, ended_at=instant(100), ended_by="li"))
    assert brief(scene.pass_until(101)) == [(100, "wall", FIRING)]


def test_after_a_silence_an_acknowledged_alert_is_not_told_again() -> None:
    scene = Scene()
    scene.fire(0, severity=CRITICAL)
    scene.suppress(silence(20, 600, DOOR))
    scene.acknowledge(10)
    assert scene.pass_until(700) == []
    assert scene.codes("a1") == ["firing", "silence", "released"]


@pytest.mark.parametrize("kind", list(SuppressionKind))
def test_a_protected_alert_is_told_whatever_is_suppressed(kind: SuppressionKind) -> None:
    scene = Scene()
    scene.suppress(silence(-10, 600, kind=kind))
    assert brief(scene.fire(0, rule="fire", protected=True)) == [(0, "wall", FIRING)]


def test_an_inspection_puts_its_device_into_maintenance_and_nothing_else() -> None:
    scene = Scene()
    scene.fire(0, "work", rule="inspection-mode", severity=Severity.INFO, maintenance=True)
    assert scene.fire(10, "fault", rule="fault-critical", severity=CRITICAL) == []
    assert scene.notes("fault")[0].reason.facts == {"by": "work"}
    assert brief(scene.fire(20, "button", rule="button", severity=CRITICAL, protected=True))[0][1:] == ("wall", FIRING)
    assert brief(scene.fire(20, "other", severity=CRITICAL, device=lift(2))) == [(20, "wall", FIRING)]
    assert "work" in {each.id for one in scene.pass_until(60) for each in one.alerts}
    assert "fault" in {each.id for one in scene.resolve(70, "work") for each in one.alerts}


def test_a_fault_told_before_the_mechanic_came_is_quiet_while_the_mechanic_is_there() -> None:
    scene = Scene()
    scene.fire(0, "fault", rule="fault-critical", severity=CRITICAL)
    scene.fire(10, "work", rule="inspection-mode", severity=Severity.INFO, maintenance=True)
    scene.acknowledge(60, "work")
    scene.pass_until(3_000)
    assert [one for one in scene.said.intents if one.purpose is ESCALATION] == []


@pytest.mark.parametrize("order", ["cause first", "cause last", "cause between"])
def test_a_dead_gateway_with_200_devices_is_one_notification(order: str) -> None:
    scene = Scene(facts=BEHIND)
    at = {"cause first": 0, "cause last": 201, "cause between": 100}[order]
    for number in range(202):
        if number == at:
            scene.fire(number / 10, "gw", device=gateway(), rule="gateway-offline")
        elif number != 0 and number <= 200:
            scene.fire(number / 10, f"a{number}", device=lift(number), rule="elevator-offline")
        elif order != "cause first" and number == 0:
            scene.fire(0, "a-late", device=lift(100), rule="lift-offline")
    (told,) = scene.pass_until(299)
    assert (told.receiver, told.count, [each.id for each in told.alerts]) == ("wall", 1, ["gw"])
    silent = {lift(number).path for number in range(1, 201)} - ({lift(at).path} if order == "cause between" else set())
    assert set(told.alerts[0].hanging) >= silent
    assert len(told.alerts[0].hanging) == 200
    assert {scene.codes(f"a{number}")[0] for number in range(1, 200) if number != at} == {"inhibited"}


def test_what_still_fires_a_grace_after_its_cause_is_told_and_the_rest_is_not() -> None:
    scene = Scene(facts=BEHIND)
    scene.fire(0, "gw", device=gateway(), rule="gateway-offline")
    scene.fire(1, "a1", device=lift(1), rule="elevator-offline")
    scene.fire(2, "a2", device=lift(2), rule="elevator-offline")
    scene.pass_until(100)
    assert brief(scene.resolve(100, "gw")) == [(100, "wall", RESOLVED)]
    scene.resolve(150, "a1")
    assert scene.pass_until(219) == []
    (told,) = scene.pass_until(221)
    assert (brief([told]), [each.id for each in told.alerts]) == ([(220, "wall", told.purpose)], ["a2"])
    assert told.purpose is FIRING


def test_a_cause_that_comes_back_within_the_grace_keeps_holding() -> None:
    scene = Scene(facts=BEHIND)
    scene.fire(0, "gw", device=gateway(), rule="gateway-offline")
    scene.fire(1, "a1", device=lift(1), rule="elevator-offline")
    scene.resolve(100, "gw")
    scene.fire(160, "gw-2", device=gateway(), rule="gateway-offline")
    scene.pass_until(1_000)
    assert {each.id for one in scene.said.intents for each in one.alerts} == {"gw", "gw-2"}
    assert scene.notes("a1")[-1].reason.facts == {"by": "gw-2"}


def test_another_gateway_and_a_device_without_one_are_not_held() -> None:
    facts = {lift(1): DeviceFacts(gateway="gw-2")}
    scene = Scene(facts=facts)
    scene.fire(0, "gw", device=gateway("gw-1"), rule="gateway-offline")
    scene.fire(0, "a1", device=lift(1), rule="elevator-offline")
    scene.fire(0, "a2", device=lift(2), rule="elevator-offline")
    scene.fire(0, "a3", device=DeviceKey("elsewhere", DeviceKind.ELEVATOR, "x"), rule="elevator-offline")
    assert {each.id for one in scene.pass_until(60) for each in one.alerts} == {"gw", "a1", "a2", "a3"}


def test_facts_told_later_hold_what_hangs_on_a_gateway() -> None:
    scene = Scene()
    scene.fire(0, "gw", device=gateway(), rule="gateway-offline")
    scene.fire(0, "a1", device=lift(1), rule="elevator-offline")
    scene.desk.set_inventory(type(scene.inventory)(BEHIND, 2))
    assert {each.id for one in scene.pass_until(60) for each in one.alerts} == {"gw"}


@pytest.mark.parametrize("component", ["broker", "ingest"])
def test_when_nothing_can_be_heard_silence_of_a_device_is_not_told(component: str) -> None:
    scene = Scene()
    key = DeviceKey("anju", DeviceKind.SYSTEM, component)
    assert brief(scene.fire(0, "away", device=key, rule=f"{component}-away", severity=CRITICAL))[0][1] == "wall"
    scene.fire(270, "gw", device=gateway(), rule="gateway-offline")
    scene.fire(280, "a1", rule="elevator-offline")
    scene.acknowledge(290, "away")
    scene.pass_until(1_000)
    assert {each.id for one in scene.said.intents for each in one.alerts} == {"away"}


def test_two_causes_and_only_one_of_them_over() -> None:
    scene = Scene(facts=BEHIND)
    key = DeviceKey("anju", DeviceKind.SYSTEM, "broker")
    scene.fire(0, "away", device=key, rule="broker-away", severity=CRITICAL)
    scene.fire(10, "gw", device=gateway(), rule="gateway-offline")
    scene.fire(20, "a1", rule="elevator-offline")
    scene.acknowledge(30, "away")
    first = scene.notes("a1")[-1].reason.facts["by"]
    assert first in {"away", "gw"}
    scene.resolve(100, "gw" if first == "gw" else "away")
    scene.pass_until(1_000)
    assert "a1" not in {each.id for one in scene.said.intents for each in one.alerts}


def test_a_severity_matcher_follows_the_severity() -> None:
    scene = Scene()
    scene.suppress(silence(-10, 600, Matcher("severity", "minor,info", Operator.IN)))
    scene.fire(0, severity=Severity.MINOR)
    assert brief(scene.act(100, TransitionKind.SEVERITY_CHANGED, severity=CRITICAL)) == [(100, "wall", FIRING)]


def test_a_restart_keeps_what_is_held_and_what_it_hangs_on() -> None:
    scene = Scene(facts=BEHIND)
    scene.fire(0, "a1", device=lift(1), rule="elevator-offline")
    scene.restart()
    scene.fire(1, "gw", device=gateway(), rule="gateway-offline")
    scene.restart()
    (told,) = scene.pass_until(60)
    assert told.alerts[0].hanging == (lift(1).path,)
    scene.restart()
    scene.resolve(100, "gw")
    scene.restart()
    assert [each.id for one in scene.pass_until(220) for each in one.alerts] == ["a1"]


def test_two_alerts_are_never_held_because_of_each_other() -> None:
    # The labels differ, so the plan cannot be seen to go round in a circle.
    text = PLAN.replace(
        "flood: null",
        """  - {source: [{label: rule, value: smoke}], target: [{label: community, value: demo}], equal: [device]}
  - {source: [{label: rule, value: heat}], target: [{label: kind, value: elevator}], equal: [device]}
flood: null""",
    )
    for first, second in (("smoke", "heat"), ("heat", "smoke")):
        scene = Scene(plan(text))
        scene.fire(0, first, rule=first, severity=CRITICAL)
        scene.fire(10, second, rule=second, severity=CRITICAL)
        scene.pass_until(60)
        assert {each.id for one in scene.said.intents for each in one.alerts} == {first}
        scene.resolve(70, first)
        scene.pass_until(1_000)
        assert second in {each.id for one in scene.said.intents for each in one.alerts}


def test_a_device_that_is_worked_on_and_its_own_cause_are_not_both_held() -> None:
    # The work holds back the gateway's alert, and the gateway's alert the work.
    scene = Scene()
    scene.fire(0, "gw", device=gateway(), rule="gateway-offline")
    scene.fire(10, "work", device=gateway(), rule="work-offline", maintenance=True)
    scene.pass_until(60)
    assert [each.id for one in scene.said.intents for each in one.alerts] == ["gw"]
    assert scene.fire(70, "other", device=gateway(), rule="other-offline") == []
