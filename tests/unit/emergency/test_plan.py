"""The emergency plan: what is refused, where, and whom a ladder reaches."""

from datetime import timedelta

import pytest

from core.source import RuleError
from emergency.ladder import rules_of
from emergency.model import Place
from emergency.plan_loading import check_plan, default_plan, load_plan
from tests.unit.emergency.calls import LIFT, plan

PLAN = """version: 1
contacts:
  - {name: duty, title: {zh: 值班室, en: Duty room}, tell: ["rota:duty"]}
  - {name: fire, title: {zh: 消防, en: Fire service}, phone: "119"}
ladders:
  - name: lift
    steps:
      - {name: property, title: {zh: 物业, en: Property}, roles: [duty], wait: 30s}
      - {name: fire, title: {zh: 消防, en: Fire service}, roles: [fire], wait: 60s, dial: true}
communities:
  - community: "*"
    ladder: lift
    roles: {duty: duty, fire: fire}
"""
TARGETS = frozenset({"rota:duty", "receiver:wall"})


def test_a_right_plan_has_no_mistakes() -> None:
    loaded, mistakes = check_plan(PLAN, "plan.yaml", TARGETS)
    assert loaded is not None
    assert mistakes == []


FIRE = "{name: fire, title: {zh: 消防, en: Fire service}, "
WAIT = "expected a duration such as 30s or 5m"
PHONE = "expected a number in quotes"
OTHERS = "stands for all others"
WRONG = {
    "another version": ("version: 1", "version: 2", 1, "version"),
    "a wait without unit": ("wait: 30s", "wait: 30", 8, WAIT),
    "a wait in words": ("wait: 30s", "wait: soon", 8, WAIT),
    "a wait that would never end": ("wait: 30s", "wait: 9999999d", 8, "expected 1h at most"),
    "a phone without quotes": ('"119"', "119", 4, PHONE),
    "a phone in words": ('"119"', '"one-one-nine"', 4, PHONE),
    "a bare target": ("rota:duty", "duty", 3, "expected rota:NAME, person:NAME or receiver:NAME"),
    "an unknown target": ("rota:duty", "rota:nobody", 3, "rota:nobody is not in the notification plan"),
    "neither phone nor target": (', phone: "119"', "", 4, "cannot be reached"),
    "a contact twice": (FIRE + "ph", "{name: duty, title: {zh: a, en: b}, ph", 4, "duty stands twice"),
    "a step twice": (FIRE + "r", "{name: property, title: {zh: a, en: b}, r", 9, "step property stands twice"),
    "an unknown ladder": ("ladder: lift", "ladder: lfit", 12, "no ladder lfit: expected one of lift"),
    "an unknown contact": ("duty: duty,", "duty: dtuy,", 13, "no contact dtuy: expected one of duty, fire"),
    "nothing for the others": ('community: "*"', "community: willow-court", 10, OTHERS),
    "an unknown key": ("ladder: lift", "laddre: lift", 11, "`ladder`"),
    "another kind of area": ("ladder: lift", "ladder: lift\n    area: town", 13, "expected urban or rural"),
    "no Chinese title": ("zh: 值班室, ", "", 3, "zh"),
    "not YAML": ("ladders:", "ladders: [", 6, "not YAML"),
}


@pytest.mark.parametrize(("old", "new", "line", "expected"), WRONG.values(), ids=WRONG.keys())
def test_wrong_plans(old: str, new: str, line: int, expected: str) -> None:
    assert old in PLAN
    _, mistakes = check_plan(PLAN.replace(old, new, 1), "plan.yaml", TARGETS)
    assert mistakes
    assert expected in str(mistakes[0])
    assert str(mistakes[0]).startswith(f"plan.yaml:{line}: ")
    with pytest.raises(RuleError):
        load_plan(PLAN.replace(old, new, 1), "plan.yaml", TARGETS)


def test_all_mistakes_of_shape_are_named_each_with_its_line() -> None:
    text = PLAN.replace("wait: 30s", "wait: 30").replace("wait: 60s", "wait: soon").replace('"119"', "119")
    text = text.replace("title: {zh: 值班室, en: Duty room}, ", "").replace("ladder: lift\n", "laddre: lift\n")
    text += "    area: town\n    nearby: [duty, 7]\n"
    plan, mistakes = check_plan(text, "plan.yaml", TARGETS)
    assert plan is None
    assert [tuple(str(each).split(": ", 2)[:2]) for each in mistakes] == [
        ("plan.yaml:3", "contacts.0"),
        ("plan.yaml:4", "contacts.1.phone"),
        ("plan.yaml:8", "ladders.0.steps.0.wait"),
        ("plan.yaml:9", "ladders.0.steps.1.wait"),
        ("plan.yaml:11", "communities.0"),
        ("plan.yaml:12", "communities.0.laddre"),
        ("plan.yaml:14", "communities.0.area"),
        ("plan.yaml:15", "communities.0.nearby.1"),
    ]


def test_roles_that_nobody_fills_leave_nobody_on_the_ladder() -> None:
    text = PLAN.replace("roles: [duty]", "roles: [guard]").replace("roles: [fire]", "roles: [brigade]")
    _, mistakes = check_plan(text.replace("roles: {duty: duty, fire: fire}", "roles: {}"), "plan.yaml")
    assert "nobody stands on ladder lift" in str(mistakes[0])


def test_the_built_in_plan_ends_at_the_fire_service() -> None:
    rules = rules_of(default_plan(), LIFT)
    assert [step.name for step in rules.steps] == ["property", "station", "fire"]
    assert [step.wait for step in rules.steps] == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=60)]
    assert [contact.phone for contact in rules.steps[-1].contacts] == ["119"]
    assert rules.rescue == timedelta(minutes=30)


def test_in_the_country_an_hour_is_given() -> None:
    assert rules_of(plan(area="rural"), LIFT).rescue == timedelta(hours=1)


@pytest.mark.parametrize(
    ("entry", "place", "maintainer"),
    [
        pytest.param({}, LIFT, "maintainer", id="the contact of that name"),
        pytest.param({"roles": {"maintainer": "station"}}, LIFT, "station", id="the community's"),
        pytest.param({"contractors": {"lift-3": "second"}}, LIFT, "second", id="the lift's own"),
        pytest.param({"contractors": {"lift-4": "second"}}, LIFT, "maintainer", id="another lift's"),
        pytest.param({}, Place("willow-court", LIFT.lift, contractor="fire"), "fire", id="by the facts of the lift"),
        pytest.param(
            {}, Place("willow-court", LIFT.lift, contractor="gone"), "maintainer", id="facts that lead nowhere"
        ),
    ],
)
def test_who_maintains_a_lift(entry: dict[str, object], place: Place, maintainer: str) -> None:
    rules = rules_of(plan(**entry), place)
    assert [contact.name for contact in rules.steps[2].contacts] == [maintainer]


def test_a_step_without_anybody_is_left_out() -> None:
    text = PLAN.replace("roles: {duty: duty, fire: fire}", "roles: {duty: fire}").replace(
        "roles: [fire]", "roles: [nn]"
    )
    loaded = load_plan(text, "plan.yaml")
    assert [step.name for step in rules_of(loaded, LIFT).steps] == ["property"]
