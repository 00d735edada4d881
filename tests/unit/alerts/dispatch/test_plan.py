"""Plan files: the built-in one, the schema, and every way to be wrong with the line it is told on."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from alerts.dispatch.defaults import DEFAULT, default_plan
from alerts.dispatch.plan import reaches_people
from alerts.dispatch.plan_loading import check_plan, json_schema, load_plan, schema_text
from alerts.matchers import Matcher, Operator
from alerts.packs import builtin_rules
from alerts.rules import RuleError
from core.source import read_source
from tests.unit.alerts.dispatch.scene import PLAN
from tests.unit.alerts.dispatch.wrong_plans import INHIBITIONS, ROTA, WRONG

ROOT = Path(__file__).parents[4]


def test_the_built_in_plan_tells_everything_to_the_wall() -> None:
    plan = default_plan()
    assert [receiver.name for receiver in plan.receivers] == ["wall"]
    assert plan.routes[-1].matchers() == ()
    assert plan.flood is not None


def test_the_published_schema_is_that_of_the_structs() -> None:
    published = (ROOT / "docs/reference/notify.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(), "write schema_text() of alerts.dispatch.plan_loading to it"


@pytest.mark.parametrize("text", [PLAN, (ROOT / "alerts/dispatch" / DEFAULT).read_text(encoding="utf-8")])
def test_plans_fit_their_schema(text: str) -> None:
    content = read_source(text, "plan.yaml").content
    Draft202012Validator.check_schema(json_schema())
    Draft202012Validator(json_schema()).validate(json.loads(json.dumps(content, default=str)))


def test_short_forms_are_matchers() -> None:
    plan = load_plan(PLAN.replace("severity: critical", 'severity: "critical,major", tag: fire, kind: gate'), "p.yaml")
    assert plan.routes[0].matchers() == (
        Matcher("severity", "critical,major", Operator.IN),
        Matcher("kind", "gate"),
        Matcher("tag", "fire"),
    )
    assert plan.routes[1].matchers() == (Matcher("rule", "*-offline", Operator.LIKE),)


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_wrong_plan_is_refused_with_its_line_and_what_was_expected(name: str) -> None:
    before, after, expected = WRONG[name]
    assert before in PLAN, "the table speaks of something that the plan does not have"
    text = PLAN.replace(before, after, 1)
    with pytest.raises(RuleError) as refused:
        load_plan(text, "plan.yaml")
    assert expected in str(refused.value)
    assert str(refused.value).startswith(f"plan.yaml:{refused.value.line}: ")
    begins = PLAN[: PLAN.index(before)].count("\n") + 1
    if "cycle" not in expected and "told to nobody" not in expected:
        assert begins - 1 <= refused.value.line <= begins + 1 + after.count("\n")


@pytest.mark.parametrize("name", [name for name in WRONG if "in plain" in WRONG[name][2]])
def test_an_error_does_not_repeat_a_secret(name: str) -> None:
    before, after, _ = WRONG[name]
    _, mistakes = check_plan(PLAN.replace(before, after, 1), "plan.yaml")
    assert "wecom" not in str(mistakes)
    assert "s3cret" not in str(mistakes)


def test_all_mistakes_are_told_by_rising_line() -> None:
    text = (
        PLAN.replace("person:wang", "person:zhao").replace("[phone-li]", "[phone]").replace("after: 10m", "after: 4m")
    )
    _, mistakes = check_plan(text, "plan.yaml")
    assert [mistake.line for mistake in mistakes] == sorted(mistake.line for mistake in mistakes)
    assert len(mistakes) == 3


@pytest.mark.parametrize(
    "inhibitions",
    [
        pytest.param(INHIBITIONS, id="a cause that matches its own target is a cause"),
        pytest.param(
            """inhibitions:
  - {source: [{label: rule, value: power-lost}], target: [{label: rule, value: gateway-offline}], equal: [gateway]}
  - {source: [{label: rule, value: gateway-offline}], target: [{label: kind, value: elevator}], equal: [gateway]}
""",
            id="a chain",
        ),
        pytest.param(
            """inhibitions:
  - {source: [{label: severity, value: critical}], target: [{label: severity, value: minor}], equal: [device]}
  - {source: [{label: severity, value: major}], target: [{label: severity, value: minor}], equal: [device]}
