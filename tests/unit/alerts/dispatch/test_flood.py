"""Floods: what is not critical comes together, nothing is lost, and it ends."""

import pytest

from alerts.dispatch.model import Intent, Purpose
from alerts.model import Severity, TransitionKind
from core.devices import DeviceKey, DeviceKind
from tests.unit.alerts.dispatch.scene import PLAN, Scene, brief, lift, plan

FIRING, DIGEST, RESOLVED = Purpose.FIRING, Purpose.DIGEST, Purpose.RESOLVED
FLOODED = plan(
    PLAN.replace("flood: null", "flood: {over: 3, within: 10m, digest_every: 5m}")
    .replace("group_by: [building], group_wait: 30s", "group_by: [device], group_wait: 0s")
    .replace("- {after: 5m, notify: [person:li]}", "- {after: 2h, notify: [person:li]}")
    .replace("- {after: 10m, notify: [person:wang]}", "- {after: 3h, notify: [person:wang]}")
    .replace("repeat: 30m", "")
)


def flooded(alerts: int = 8) -> Scene:
    """Return a scene with that many incidents, one a second."""
    scene = Scene(FLOODED)
    for number in range(alerts):
        scene.fire(number, f"a{number}", device=lift(number))
    return scene


def ids(intent: Intent) -> set[str]:
    return {each.id for each in intent.alerts}


def test_what_is_too_much_comes_in_one_digest() -> None:
    scene = flooded()
    assert brief(scene.said.intents) == [(0, "wall", FIRING), (1, "wall", FIRING), (2, "wall", FIRING)]
    (digest,) = scene.pass_until(303)
    assert (brief([digest]), digest.count) == ([(303, "wall", DIGEST)], 5)
    assert ids(digest) == {"a3", "a4", "a5", "a6", "a7"}
    assert digest.incident == "digest-demo"


def test_the_timelines_say_that_it_is_a_flood_and_when_it_is_over() -> None:
    scene = flooded()
    scene.pass_until(303)
    assert scene.codes("a3") == ["flood_began", "flood", "digest"]
    assert scene.codes("a4") == ["flood", "digest"]
    scene.pass_until(903)
    assert scene.codes("a3")[-1] == "flood_ended"
    assert scene.notes("a3")[-1].kind is TransitionKind.NOTIFIED
    scene.pass_until(1_000)
    assert brief(scene.fire(1_000, "later", device=lift(99))) == [(1_000, "wall", FIRING)]


@pytest.mark.parametrize("flags", [{"severity": Severity.CRITICAL}, {"protected": True}], ids=["critical", "protected"])
def test_what_is_critical_or_protected_is_told_at_once_in_a_flood_and_its_end_too(flags: dict[str, bool]) -> None:
    scene = flooded()
    told = scene.fire(20, "fire", device=lift(50), rule="fire", **flags)  # type: ignore[arg-type]
    assert brief(told) == [(20, "wall", FIRING)]
    scene.acknowledge(25, "fire")
    assert brief(scene.resolve(30, "fire")) == [(30, "wall", RESOLVED)]


def test_what_ends_before_the_digest_is_shown_as_over_and_then_forgotten() -> None:
    scene = flooded()
    for number in range(8):
        scene.resolve(100, f"a{number}")
    digest = next(one for one in scene.pass_until(303) if one.purpose is DIGEST)
    assert all(each.resolved_at is not None for each in digest.alerts)
    assert digest.count == 8
    scene.pass_until(10_000)
    assert set(scene.remembered) == {"flood/demo"}


def test_a_device_that_falls_back_while_its_end_waits_for_the_digest_is_an_incident_of_its_own() -> None:
    scene = flooded()
    scene.resolve(100, "a7")
    scene.fire(110, "again", device=lift(7))
    digest = next(one for one in scene.pass_until(303) if one.purpose is DIGEST)
    assert {"a7", "again"} <= ids(digest)


def test_floods_of_one_community_do_not_hold_back_another() -> None:
    scene = flooded()
    elsewhere = DeviceKey("elsewhere", DeviceKind.GATE, "gate-1")
    assert brief(scene.fire(20, "x", device=elsewhere)) == [(20, "wall", FIRING)]


def test_ladders_are_climbed_in_the_digest_too() -> None:
    scene = flooded()
    said = scene.pass_until(7_300 + 600)
    li = [one for one in said if one.receiver == "phone-li"]
    # Three of the eight are escalated by themselves, then it is a flood again.
    assert [one.purpose for one in li] == [Purpose.ESCALATION] * 3 + [DIGEST]
    assert {its_id for one in li for its_id in ids(one)} == {f"a{number}" for number in range(8)}


def test_an_acknowledged_alert_leaves_the_ladder_in_a_flood_too() -> None:
    scene = flooded()
    for number in range(8):
        scene.acknowledge(50, f"a{number}")
    assert {one.receiver for one in scene.pass_until(3_600)} == {"wall"}


def test_a_restart_in_a_flood_changes_nothing() -> None:
    one, other = flooded(), flooded()
    for seconds in range(50, 1_200, 70):
        other.restart()
        other.pass_until(seconds)
    one.pass_until(1_200)
    other.pass_until(1_200)
    assert one.said.intents == other.said.intents
    assert one.remembered == other.remembered


def test_where_the_plan_has_no_flood_everything_is_told_by_itself() -> None:
    scene = Scene(plan(PLAN.replace("group_by: [building]", "group_by: [device]")))
    for number in range(20):
        scene.fire(number, f"a{number}", device=lift(number))
    assert [one.purpose for one in scene.pass_until(60)] == [FIRING] * 20


def test_a_new_plan_without_floods_ends_one_and_loses_nothing() -> None:
    scene = flooded()
    scene.desk.replace_plan(plan(PLAN))
    assert ids(next(one for one in scene.pass_until(303) if one.purpose is DIGEST)) >= {"a3", "a7"}
