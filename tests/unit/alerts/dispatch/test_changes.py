"""Plans, facts and silences that change while alerts are open, and the weekly test of channels."""

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.dispatch.model import Purpose
from alerts.dispatch.system_rules import device_of
from alerts.inventory import Inventory
from alerts.model import Severity, TransitionKind
from tests.unit.alerts.dispatch.scene import PLAN, Scene, brief, plan
from tests.unit.alerts.dispatch.test_replay import FACTS, MOVES, PLANS, SILENCES, Move

OTHER = plan(
    PLAN.replace("ladder", "other")
    .replace("flood: null", "flood: {over: 1, within: 2m, digest_every: 1m}")
    .replace("group_by: [gateway]", "group_by: [rule, kind]")
)
CHANGES = st.lists(
    st.sampled_from(
        ["none", "none", "plan 0", "plan 1", "plan 2", "facts", "no facts", "silence", "no silence", "restart"]
    ),
    min_size=25,
    max_size=25,
)


def change(scene: Scene, what: str) -> None:
    name, _, rest = what.partition(" ")
    match name:
        case "plan":
            scene.plan = [*PLANS, OTHER][int(rest)]
            scene.desk.replace_plan(scene.plan)
        case "facts":
            scene.inventory = Inventory(FACTS, 2)
            scene.desk.set_inventory(scene.inventory)
        case "silence":
            scene.suppress(*SILENCES)
        case "restart":
            scene.restart()
        case "no" if rest == "facts":
            scene.inventory = Inventory({}, 3)
            scene.desk.set_inventory(scene.inventory)
        case "no":
            scene.suppress()


@settings(max_examples=150, deadline=None)
@given(moves=MOVES, changes=CHANGES)
def test_whatever_people_change_no_name_comes_twice_and_in_the_end_nothing_is_kept(
    moves: list[Move], changes: list[str]
) -> None:
    scene = Scene(PLANS[0], FACTS)
    seconds, fired = 0.0, list[str]()
    for number, (move, what) in enumerate(zip(moves, changes, strict=False)):
        seconds += move.after
        change(scene, what)
        if move.kind is TransitionKind.FIRING:
            fired.append(f"a{number}")
            flags = dict.fromkeys(move.flags, True)
            scene.fire(seconds, fired[-1], device=move.device, rule=move.rule, severity=move.severity, **flags)
        elif fired:
            scene.act(seconds, move.kind, fired[move.which % len(fired)], severity=move.severity)
    for alert in fired:
        scene.acknowledge(seconds, alert)
        scene.resolve(seconds, alert)
    scene.suppress()
    scene.pass_until(seconds + 100_000)
    names = [one.id for one in scene.said.intents]
    assert len(set(names)) == len(names)
    assert {key for key in scene.remembered if not key.startswith("flood/")} == set()


TESTED = PLAN.replace(
    "{name: li, receivers: [phone-li]}", '{name: li, receivers: [phone-li, wall], weekly_test: "wed 09:00"}'
)
WEEK = 7 * 24 * 3_600


def test_channels_are_tested_once_a_week_whatever_restarts() -> None:
    scene = Scene(plan(TESTED))
    scene.pass_until(0)
    for hours in range(1, 15 * 24, 5):
        scene.restart()
        scene.pass_until(hours * 3_600)
    wanted = [(3_600 + week * WEEK, name, Purpose.TEST) for week in range(2) for name in ("phone-li", "wall")]
    assert brief(scene.said.intents)[:4] == wanted
    assert [(one.person, one.count, one.version) for one in scene.said.intents][:2] == [("li", 0, 1)] * 2


def test_a_plan_without_the_test_ends_it_and_one_at_another_time_moves_it() -> None:
    scene = Scene(plan(TESTED))
    scene.pass_until(0)
    scene.desk.replace_plan(plan(TESTED.replace("09:00", "10:00")))
    assert [one[0] for one in brief(scene.pass_until(2 * 3_600))] == [2 * 3_600] * 2
    scene.desk.replace_plan(plan())
    assert scene.pass_until(3 * WEEK) == []
    assert "test/li" not in scene.remembered


def test_a_new_alert_goes_by_the_ladder_of_the_plan_in_force_although_an_older_incident_of_its_group_is_open() -> None:
    by_day = PLAN.replace("routes:", "  - {name: by-day, steps: [{after: 0s, notify: [person:wang]}]}\nroutes:")
    scene = Scene(plan(by_day.replace("severity: critical, policy: ladder", "severity: critical, policy: by-day")))
    assert [one.receiver for one in scene.fire(0, "a1", severity=Severity.CRITICAL)] == ["phone-wang"]
    scene.desk.replace_plan(plan(by_day))
    assert [one.receiver for one in scene.fire(60, "a2", severity=Severity.CRITICAL)] == ["wall"]
    scene.acknowledge(90, "a2")
    assert [one.receiver for one in scene.resolve(120, "a1")] == ["phone-wang"]


def test_an_alert_that_ends_and_begins_again_under_the_same_name_is_told_again() -> None:
    scene = Scene()
    scene.fire(0, "a1", severity=Severity.CRITICAL)
    scene.fire(2, "a2", severity=Severity.CRITICAL)
    scene.acknowledge(3, "a1")
    scene.acknowledge(3, "a2")
    scene.resolve(10, "a1")
    scene.fire(10, "a1", severity=Severity.CRITICAL)
    said = scene.pass_until(20)
    told = [one for one in scene.said.intents if one.at.second >= 10 and one.purpose is Purpose.FIRING]
    assert told, said
    assert scene.codes("a1")[-1] == "firing"


def test_of_two_receivers_that_fail_neither_is_told_of_itself_where_a_third_is_left() -> None:
    ladder = PLAN[PLAN.index("      - {after: 0s") : PLAN.index("    repeat:")]
    scene = Scene(plan(PLAN.replace(ladder, "      - {after: 0s, notify: [receiver:wall, person:li]}\n")))
    scene.fire(0, "f1", device=device_of("receiver/wall"), rule="notification-failed")
    assert [one.receiver for one in scene.pass_until(40)] == ["phone-li"]
    said = scene.fire(600, "f2", device=device_of("receiver/phone-li"), rule="notification-failed")
    assert [one.receiver for one in said] == ["phone-wang"]