""",
            id="by severity",
        ),
    ],
)
def test_inhibitions_in_an_order_are_taken(inhibitions: str) -> None:
    load_plan(PLAN.replace(INHIBITIONS, inhibitions), "plan.yaml")


def test_hours_without_anybody_can_be_meant() -> None:
    text = PLAN.replace("policies:", ROTA.replace("[li, wang]", '[li, wang], hours: "08:00-20:00"'))
    load_plan(text.replace("- name: duty", "- name: duty\n    gaps: allow"), "plan.yaml")


def test_the_plan_of_the_guide_is_valid() -> None:
    guide = (ROOT / "docs/how-to/notify-people.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    guided = load_plan(text, "notify-people.md")
    assert [policy.name for policy in guided.policies] == ["urgent", "by-day"]
    assert len(guided.rotas[0].layers) == 2


def test_the_inhibitions_of_the_built_in_plan_name_rules_of_the_built_in_pack() -> None:
    rules = {rule.id for rule in builtin_rules()}
    matchers = [matcher for each in default_plan().inhibitions for matcher in (*each.source, *each.target)]
    named = {name for matcher in matchers for name in matcher.value.split(",")}
    assert named - rules == {"*-offline"}


def in_a_row(count: int, end: str) -> str:
    """Return a plan with ``count`` inhibitions, each holding back the cause of the next, and the last one ``end``."""
    names = [*(f"rule-{number}" for number in range(count)), end]
    rows = [
        f"  - {{source: [{{label: rule, value: {one}}}], target: [{{label: rule, value: {two}}}]}}"
        for one, two in pairwise(names)
    ]
    return "\n".join([PLAN[: PLAN.index("inhibitions:")], "inhibitions:", *rows, ""])


def test_as_many_inhibitions_as_there_may_be_are_followed_to_their_end() -> None:
    assert len(load_plan(in_a_row(200, "nothing"), "plan.yaml").inhibitions) == 200
    _, [circle] = check_plan(in_a_row(200, "rule-0"), "plan.yaml")
    assert str(circle).count("→") == 200
    _, [too_many] = check_plan(in_a_row(201, "rule-0"), "plan.yaml")
    assert "inhibitions: Expected `array` of length <= 200" in str(too_many)


def test_a_plan_with_more_mistakes_than_anybody_reads_tells_the_first_fifty() -> None:
    nobody = ", ".join(["nobody"] * 1_000)
    _, found = check_plan(PLAN.replace("receivers: [phone-li]", f"receivers: [{nobody}]"), "plan.yaml")
    assert len(found) == 50


def test_a_zone_with_a_name_longer_than_any_file_has_is_unknown() -> None:
    _, [mistake] = check_plan(f"zone: {'a' * 5_000}\n{PLAN}", "plan.yaml")
    assert "is unknown: expected a name such as Asia/Shanghai" in str(mistake)


_RECEIVERS = """version: 1
receivers:
  - {name: wall, mqtt: {topic: "anju-notify/v1/{community}"}}
  - {name: centre, webhook: {url: "https://centre.example/anju", secret: "${SECRET}"}}
  - {name: li-sms, apprise: {url: "${LI}"}}
people: [{name: li, receivers: [li-sms]}, {name: robot, receivers: [wall]}]
rotas:
  - {name: duty, layers: [{start: 2026-01-05, people: [li]}]}
  - {name: robots, layers: [{start: 2026-01-05, people: [robot]}]}
routes: [{policy: only}]
policies: [{name: only, steps: [{after: 0s, notify: [TARGET]}]}]
"""
TARGETS = {
    "receiver:wall": False,
    "receiver:centre": False,
    "person:robot": False,
    "rota:robots": False,
    "receiver:li-sms": True,
    "person:li": True,
    "rota:duty": True,
}


@pytest.mark.parametrize(("target", "reached"), TARGETS.items(), ids=TARGETS)
def test_a_plan_reaches_people_where_a_step_leads_to_a_messenger(target: str, reached: bool) -> None:
    assert reaches_people(load_plan(_RECEIVERS.replace("TARGET", target), "plan.yaml")) is reached


def test_the_built_in_plan_reaches_nobody() -> None:
    assert not reaches_people(default_plan())
