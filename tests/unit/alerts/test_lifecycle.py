"""What a rule says of an alert's life: levels, flags on every step, and firing that no flapping multiplies."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.engine import Engine
from alerts.model import Transition, TransitionKind
from alerts.rules import Rule, RuleError
from tests.unit.alerts.talk import Talk, instant, rule, run

HOT = "{kind: threshold, signal: maximum_celsius, above: 46, clear: 43}"
HOTTER = "{severity: critical, condition: {kind: threshold, signal: maximum_celsius, above: 56, clear: 53}}"
FAST = "{severity: major, condition: {kind: threshold, signal: maximum_celsius, above: 50, clear: 48}}"
Changes = list[tuple[float, str, str]]


def minor(extra: str) -> Rule:
    return rule("thermal", HOT, extra, severity="minor")


def changes(said: list[Transition]) -> Changes:
    return [
        ((one.at - instant(0)).total_seconds(), one.kind.value, one.severity.value)
        for one in said
        if one.kind is not TransitionKind.PENDING
    ]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("extra", "looks", "expected"),
    [
        pytest.param(
            f"levels: [{HOTTER}]",
            [(0, 47), (5, 57), (9, 55), (10, 52), (20, 40)],
            [(0, "firing", "minor"), (5, "severity_changed", "critical"), (10, "severity_changed", "minor"),
             (20, "resolved", "minor")],
            id="up, down and over",
        ),
        pytest.param(
            f"levels: [{FAST}, {HOTTER}]",
            [(0, 57), (5, 52), (6, 40)],
            [(0, "firing", "critical"), (5, "severity_changed", "major"), (6, "resolved", "major")],
            id="fires with the worst, whatever the order they are written in",
        ),
        pytest.param(
            f"for: 10s\nlevels: [{HOTTER}]",
            [(0, 57), (10, 57)],
            [(10, "firing", "critical")],
            id="does not fire earlier for it",
        ),
        pytest.param(
            f"keep_firing_for: 10s\nlevels: [{HOTTER}]",
            [(0, 57), (5, 52), (14, 52), (15, 52)],
            [(0, "firing", "critical"), (15, "severity_changed", "minor")],
            id="down after keep_firing_for",
        ),
        pytest.param(
            f"keep_firing_for: 10s\nlevels: [{HOTTER}]",
            [(0, 57), (5, 52), (14, 57), (20, 57)],
            [(0, "firing", "critical")],
            id="up again in between is no change",
        ),
        pytest.param(
            f"keep_firing_for: 10s\nlevels: [{FAST}, {HOTTER}]",
            [(0, 57), (5, 40), (15, 40)],
            [(0, "firing", "critical"), (15, "resolved", "critical")],
            id="over at once is resolved, not stepped down",
        ),
        pytest.param(
            f"levels: [{HOTTER}]",
            [(0, 47), (1, 57), (2, 52), (3, 57), (4, 52), (5, 57), (6, 52), (60, 52), (66, 52)],
            [(0, "firing", "minor"), (1, "severity_changed", "critical"), (2, "severity_changed", "minor"),
             (3, "severity_changed", "critical"), (4, "severity_changed", "minor"),
             (5, "severity_changed", "critical"), (66, "severity_changed", "minor")],
            id="up and down too often, and it stays up until it is quiet",
        ),
    ],
)  # fmt: skip
def test_levels(extra: str, looks: list[tuple[float, float]], expected: Changes, restart: bool) -> None:
    talk, hot = Talk(), minor(extra)
    engine, stored, said = Engine([hot]), dict[str, bytes](), list[Transition]()
    for at, celsius in looks:
        said += engine.advance(instant(at))
        said += engine.observe(talk.camera(at, a=celsius))
        stored |= {path: kept for path, kept in engine.dirty().items() if kept is not None}
        if restart:
            engine = Engine([hot])
            engine.restore(stored)
    assert changes(said) == expected
    assert len({one.alert_id for one in said}) == 1


def test_a_level_opens_no_alert_by_itself() -> None:
    open_door = "{kind: state, signal: door_state, equals: open}"
    levels = f"levels: [{{severity: critical, condition: {open_door}}}]"
    unwell = rule("elevator", "{kind: state, signal: main_power, equals: false}", levels)
    talk = Talk()
    assert run([unwell], [talk.lift(0, door_state="open")], until=60) == []


def test_a_level_counts_in_whichever_region_it_holds() -> None:
    talk = Talk()
    said = run([minor(f"levels: [{HOTTER}]")], [talk.camera(0, a=47, b=20), talk.camera(1, a=47, b=60)])
    assert changes(said) == [(0, "firing", "minor"), (1, "severity_changed", "critical")]
    assert said[-1].reason.code == "level_reached"
    assert said[-1].reason.facts == {"maximum_celsius": 60, "from": "minor"}
    assert said[-1].reason.zh == "级别由一般变为紧急：最高温度 60 °C"
    assert said[-1].reason.en == "from minor to critical: maximum temperature 60 °C"


def test_a_step_down_says_so() -> None:
    talk = Talk()
    down = run([minor(f"levels: [{HOTTER}]")], [talk.camera(0, a=57), talk.camera(1, a=50)])[-1]
    assert (down.reason.code, down.reason.facts, down.reason.en) == (
        "level_over", {"from": "critical"}, "from critical to minor"
    )  # fmt: skip


def test_a_rule_made_more_severe_steps_its_open_alert_up() -> None:
    talk, engine = Talk(), Engine([minor("")])
    engine.observe(talk.camera(0, a=50))
    engine.replace_rules([rule("thermal", HOT, severity="critical")])
    assert changes(engine.observe(talk.camera(1, a=50))) == [(1, "severity_changed", "critical")]


@pytest.mark.parametrize("flag", ["latch", "protected", "maintenance"])
def test_every_step_carries_the_flags_of_its_rule_even_when_that_is_gone(flag: str) -> None:
    talk, engine = Talk(), Engine([rule("thermal", HOT, f"{flag}: true\nlevels: [{HOTTER}]")])
    said = engine.observe(talk.camera(0, a=50)) + engine.observe(talk.camera(1, a=60))
    engine.replace_rules([])
    said += engine.advance(instant(2))
    assert [one.kind.value for one in said] == ["pending", "firing", "severity_changed", "resolved"]
    for one in said:
        carried = {"latch": one.latching, "protected": one.protected, "maintenance": one.maintenance}
        assert carried == {name: name == flag for name in carried}


DOOR = "{kind: state, signal: door_state, equals: open}"
PRESSED = "{kind: event, types: [alarm_pressed], clears_on: [alarm_released]}"
EVERY = [
    rule("elevator", DOOR, rule_id="plain"),
    rule("elevator", DOOR, "for: 2s", rule_id="waiting"),
    rule("elevator", DOOR, "chatter: {count: 2, within: 30s}", rule_id="twice"),
    rule("elevator", DOOR, "keep_firing_for: 3s", rule_id="kept"),
    rule(
        "elevator",
        "{kind: state, signal: main_power, equals: false}",
        f"clears_when: {DOOR}",
        rule_id="cleared",
    ),
]
flaps = st.lists(
    st.tuples(st.sampled_from([0.5, 1.0, 3.0, 20.0, 45.0, 61.0]), st.booleans(), st.booleans()), max_size=40
)


@settings(max_examples=200, deadline=None)
@given(flaps)
def test_no_flapping_fires_more_often_than_the_rule_allows(steps: list[tuple[float, bool, bool]]) -> None:
    talk, clock, engine, fired = Talk(), 0.0, Engine(EVERY), dict[str, list[Transition]]()
    for since, is_open, power in steps:
        clock += since
        door = "open" if is_open else "closed"
        for one in engine.observe(talk.lift(clock, door_state=door, main_power=power)):
            if one.kind is TransitionKind.FIRING:
                fired.setdefault(one.rule, []).append(one)
    for rule_id, firings in fired.items():
        count, within = (2, timedelta(seconds=30)) if rule_id == "twice" else (3, timedelta(seconds=60))
        for first, last in zip(firings, firings[count:], strict=False):
            assert last.at - first.at >= within
        for first, last in zip(firings, firings[count - 1 :], strict=False):
            assert (last.reason.code == "chattering") is (last.at - first.at < within)


@pytest.mark.parametrize(
    ("extra", "line", "expected"),
    [
        pytest.param(
            "keep_firing_for: 5m\nclears_when: {kind: missing, nothing_for: 5m}", 9, "expected one of", id="two ends"
        ),
        pytest.param(f"levels: [{HOTTER}, {HOTTER}]", 9, "given twice", id="one severity twice"),
        pytest.param(f"levels: [{HOTTER.replace('critical', 'major')}]", 9, "given twice", id="the rule's own"),
        pytest.param(
            f"levels: [{HOTTER.replace('critical', 'info')}]", 9, "worse than the rule's own", id="less severe"
        ),
        pytest.param(
            f"levels: [{HOTTER.replace('56', '9000')}]", 9, "a value the signal can have", id="within a level"
        ),
        pytest.param("gaps: resolve", 9, "`gap_after` belong together", id="gaps without a duration"),
        pytest.param("gap_after: 5m", 9, "`gap_after` belong together", id="a duration without gaps"),
        pytest.param("gaps: drop\ngap_after: 5m", 9, "expected keep, resolve", id="gaps"),
        pytest.param("chatter: {count: 1}", 9, ">= 2", id="chatter"),
        pytest.param("chatter: {within: 2h}", 9, "expected 1h at most", id="chatter too long"),
        pytest.param("scope: {}", 9, "a scope without a list", id="scope of all"),
        pytest.param("scope: {tags: [a], not_tags: [a]}", 9, "expected it in one of them", id="a tag both ways"),
        pytest.param("scope: {building: ['3']}", 9, "unknown field `building`", id="scope key"),
        pytest.param("hold: 5m", 9, "unknown field `hold`", id="what it was once called"),
    ],
)
def test_mistakes(extra: str, line: int, expected: str) -> None:
    with pytest.raises(RuleError) as raised:
        rule("thermal", HOT, extra)
    assert str(raised.value).startswith(f"test.yaml:{line}: ")
    assert expected in str(raised.value)


def test_gaps_are_not_for_rules_that_wait_for_silence() -> None:
    with pytest.raises(RuleError, match="would end what a `missing` condition raises"):
        rule("elevator", "{kind: missing, nothing_for: 5m}", "gaps: resolve\ngap_after: 10m")
