"""Five thousand alerts at once: told together, and at a cost that grows no faster than they do."""

import sys
from collections.abc import Callable

import pytest

from alerts.dispatch.model import Purpose
from alerts.dispatch.plan import Plan
from alerts.inventory import DeviceFacts
from alerts.model import Severity
from tests.unit.alerts.dispatch.scene import PLAN, Scene, gateway, lift, plan

COMMUNITY = plan(PLAN.replace("group_by: [building]", "group_by: [community]"))
DEVICE = plan(PLAN.replace("group_by: [building]", "group_by: [device]").replace("flood: null", "flood: {over: 10}"))


def calls_during(work: Callable[[], object]) -> int:
    """Return how many Python functions ``work`` calls: a cost that is the same on every machine."""
    count = 0

    def counting(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def storm(the_plan: Plan, alerts: int, severity: Severity, *, behind: bool = False) -> Scene:
    facts = {lift(number): DeviceFacts(gateway="gw-1") for number in range(alerts)} if behind else {}
    scene = Scene(the_plan, facts)
    if behind:
        scene.fire(0, "gw", device=gateway(), rule="gateway-offline")
    rule = "elevator-offline" if behind else "door"
    for number in range(alerts):
        scene.fire(number / 500, f"a{number}", device=lift(number), rule=rule, severity=severity)
    scene.pass_until(600)
    for number in range(0, alerts, 2):
        scene.acknowledge(600 + number / 500, f"a{number}")
    for number in range(alerts):
        scene.resolve(700 + number / 500, f"a{number}")
    scene.pass_until(3_000)
    return scene


@pytest.mark.parametrize(
    ("the_plan", "severity", "behind"),
    [
        pytest.param(COMMUNITY, Severity.MAJOR, False, id="one incident"),
        pytest.param(DEVICE, Severity.MAJOR, False, id="an incident each, in a flood"),
        pytest.param(DEVICE, Severity.CRITICAL, False, id="critical, an incident each"),
        pytest.param(COMMUNITY, Severity.MAJOR, True, id="behind one gateway"),
    ],
)
def test_ten_times_the_alerts_cost_about_ten_times_as_much(the_plan: Plan, severity: Severity, behind: bool) -> None:
    few = calls_during(lambda: storm(the_plan, 200, severity, behind=behind))
    many = calls_during(lambda: storm(the_plan, 2_000, severity, behind=behind))
    assert many < 15 * few


def test_five_thousand_alerts_in_a_flood_are_few_messages_and_none_is_lost() -> None:
    scene = Scene(DEVICE)
    for number in range(5_000):
        scene.fire(number / 500, f"a{number}", device=lift(number))
    scene.pass_until(900)
    individually = [one for one in scene.said.intents if one.purpose is Purpose.FIRING]
    digests = [one for one in scene.said.intents if one.purpose is Purpose.DIGEST and one.receiver == "wall"]
    assert len(individually) == 10
    assert sum(one.count for one in digests[:1]) == 4_990
    assert len(scene.said.intents) < 50
    noted = {note.alert_id for note in scene.said.notes if note.reason.code in {"firing", "digest"}}
    assert len(noted) == 5_000
