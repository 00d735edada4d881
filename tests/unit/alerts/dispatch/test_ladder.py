"""The ladder: who is told next, until when, and what makes it begin anew."""

import pytest

from alerts.dispatch.model import Purpose
from alerts.model import Severity, TransitionKind
from core.devices import DeviceKey, DeviceKind
from tests.unit.alerts.dispatch.scene import PLAN, Scene, brief, plan, silence

CRITICAL, MAJOR, MINOR = Severity.CRITICAL, Severity.MAJOR, Severity.MINOR
FIRING, UPDATE, ESCALATION = Purpose.FIRING, Purpose.UPDATE, Purpose.ESCALATION
REMINDER, RESOLVED, UNATTENDED = Purpose.REMINDER, Purpose.RESOLVED, Purpose.UNATTENDED


def test_a_critical_alert_is_told_at_once_and_climbs_while_nobody_acknowledges() -> None:
    scene = Scene()
    assert brief(scene.fire(0, severity=CRITICAL)) == [(0, "wall", FIRING)]
    assert brief(scene.pass_until(660)) == [(300, "phone-li", ESCALATION), (600, "phone-wang", ESCALATION)]
    assert [one.step for one in scene.said.intents] == [0, 1, 2]
    assert [one.version for one in scene.said.intents] == [1, 2, 3]
    assert [one.person for one in scene.said.intents] == [None, "li", "wang"]


def test_reminders_reach_everybody_told_so_far_and_count_from_the_last_word() -> None:
    scene = Scene()
    scene.fire(0, severity=CRITICAL)
    scene.pass_until(2_399)
    assert brief(scene.pass_until(2_400)) == [
        (2_400, "wall", REMINDER),
        (2_400, "phone-li", REMINDER),
        (2_400, "phone-wang", REMINDER),
    ]
    assert brief(scene.pass_until(4_200))[0] == (4_200, "wall", REMINDER)


@pytest.mark.parametrize("acknowledged_at", [1, 299, 300, 301, 700, 2_500])
def test_nothing_is_said_after_an_acknowledgement_until_it_is_over(acknowledged_at: float) -> None:
    scene = Scene()
    scene.fire(0, severity=CRITICAL)
    scene.acknowledge(acknowledged_at)
    before = len(scene.said.intents)
    assert scene.pass_until(acknowledged_at + 899) == []
    assert {one.purpose for one in scene.resolve(acknowledged_at + 899)} == {RESOLVED}
    told = {one.receiver for one in scene.said.intents[:before]}
    assert {one.receiver for one in scene.said.intents[before:]} == told
    assert scene.pass_until(100_000) == []
    assert scene.remembered == {}


def test_an_acknowledged_alert_that_is_left_alone_goes_up_the_ladder_again() -> None:
    scene = Scene()
    scene.fire(0, severity=CRITICAL)
    scene.acknowledge(60)
    assert scene.act(600, TransitionKind.COMMENTED) == []
    assert scene.pass_until(1_499) == []
    assert brief(scene.pass_until(1_900)) == [(1_500, "wall", UNATTENDED), (1_800, "phone-li", ESCALATION)]
    assert scene.act(2_000, TransitionKind.ASSIGNED) == []
    assert scene.pass_until(2_899) == []
    assert brief(scene.pass_until(2_900)) == [(2_900, "wall", UNATTENDED)]


def test_an_acknowledged_alert_without_a_patience_of_its_own_is_left_in_peace() -> None:
    scene = Scene()
    scene.fire(0, severity=MINOR)
    scene.pass_until(30)
    scene.acknowledge(60)
    assert scene.pass_until(1_000_000) == []


def test_a_new_alert_in_an_acknowledged_incident_begins_at_the_foot_of_the_ladder() -> None:
    scene = Scene()
    scene.fire(0, "a1")
    scene.pass_until(30)
    scene.acknowledge(60, "a1")
    scene.fire(90, "a2")
    assert brief(scene.pass_until(330)) == [(330, "wall", FIRING)]
    assert {one.id for one in scene.said.intents[-1].alerts} == {"a1", "a2"}
    assert brief(scene.pass_until(630)) == [(630, "phone-li", ESCALATION)]


def test_a_step_up_in_severity_voids_the_acknowledgement_and_takes_the_ladder_of_the_new_severity() -> None:
    scene = Scene()
    scene.fire(0, severity=MINOR)
    scene.pass_until(30)
    scene.acknowledge(40)
    assert brief(scene.act(50, TransitionKind.SEVERITY_CHANGED, severity=CRITICAL)) == [(50, "wall", FIRING)]
    assert scene.said.intents[-1].severity is CRITICAL
    assert scene.said.intents[-1].alerts[0].acknowledged_by is None
    assert brief(scene.pass_until(350)) == [(350, "phone-li", ESCALATION)]


