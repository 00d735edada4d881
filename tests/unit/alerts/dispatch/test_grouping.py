"""Incidents: what is told together, when it is told, and what of it is told again."""

import pytest

from alerts.dispatch.model import Purpose
from alerts.inventory import DeviceFacts, Inventory
from alerts.model import Severity, TransitionKind
from tests.unit.alerts.dispatch.scene import PLAN, Scene, brief, instant, lift, plan, step

FIRING, UPDATE, RESOLVED = Purpose.FIRING, Purpose.UPDATE, Purpose.RESOLVED
CRITICAL, MAJOR = Severity.CRITICAL, Severity.MAJOR
FACTS = {
    lift(1): DeviceFacts(name_zh="3 号楼电梯", name_en="lift of block 3", building="3"),
    lift(2): DeviceFacts(building="3"),
    lift(3): DeviceFacts(building="4"),
}


def test_alerts_of_one_building_are_told_together_after_the_wait_of_the_group() -> None:
    scene = Scene(facts=FACTS)
    scene.fire(0, "a1", device=lift(1))
    scene.fire(20, "a2", device=lift(2))
    scene.fire(25, "a3", device=lift(3))
    one, other = scene.pass_until(60)
    assert brief([one, other]) == [(30, "wall", FIRING), (55, "wall", FIRING)]
    assert [each.id for each in one.alerts] == ["a2", "a1"]
    assert one.count == 2
    assert [each.id for each in other.alerts] == ["a3"]


def test_an_alert_that_ends_within_the_wait_is_not_told() -> None:
    scene = Scene()
    scene.fire(0)
    scene.resolve(29)
    assert scene.pass_until(10_000) == []
    assert scene.said.intents == []
    assert scene.remembered == {}


def test_what_joins_later_is_told_as_an_update_after_the_interval_with_a_higher_version() -> None:
    scene = Scene()
    scene.fire(0, "a1")
    (first,) = scene.pass_until(30)
    scene.fire(31, "a2", device=lift(1), rule="fault")
    scene.fire(200, "a3", device=lift(1), rule="slow")
    assert scene.pass_until(329) == []
    update = scene.pass_until(330)[0]
    assert (update.purpose, update.count, update.version > first.version) == (UPDATE, 3, True)
    assert update.incident == first.incident


def test_messages_milliseconds_apart_are_one_incident_and_two_notifications_at_most() -> None:
    scene = Scene()
    scene.fire(0, "a1", severity=CRITICAL, rule="trapped-passenger")
    scene.fire(0.004, "a2", severity=CRITICAL, rule="fault-critical")
    scene.fire(0.009, "a3", severity=CRITICAL, rule="car-alarm-button")
    scene.pass_until(60)
    assert brief(scene.said.intents) == [(0, "wall", FIRING), (1, "wall", UPDATE)]
    assert scene.said.intents[-1].count == 3


def test_a_protected_alert_does_not_wait_for_its_group() -> None:
    scene = Scene()
    scene.fire(0, "a1")
    assert brief(scene.fire(5, "a2", rule="fire", protected=True)) == [(5, "wall", FIRING)]
    scene.pass_until(100)
    assert brief(scene.fire(100, "a3", rule="fire", protected=True, device=lift(2))) == [(100, "wall", UPDATE)]


def test_what_is_over_is_mentioned_once_and_then_left_behind() -> None:
    scene = Scene()
    scene.fire(0, "a1")
    scene.fire(0, "a2", rule="slow")
    scene.pass_until(30)
    scene.resolve(40, "a1")
    update = scene.pass_until(330)[0]
    assert update.purpose is UPDATE
    assert [(each.id, each.resolved_at) for each in update.alerts] == [("a2", None), ("a1", instant(40))]
    (resolved,) = [one for one in scene.resolve(340, "a2") if one.receiver == "wall"]
    assert (resolved.purpose, [each.id for each in resolved.alerts]) == (RESOLVED, ["a2"])


def test_the_end_is_told_once_when_all_is_over() -> None:
    scene = Scene()
    scene.fire(0, "a1")
    scene.fire(0, "a2", rule="slow")
    scene.pass_until(30)
    scene.acknowledge(35, "a1")
    scene.acknowledge(35, "a2")
    assert scene.resolve(40, "a1") == []
    assert brief(scene.resolve(50, "a2")) == [(50, "wall", RESOLVED)]
    assert scene.resolve(60, "a2") == []


