"""Compiled rules are shared by devices with the same figures, and kept for figures in use only."""

import weakref

from alerts.assignments import Assignments
from alerts.engine import Engine
from alerts.inventory import DeviceFacts, Inventory
from tests.unit.alerts.talk import GATE, LIFT, Talk, rule

OVERLOAD = "{kind: threshold, signal: load_kilograms, above: {attribute: rated_load_kilograms}}"
PLAIN = "{kind: threshold, signal: load_kilograms, above: 600}"


def rated(kilograms: float) -> Inventory:
    return Inventory({LIFT: DeviceFacts(numbers={"rated_load_kilograms": kilograms})}, int(kilograms))


def test_rules_in_use_stay_compiled_and_those_for_figures_of_nobody_go() -> None:
    assignments = Assignments(
        [rule("elevator", OVERLOAD), rule("gate", "{kind: missing, nothing_for: 5m}", rule_id="gate")]
    )
    gates = assignments.roster_of(GATE)
    assignments.set_inventory(rated(630))
    before = assignments.roster_of(LIFT)
    (compiled,) = (weakref.ref(post.rule) for post in before.posts.values())
    assignments.keep([gates, before])
    assert assignments.roster_of(LIFT) is before
    del before
    assignments.keep([gates])
    assert compiled() is None
    assert assignments.roster_of(GATE) is gates


def test_a_rule_without_figures_is_the_same_object_after_rosters_went() -> None:
    assignments = Assignments([rule("elevator", OVERLOAD), rule("elevator", PLAIN, rule_id="plain")])
    unknown = assignments.roster_of(LIFT)
    assignments.set_inventory(rated(630))
    known = assignments.roster_of(LIFT)
    assert (list(unknown.posts), list(known.posts)) == (["plain"], ["r", "plain"])
    assignments.keep([known])
    assert assignments.roster_of(LIFT).posts["plain"].rule is unknown.posts["plain"].rule


def test_an_engine_told_of_ever_new_figures_keeps_those_of_now() -> None:
    engine, refs = Engine([rule("elevator", OVERLOAD)]), []
    engine.observe(Talk().lift(0, load_kilograms=100))
    for kilograms in range(600, 620):
        engine.set_inventory(rated(kilograms))
        refs.append(weakref.ref(engine._assignments.roster_of(LIFT).posts["r"].rule))
    assert [ref() is not None for ref in refs] == [False] * 19 + [True]
