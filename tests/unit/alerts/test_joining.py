"""Another region, door or controller under an alert that is open already: told once, and when it has lasted."""

from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings

from alerts import lifecycle
from alerts.engine import Engine
from alerts.memory import Phase
from alerts.model import Transition, TransitionKind
from alerts.watches.windows import standing
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import GateEventType as Gate
from core.wire.payloads import GatewayEventType as Gateway
from tests.unit.alerts.talk import Talk, rule, run, run_restarting, told
from tests.unit.alerts.test_replay import EVERY, Step, stories
from tests.unit.alerts.test_replay import told as observed

HOT = "{kind: threshold, signal: maximum_celsius, above: 46, clear: 43}"
HOTTER = "levels: [{severity: critical, condition: {kind: threshold, signal: maximum_celsius, above: 56}}]"
BURNING = "at_once: {kind: threshold, signal: maximum_celsius, above: 80}"
HELD = "{kind: event, types: [held_open], clears_on: [door_closed]}"
LOST = "{kind: event, types: [controller_lost], clears_on: [controller_restored]}"


Play = Callable[..., list[Transition]]
"""What runs rules: `run`, or `run_restarting`."""


@pytest.fixture(params=[run, run_restarting], ids=["running", "restarting"])
def play(request: pytest.FixtureRequest) -> Play:
    return cast(Play, request.param)


def steps(transitions: list[Transition]) -> str:
    return ", ".join(f"{kind} {at:g}" for at, kind in told(transitions))


@pytest.mark.parametrize(
    ("extra", "looks", "expected"),
    [
        pytest.param("", "0 50 20, 5 50 50", "firing 0, repeated 5", id="another region"),
        pytest.param("", "0 50 50, 5 50 50", "firing 0", id="both at once are one"),
        pytest.param("", "0 50 20, 5 50 50, 9 50 51", "firing 0, repeated 5", id="it is told once"),
        pytest.param("", "0 50 20, 5 50 50, 9 20 50, 70 20 50", "firing 0, repeated 5", id="the second alone"),
        pytest.param("", "0 50 20, 5 20 50", "firing 0, repeated 5", id="one after the other"),
        pytest.param("for: 10s", "0 50 20, 9 50 50", "firing 10, repeated 19", id="begun before it fires"),
        pytest.param("for: 10s", "0 50 20, 9 50 50, 12 50 20", "firing 10", id="begun before it fires, and gone"),
        pytest.param("for: 10s", "0 50 20, 5 20 20, 6 50 50, 9 20 50", "firing 16", id="pending anew"),
        pytest.param("for: 10s", "0 50 50, 9 50 50", "firing 10", id="both at once and for long enough"),
        pytest.param("for: 10s", "0 50 20, 12 50 50, 22 50 50", "firing 10, repeated 22", id="as long as the first"),
        pytest.param("for: 10s", "0 50 20, 12 50 50", "firing 10, repeated 22", id="by time alone"),
        pytest.param("for: 10s", "0 50 20, 12 50 50, 21 50 20", "firing 10", id="gone before that"),
        pytest.param("for: 10s", "0 50 20, 12 50 50, 21 50 20, 23 50 50", "firing 10, repeated 33", id="and anew"),
        pytest.param(f"for: 10s\n{BURNING}", "0 50 20, 12 50 90", "firing 10, repeated 12", id="urgent"),
        pytest.param("", "0 50 20, 5 50 50, 9 50 20, 68 50 50", "firing 0, repeated 5", id="flapping is the same"),
        pytest.param("", "0 50 20, 5 50 50, 9 50 20, 69 50 50", "firing 0, repeated 5, repeated 69", id="another time"),
        pytest.param("", "0 50 50, 9 20 50, 69 50 50", "firing 0, repeated 69", id="the first one another time"),
        pytest.param(
            "chatter: off", "0 50 20, 5 50 50, 6 50 20, 7 50 50", "firing 0, repeated 5, repeated 7", id="each time"
        ),
        pytest.param(
            "keep_firing_for: 5m", "0 50 20, 9 20 20, 70 50 20, 80 50 50, 99 20 20, 370 50 50, 680 50 20, 985 50 50",
            "firing 0, repeated 80, repeated 985", id="as long over as the alert itself would have to be",
        ),
        pytest.param(
            HOTTER, "0 50 20, 5 50 60", "firing 0, severity_changed 5, repeated 5", id="after what is told first"
        ),
        pytest.param("", "0 50 20, 5 20 20, 6 20 50", "firing 0, resolved 5, firing 6", id="of an alert that is open"),
    ],
)  # fmt: skip
def test_another_region(extra: str, looks: str, expected: str, play: Play) -> None:
    talk = Talk()
    said = [talk.camera(at, a=a, b=b) for at, a, b in (map(float, look.split()) for look in looks.split(", "))]
    until = max(one.received_at for one in said)
    transitions = play([rule("thermal", HOT, extra)], said, until=(until - said[0].received_at).total_seconds() + 20)
    assert steps(transitions) == expected
    assert len({one.alert_id for one in transitions}) == expected.count("firing")