def test_a_step_down_is_told_in_good_time_to_those_who_still_look_after_it() -> None:
    scene = Scene()
    scene.fire(0, severity=CRITICAL)
    assert scene.act(10, TransitionKind.SEVERITY_CHANGED, severity=MAJOR) == []
    assert brief(scene.pass_until(300)) == [(300, "wall", UPDATE), (300, "phone-li", ESCALATION)]


def test_a_released_alarm_button_is_repeated_until_somebody_acknowledges() -> None:
    # EN 81-28: the alarm repeats until acknowledged, whatever has become of the button.
    scene = Scene()
    scene.fire(0, severity=CRITICAL, latching=True, protected=True)
    assert scene.resolve(20) == []
    assert brief(scene.pass_until(300))[-1] == (300, "phone-li", ESCALATION)
    assert brief(scene.pass_until(3_000))[-1] == (2_400, "phone-wang", REMINDER)
    assert {one.purpose for one in scene.acknowledge(3_100)} == {RESOLVED}
    assert scene.pass_until(100_000) == []
    assert scene.remembered == {}


def test_a_button_pressed_again_after_an_acknowledgement_is_heard_again() -> None:
    # EN 81-28: nothing is filtered between the acknowledgement and the end of the alarm.
    scene = Scene()
    scene.fire(0, severity=CRITICAL, latching=True, protected=True)
    scene.acknowledge(60)
    assert brief(scene.act(90, TransitionKind.REPEATED)) == [(90, "wall", FIRING)]
    assert scene.said.intents[-1].alerts[0].acknowledged_by is None
    assert brief(scene.pass_until(400)) == [(390, "phone-li", ESCALATION)]
    scene.acknowledge(410)
    assert scene.pass_until(1_000) == []


def test_while_nobody_has_acknowledged_pressing_again_changes_nothing() -> None:
    scene = Scene()
    scene.fire(0, severity=CRITICAL, latching=True, protected=True)
    assert scene.act(60, TransitionKind.REPEATED) == []
    assert brief(scene.pass_until(300)) == [(300, "phone-li", ESCALATION)]


def test_an_alarm_button_is_repeated_also_by_a_ladder_without_reminders() -> None:
    scene = Scene(plan(PLAN.replace("    repeat: 30m\n", "")))
    scene.fire(0, severity=CRITICAL, latching=True, protected=True)
    scene.pass_until(600)
    assert brief(scene.pass_until(900))[0] == (900, "wall", REMINDER)
    scene.acknowledge(901)
    assert scene.pass_until(1_800) == []


def test_other_alerts_are_repeated_only_where_the_ladder_says_so() -> None:
    scene = Scene(plan(PLAN.replace("    repeat: 30m\n", "")))
    scene.fire(0, severity=CRITICAL)
    assert {one.purpose for one in scene.pass_until(99_000)} == {ESCALATION}


def test_what_is_held_back_and_happens_again_is_told_when_the_reason_ends() -> None:
    scene = Scene()
    scene.fire(0, severity=CRITICAL)
    scene.acknowledge(10)
    scene.suppress(silence(20, 100))
    assert scene.act(50, TransitionKind.REPEATED) == []
    assert brief(scene.pass_until(200)) == [(100, "wall", FIRING)]


def test_a_reset_ends_a_latched_alert_as_well() -> None:
    scene = Scene()
    scene.fire(0, severity=CRITICAL, latching=True, protected=True)
    scene.resolve(20)
    assert {one.purpose for one in scene.act(30, TransitionKind.RESET)} == {RESOLVED}
    assert scene.remembered == {}


NIGHT_ONLY = PLAN.replace(
    "policies:",
    """rotas:
  - name: night
    gaps: allow
    layers: [{start: 2026-01-05, people: [li], hours: "20:00-08:00"}]
policies:
  - name: nobody
    steps:
      - {after: 0s, notify: [rota:night]}
      - {after: 5m, notify: [person:wang]}
      - {after: 15m, notify: [receiver:wall]}
  - name: only-night
    steps: [{after: 0s, notify: [rota:night]}]""",
)


def test_a_step_with_nobody_on_duty_falls_through_and_says_so() -> None:
    text = NIGHT_ONLY.replace("severity: critical, policy: ladder", "severity: critical, policy: nobody")
    scene = Scene(plan(text))
    assert brief(scene.fire(0, severity=CRITICAL)) == [(0, "phone-wang", FIRING)]
    assert scene.codes("a1") == ["nobody_on_duty", "firing"]
    assert brief(scene.pass_until(600)) == [(600, "wall", ESCALATION)]


