"""Steps with a number that somebody has to dial by hand: never told, recorded once dialled; steps that reach nobody."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from core.errors import Conflict
from emergency import acts, steps
from emergency.ladder import Reach, rules_of, unreached
from emergency.model import Call, Decision, Dialled, EventKind, PageKind, Source
from emergency.plan import EmergencyPlan
from tests.unit.emergency.calls import LIFT, RULES, T0, after, call, raised

BY_HAND = replace(RULES, steps=(RULES.steps[0], replace(RULES.steps[1], dial=True), *RULES.steps[2:]))


def climbed(*, drill: bool = False) -> Decision:
    decided = steps.tick(raised(drill=drill, rules=BY_HAND).call, after(30), BY_HAND)
    assert decided is not None
    return decided


def done(before: Call, what: acts.Act, seconds: float, actor: str = "li") -> Decision:
    decided = steps.act(before, what, actor, after(seconds), BY_HAND)
    assert decided is not None
    return decided


def test_a_number_to_dial_is_never_told() -> None:
    decided = climbed()
    assert [(event.kind, event.facts["name"]) for event in decided.events] == [(EventKind.TO_BE_DIALLED, "second")]
    assert [(each.kind, each.steps) for each in decided.tellings] == [(PageKind.CALL, (1,)), (PageKind.DIAL, (0,))]
    assert [step.name for step in BY_HAND.to_dial(decided.call)] == ["second"]


def test_nobody_is_asked_to_dial_in_a_drill() -> None:
    assert [each.kind for each in climbed(drill=True).tellings] == [PageKind.CALL]


def test_who_dialled_and_what_was_answered_is_kept_and_takes_the_call_for_nobody() -> None:
    waiting = climbed().call
    decided = done(waiting, acts.Dial("second", "in ten minutes"), 40)
    assert decided.call.dialled == (Dialled("second", after(40), "li", "in ten minutes"),)
    [event] = decided.events
    assert (event.kind, event.actor, event.text) == (EventKind.DIALLED, "li", "in ten minutes")
    assert BY_HAND.to_dial(decided.call) == []
    assert decided.call.responsible == waiting.responsible
    assert steps.act(decided.call, acts.Dial("second", "in ten minutes"), "li", after(41), BY_HAND) is None
    assert len(done(decided.call, acts.Dial("second", "they are there"), 50).call.dialled) == 2


@pytest.mark.parametrize("step", ["property", "nobody"])
def test_only_a_step_with_a_number_can_be_dialled(step: str) -> None:
    with pytest.raises(Conflict, match=f"no step {step} with a number to dial"):
        steps.act(call(), acts.Dial(step), "li", after(5), BY_HAND)


def test_whoever_calls_again_after_all_seemed_over_needs_it_dialled_again() -> None:
    dialled = done(climbed().call, acts.Dial("second"), 31).call
    freed = done(dialled, acts.Freed(), 32).call
    again = done(freed, acts.Join(Source.RESIDENT, "r2"), 33, "caller").call
    assert (again.dialled, again.told) == ((), 1)


def test_who_is_sent_from_a_later_step_leaves_those_between_untold() -> None:
    sent = steps.act(call(), acts.Dispatch("chen", step=3), "li", after(5), RULES)
    assert sent is not None
    assert (sent.call.told, sent.call.due) == (4, (0, 3))
    update = steps.act(sent.call, acts.Freed(), "li", after(6), RULES)
    assert update is not None
    assert [(each.kind, each.steps) for each in update.tellings] == [(PageKind.UPDATE, (0, 3))]
    back = steps.act(sent.call, acts.Dispatch("wang", step=1), "li", after(6), RULES)
    assert back is not None
    assert (back.call.told, back.call.due) == (4, (0, 1, 3))


def test_nobody_is_sent_through_a_step_whose_people_cannot_be_told() -> None:
    nobody = replace(RULES.steps[1], contacts=tuple(replace(each, tell=[]) for each in RULES.steps[1].contacts))
    rules = replace(RULES, steps=(RULES.steps[0], nobody))
    with pytest.raises(Conflict, match="step 1 of call c1 is not one whose people Anju can tell"):
        steps.act(call(), acts.Dispatch("chen", step=1), "li", after(5), rules)


def plan(*contacts: dict[str, Any], **community: object) -> EmergencyPlan:
    """Return a plan with one step, ``first``, for the role ``who``."""
    named = [{"title": {"zh": "谁", "en": "who"}, **each} for each in contacts]
    step = {"name": "first", "title": {"zh": "一", "en": "one"}, "roles": ["who", "maintainer"], "wait": "30s"}
    where = {"community": "*", "ladder": "all", "roles": {"who": contacts[0]["name"]}, **community}
    ladders = [{"name": "all", "steps": [step]}]
    return msgspec.convert({"version": 1, "contacts": named, "ladders": ladders, "communities": [where]}, EmergencyPlan)


@pytest.mark.parametrize(
    ("contact", "dial", "reach"),
    [
        pytest.param({"tell": ["person:li"]}, False, Reach.PEOPLE, id="a person"),
        pytest.param({"tell": ["person:li"], "phone": "119"}, False, Reach.PEOPLE, id="a person with a number"),
        pytest.param({"phone": "119"}, True, Reach.DIAL, id="a number alone has to be dialled"),
        pytest.param({"tell": ["receiver:wall"]}, False, Reach.MACHINES, id="a topic"),
        pytest.param({"tell": ["receiver:wall"], "phone": "119"}, False, Reach.MACHINES, id="a topic with a number"),
    ],
)
def test_whom_a_step_reaches(contact: dict[str, Any], dial: bool, reach: Reach) -> None:
    its_plan = plan({"name": "x", **contact})
    [step] = rules_of(its_plan, LIFT).steps
    assert (step.dial, step.reach({"person:li"})) == (dial, reach)
    expected = ["step first in *"] if reach is Reach.MACHINES else []
    assert [str(each) for each in unreached(its_plan, {"person:li"})] == expected


def test_a_lift_whose_own_maintainer_cannot_be_reached_is_named() -> None:
    wall, li = {"name": "wall", "tell": ["receiver:wall"]}, {"name": "li", "tell": ["person:li"]}
    its_plan = plan(wall, li, roles={"maintainer": "li"}, contractors={"lift-9": "wall"})
    assert [str(each) for each in unreached(its_plan, {"person:li"})] == ["step first in lift-9"]


def test_a_call_that_an_earlier_version_kept_has_dialled_nothing() -> None:
    kept = msgspec.to_builtins(raised().call)
    del kept["dialled"], kept["passed"]
    assert msgspec.convert(kept, Call) == raised().call
    assert raised().call.stamps.raised == T0