def test_it_says_which_region_and_for_how_long() -> None:
    talk = Talk()
    said = [talk.camera(0, a=50, b=20), talk.camera(12, a=50, b=48.5)]
    reason = run([rule("thermal", HOT, "for: 10s")], said, until=60)[-1].reason
    assert reason.code == "another_part"
    assert reason.zh == "又有一处：区域 b：最高温度 48.5 °C，已持续 10 秒"
    assert reason.en == "another part as well: region b: maximum temperature 48.5 °C, for 10 s"
    assert reason.facts == {"maximum_celsius": 48.5, "part": "b"}


def test_of_many_regions_at_once_three_are_named() -> None:
    talk = Talk()
    cool = {f"r{number}": 20.0 for number in range(1, 6)}
    said = [talk.camera(0, a=50, **cool), talk.camera(5, a=50, **dict.fromkeys(cool, 47.0))]
    *_, again = run([rule("thermal", HOT)], said)
    assert again.reason.zh.endswith("；区域 r3：最高温度 47 °C；等 5 处")
    assert again.reason.en.endswith("; region r3: maximum temperature 47 °C; and 2 more")
    assert (again.reason.facts["part"], again.reason.facts["parts"]) == ("r1", 5)


def test_another_door(play: Play) -> None:
    talk = Talk()
    said = [talk.gate(0, Gate.HELD_OPEN, "1"), talk.gate(3, Gate.HELD_OPEN, "2"), talk.gate(4, Gate.HELD_OPEN, "2")]
    transitions = play([rule("gate", HELD)], said)
    assert steps(transitions) == "firing 0, repeated 3"
    assert transitions[-1].reason.en == "another part as well: door 2: door held open"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param("l0a l30b", "firing 20, repeated 50", id="another controller"),
        pytest.param("l0a l10b", "firing 20", id="both before it fires"),
        pytest.param("l0a l30b r40b", "firing 20", id="back within the time"),
        pytest.param("l0a l30b r60b l70b", "firing 20, repeated 50", id="flapping is the same"),
        pytest.param("l0a l30b r60b l120b", "firing 20, repeated 50, repeated 140", id="another time"),
        pytest.param("l0a l30a l60a", "firing 20", id="the same told again"),
        pytest.param("l0a l30b r90a r91b", "firing 20, repeated 50, resolved 91", id="open until both are back"),
    ],
)
def test_another_controller(events: str, expected: str, play: Play) -> None:
    talk, kinds = Talk(), {"l": Gateway.CONTROLLER_LOST, "r": Gateway.CONTROLLER_RESTORED}
    said = [talk.gateway(float(event[1:-1]), kinds[event[0]], f"lift-{event[-1]}") for event in events.split()]
    transitions = play([rule("gateway", LOST, "for: 20s")], said, until=200)
    assert steps(transitions) == expected
    for again in (one.reason for one in transitions if one.kind is TransitionKind.REPEATED):
        assert again.zh == "又有一处：控制器失联：lift-b，已持续 20 秒"
        assert again.en == "another part as well: controller lost: lift-b, for 20 s"
        assert again.facts == {"event": "controller_lost", "controller": "lift-b"}


def test_a_changed_rule_still_knows_which_regions_were_told() -> None:
    talk, engine = Talk(), Engine([rule("thermal", HOT)])
    said = [one for look in (talk.camera(0, a=50, b=20), talk.camera(5, a=50, b=50)) for one in engine.observe(look)]
    engine.replace_rules([rule("thermal", HOT.replace("46", "45"))])
    said += engine.observe(talk.camera(10, a=50, b=50))
    assert steps(said) == "firing 0, repeated 5"


def test_another_fault_of_a_lift_is_no_other_part() -> None:
    talk = Talk()
    faults = rule("elevator", "{kind: event, types: [fault_raised], clears_on: [fault_cleared]}")
    said = [talk.lift_event(at, Lift.FAULT_RAISED, code) for at, code in ((0, "1"), (5, "2"))]
    assert steps(run([faults], said)) == "firing 0"


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories)
def test_every_part_of_an_open_alert_is_told_or_waits_for_it(story: list[Step]) -> None:
    engine = Engine(EVERY)
    for observation in observed(story):
        engine.observe(observation)
        site = engine._sites[observation.device]
        for name, state in site.device.state.rules.items():
            parts, waiting = standing(state.told), standing(state.joining)
            compiled = site.roster.posts[name].rule
            here = compiled.present(state.parts) if state.phase is not Phase.IDLE and compiled.has_parts else []
            assert {part for part, over in parts.items() if not over} | set(waiting) == set(here), name
            assert not set(parts) & set(waiting), name
            assert not parts or state.phase is Phase.FIRING, name
            assert not waiting or lifecycle.due(compiled, state, site.device), name