def test_a_ladder_on_which_nobody_stands_is_tried_again_when_a_shift_may_have_begun() -> None:
    text = NIGHT_ONLY.replace("severity: critical, policy: ladder", "severity: critical, policy: only-night")
    scene = Scene(plan(text))
    assert scene.fire(0, severity=CRITICAL) == []
    assert scene.pass_until(43_199) == []
    assert brief(scene.pass_until(43_200)) == [(43_200, "phone-li", FIRING)]


def test_a_receiver_is_not_told_of_its_own_failure() -> None:
    scene = Scene()
    failed = DeviceKey("anju", DeviceKind.SYSTEM, "receiver-wall")
    scene.fire(0, device=failed, rule="notification-failed")
    assert brief(scene.pass_until(30)) == [(30, "phone-li", FIRING)]


def test_where_a_ladder_leads_only_to_the_receiver_that_fails_another_one_is_told() -> None:
    text = PLAN.replace(
        "routes:",
        "  - {name: wall, steps: [{after: 0s, notify: [receiver:wall]}]}\nroutes:\n  - {kind: system, policy: wall}",
    )
    scene = Scene(plan(text))
    scene.fire(0, device=DeviceKey("anju", DeviceKind.SYSTEM, "receiver-wall"), rule="notification-failed")
    assert brief(scene.pass_until(30)) == [(30, "phone-li", FIRING)]


def test_a_restart_repeats_nothing_and_forgets_nothing() -> None:
    scene = Scene()
    scene.fire(0, severity=CRITICAL)
    for seconds in range(0, 2_700, 100):
        scene.restart()
        scene.pass_until(seconds)
    assert brief(scene.said.intents) == [
        (0, "wall", FIRING),
        (300, "phone-li", ESCALATION),
        (600, "phone-wang", ESCALATION),
        (2_400, "wall", REMINDER),
        (2_400, "phone-li", REMINDER),
        (2_400, "phone-wang", REMINDER),
    ]


def test_a_new_plan_keeps_incidents_and_climbs_its_own_ladder() -> None:
    scene = Scene()
    scene.fire(0, severity=CRITICAL)
    scene.desk.replace_plan(plan(PLAN.replace("notify: [person:li]", "notify: [person:wang]")))
    assert brief(scene.pass_until(300)) == [(300, "phone-wang", ESCALATION)]


def test_a_ladder_that_a_new_plan_no_longer_has_becomes_that_of_the_route_for_everything() -> None:
    scene = Scene()
    scene.fire(0, severity=CRITICAL)
    text = PLAN.replace("ladder", "other").replace("notify: [person:li]", "notify: [person:wang]")
    scene.desk.replace_plan(plan(text))
    assert brief(scene.pass_until(300)) == [(300, "phone-wang", ESCALATION)]


OTHERS = PLAN.replace("wall", "board").replace("phone-li", "pager-li").replace("phone-wang", "pager-wang")


def test_where_a_new_plan_knows_none_of_those_told_its_own_people_are_told() -> None:
    text = PLAN.replace("    repeat: 30m\n", "")
    scene = Scene(plan(text))
    scene.fire(0, severity=Severity.CRITICAL)
    scene.pass_until(700)
    scene.desk.replace_plan(plan(OTHERS.replace("    repeat: 30m\n", "")))
    said = scene.pass_until(701)
    assert [(one.receiver, one.purpose) for one in said] == [("board", Purpose.FIRING)]
    assert [one.receiver for one in scene.pass_until(2_000)] == ["pager-li", "pager-wang"]


@pytest.mark.parametrize("restart", [False, True])
def test_a_new_plan_that_knows_somebody_told_begins_nothing_anew(restart: bool) -> None:
    scene = Scene()
    scene.fire(0, severity=Severity.CRITICAL)
    scene.pass_until(10)
    scene.plan = plan(PLAN.replace("phone-wang", "pager-wang"))
    if restart:
        scene.restart()
    else:
        scene.desk.replace_plan(scene.plan)
    assert scene.pass_until(20) == []


def test_who_has_acknowledged_is_not_told_again_by_a_new_plan() -> None:
    scene = Scene()
    scene.fire(0, severity=Severity.CRITICAL)
    scene.acknowledge(5)
    scene.desk.replace_plan(plan(OTHERS))
    assert scene.pass_until(20) == []


def test_a_new_plan_is_noticed_at_a_start_as_well() -> None:
    scene = Scene()
    scene.fire(0, severity=Severity.CRITICAL)
    scene.plan = plan(OTHERS)
    scene.restart()
    assert [one.receiver for one in scene.pass_until(20)] == ["board"]