def test_the_end_is_not_told_where_the_policy_says_so() -> None:
    scene = Scene(plan(PLAN.replace("repeat: 30m", "repeat: 30m\n    notify_resolved: false")))
    scene.fire(0)
    scene.pass_until(30)
    assert scene.resolve(40) == []
    assert scene.remembered == {}


def test_at_most_fifty_alerts_are_listed_the_worst_and_newest_first() -> None:
    scene = Scene()
    for number in range(60):
        severity = MAJOR if number == 7 else Severity.MINOR
        scene.fire(number / 10, f"a{number}", rule=f"rule-{number}", severity=severity)
    (told,) = scene.pass_until(30)
    assert (told.count, len(told.alerts), told.severity) == (60, 50, MAJOR)
    assert [each.id for each in told.alerts[:3]] == ["a7", "a59", "a58"]
    assert len([note for note in scene.said.notes if note.kind is TransitionKind.NOTIFIED]) == 60


def test_a_brief_says_where_what_and_what_to_do() -> None:
    scene = Scene(facts=FACTS)
    scene.fire(0, device=lift(1), severity=CRITICAL)
    (told,) = scene.said.intents[0].alerts
    assert (told.place_zh, told.place_en) == ("3 号楼电梯", "lift of block 3")
    assert (told.title_zh, told.reason_en, told.next_step_zh) == ("电梯门", "the door is open", "去看")
    scene.fire(0, "a2", device=lift(2), severity=CRITICAL)
    assert scene.said.intents[1].alerts[0].place_en == "3 lift-2"


def test_a_route_that_continues_tells_two_groups_of_people() -> None:
    text = PLAN.replace(
        "routes:",
        """  - {name: owners, steps: [{after: 0s, notify: [person:wang]}]}
routes:
  - {name: owners, severity: critical, policy: owners, group_wait: 0s, continue: true}""",
    )
    scene = Scene(plan(text))
    assert brief(scene.fire(0, severity=CRITICAL)) == [(0, "wall", FIRING), (0, "phone-wang", FIRING)] or brief(
        scene.said.intents
    ) == [(0, "phone-wang", FIRING), (0, "wall", FIRING)]
    scene.acknowledge(10)
    assert {one.receiver for one in scene.resolve(20)} == {"wall", "phone-wang"}
    assert scene.remembered == {}


def test_a_route_with_a_schedule_takes_only_what_comes_within_it() -> None:
    text = PLAN.replace(
        "routes:",
        """  - {name: night, steps: [{after: 0s, notify: [person:wang]}]}
routes:
  - {name: night, severity: critical, policy: night, group_wait: 0s, schedule: {hours: "20:00-08:00"}}""",
    )
    scene = Scene(plan(text))
    assert brief(scene.fire(0, "a1", severity=CRITICAL)) == [(0, "wall", FIRING)]
    assert brief(scene.fire(43_200, "a2", severity=CRITICAL, device=lift(2)))[-1] == (43_200, "phone-wang", FIRING)


def test_a_step_of_an_alert_that_the_desk_does_not_know_changes_nothing() -> None:
    scene = Scene()
    scene.fire(0)
    before = scene.remembered
    assert scene.apply(step(5, TransitionKind.ACKNOWLEDGED, "older")) == []
    assert scene.apply(scene.fired[0]) == []
    assert scene.remembered == before


@pytest.mark.parametrize("seconds", [0, 29, 30, 331])
def test_the_same_decision_has_the_same_name(seconds: float) -> None:
    names = []
    for restarts in (False, True):
        scene = Scene()
        scene.fire(0, "a1")
        if restarts:
            scene.pass_until(seconds)
            scene.restart()
        scene.fire(331, "a2", severity=CRITICAL, device=lift(2))
        scene.pass_until(5_000)
        names.append([one.id for one in scene.said.intents])
    assert names[0] == names[1]
    assert len(set(names[0])) == len(names[0]) > 5


def test_an_incident_that_an_alert_opens_a_second_time_has_a_name_of_its_own() -> None:
    scene = Scene(plan(PLAN.replace("severity: critical, policy", "rule: nothing, policy")), FACTS)
    scene.fire(0, severity=Severity.INFO)
    scene.pass_until(30)
    for seconds, building, severity in ((40, "4", Severity.MINOR), (80, "3", MAJOR)):
        scene.desk.set_inventory(Inventory({lift(1): DeviceFacts(building=building)}, int(seconds)))
        scene.act(seconds, TransitionKind.SEVERITY_CHANGED, severity=severity)
        scene.pass_until(seconds + 35)
    assert [one.purpose for one in scene.said.intents] == [FIRING] * 3
    assert len({one.incident for one in scene.said.intents}) == 3
