"""Counts of events within a window, and ratios of two counters, as tables."""

from collections.abc import Sequence

import msgspec
import pytest

from alerts.memory import Heard, Leaf
from alerts.rules.conditions import Count, Events, Ratio
from alerts.watches.counts import CountWatch, RatioWatch
from alerts.watches.limits import figures
from alerts.watches.windows import SAMPLE, instants_of, known, mark_of, newest
from alerts.words import FAULT_SEPARATOR
from core.wire.payloads import ElevatorEventType as Lift
from core.wire.payloads import ElevatorTelemetry
from core.wire.payloads import GateEventType as Gate
from tests.unit.alerts.talk import LIFT, Talk, instant, rule, run, run_restarting, told

Said = list[tuple[float, str]]
HOUR = 3600
HEARD = Heard(0, 0, 0, 0)
FAULTS = "{kind: count, of: {types: [fault_raised]}, at_least: 3, within: 24h}"
RAISED, CLEARED = Lift.FAULT_RAISED, Lift.FAULT_CLEARED


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([(0, "1"), (1, "2")], [], id="too few"),
        pytest.param(
            [(0, "1"), (HOUR, "2"), (2 * HOUR, "3")],
            [(2 * HOUR, "firing"), (24 * HOUR, "resolved")],
            id="over when the first has left the window, with no message",
        ),
        pytest.param([(0, "1"), (HOUR, "2"), (24 * HOUR, "3")], [], id="a day later the first counts no more"),
        pytest.param([(0, "1"), (1, "1"), (2, "1")], [], id="the same fault told again is one"),
        pytest.param(
            [(0, "1"), (1, "-1"), (2, "1"), (3, "-1"), (4, "1")],
            [(4, "firing"), (24 * HOUR, "resolved")],
            id="the same fault after its end is another",
        ),
        pytest.param(
            [(0, "1"), (HOUR, "1"), (2 * HOUR, "1")],
            [(2 * HOUR, "firing"), (24 * HOUR, "resolved")],
            id="the end never came, but it was quiet between",
        ),
        pytest.param(
            [(at * 240, "1") for at in range(20)],
            [],
            id="a controller that goes on telling it counts once",
        ),
        pytest.param(
            [(0, "1"), (1, "2"), (2, "3"), (20 * HOUR, "4")],
            [(2, "firing"), (24 * HOUR + 1, "resolved")],
            id="a fourth keeps it until two are left",
        ),
    ],
)
def test_count(events: Sequence[tuple[float, str]], expected: Said) -> None:
    talk, counted = Talk(), rule("elevator", FAULTS)
    said = [talk.lift_event(at, CLEARED if code[0] == "-" else RAISED, code.lstrip("-")) for at, code in events]
    assert told(run([counted], said, until=60 * HOUR)) == expected
    assert told(run_restarting([counted], said, until=60 * HOUR)) == expected


def test_a_count_clears_below_its_own_number() -> None:
    talk = Talk()
    counted = rule("gate", "{kind: count, of: {types: [denied, tamper]}, at_least: 3, clear_below: 2, within: 10s}")
    said = [talk.gate(at, Gate.TAMPER) for at in (0, 4, 8)]
    assert told(run([counted], said, until=60)) == [(8, "firing"), (14, "resolved")]


def test_a_count_is_kept_for_each_door() -> None:
    talk = Talk()
    counted = rule("gate", "{kind: count, of: {types: [forced_open]}, at_least: 2, within: 1m}")
    said = [talk.gate(0, Gate.FORCED_OPEN, "1"), talk.gate(1, Gate.FORCED_OPEN, "2")]
    assert told(run([counted], said)) == []
    (_, firing) = run([counted], [*said, talk.gate(2, Gate.FORCED_OPEN, "2")])
    assert firing.reason.facts["part"] == "2"
    assert firing.reason.zh == "门 2：1 分钟内至少 2 次，最近一次：强行开门"
    assert firing.reason.en == "door 2: at least 2 within 1 min, the last: door forced open"


def test_only_the_faults_that_are_meant_count() -> None:
    talk = Talk()
    counted = rule(
        "elevator", "{kind: count, of: {types: [fault_raised], severities: [major]}, at_least: 2, within: 1h}"
    )
    said = [talk.lift_event(at, RAISED, code) for at, code in enumerate(["1", "1", "2", "93", "3"])]
    (_, firing) = run([counted], said)
    assert told([firing]) == [(4, "firing")]
    assert firing.reason.code == "count"
    facts = firing.reason.facts
    assert (facts["count"], facts["source"], facts["code"]) == (2, "gbt24476-2017", "3")


def test_buffered_faults_count_where_late_ones_are_accepted() -> None:
    talk = Talk()
    said = [talk.lift_event(at, RAISED, code, received=600, late=True) for at, code in ((0, "1"), (1, "2"), (2, "3"))]
    assert told(run([rule("elevator", FAULTS, "late: accept\nmax_late: 1h")], said)) == [(600, "firing")]
    assert told(run([rule("elevator", FAULTS)], said)) == []


def test_a_count_remembers_no_more_than_it_needs() -> None:
    talk = Talk()
    watch = CountWatch(Count(of=Events(types=["fault_raised"]), at_least=3, within="24h"))
    leaf = watch.begin()
    for second in range(500):
        said = talk.lift_event(second, RAISED, str(second))
        watch.observe(leaf, said, said.body, second * 1_000_000 + 1, HEARD)
    assert len(instants_of(leaf.window)) == 3
    assert list(known(leaf.opened)) == [
        mark_of(f"gbt24476-2017{FAULT_SEPARATOR}{second}") for second in range(476, 500)
    ]
    watch.expire(leaf, watch.due(leaf, HEARD), HEARD)
    watch.expire(leaf, watch.due(leaf, HEARD), HEARD)
    assert leaf == Leaf(), "a window that has run empty leaves nothing behind"


OPENINGS = "{kind: ratio, signal: door_cycle_count, per: trip_count, above: 20, within: 30m, at_least: 50, clear: 5}"
Counters = Sequence[tuple[float, int | None, int | None]]


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        pytest.param([(0, 1000, 500), (60, 1060, 502)], [(60, "firing")], id="thirty for each run"),
        pytest.param([(0, 1000, 500), (60, 1040, 500)], [], id="too few to say anything"),
        pytest.param([(0, 1000, 500), (60, 1060, 500)], [(60, "firing")], id="no run at all counts as one"),
        pytest.param([(0, 1000, 500), (60, 1060, 540)], [], id="as many as runs"),
        pytest.param([(0, 1000, 500), (1800, 1100, 501)], [], id="a gap as long as the window proves nothing"),
        pytest.param([(0, 1000, 500), (60, 10, 2), (120, 40, 3)], [], id="a new controller counts from its beginning"),
        pytest.param(
            [(0, 1000, None), (10, None, 500), (20, 1030, None), (60, None, 501), (70, 1081, None)],
            [(70, "firing")],
            id="counters in messages of their own",
        ),
        pytest.param(
            [(0, 1000, 500), (60, 1060, 502), (600, 1070, 520)],
            [(60, "firing"), (600, "resolved")],
            id="over at clear",
        ),
        pytest.param(
            [(0, 1000, 500), (60, 1060, 502), (300, 1061, 503), (900, 1100, 507), (1860, 1100, 507)],
            [(60, "firing"), (1860, "resolved")],
            id="over when the door rests",
        ),
    ],
)
def test_ratio(counters: Counters, expected: Said) -> None:
    talk, watched = Talk(), rule("elevator", OPENINGS)
    said = [talk.lift(at, door_cycle_count=doors, trip_count=trips) for at, doors, trips in counters]
    assert told(run([watched], said, until=4 * HOUR)) == expected
    assert told(run_restarting([watched], said, until=4 * HOUR)) == expected


def test_a_ratio_says_what_it_saw() -> None:
    talk = Talk()
    said = [talk.lift(0, door_cycle_count=0, trip_count=0), talk.lift(60, door_cycle_count=90, trip_count=3)]
    (_, firing) = run([rule("elevator", OPENINGS)], said)
    assert firing.reason.facts["door_cycle_count_per_trip_count"] == 30
    assert firing.reason.zh == "30 分钟内开门次数与运行次数之比为 30"
    assert firing.reason.en == "door cycles for each of trip count within 30 min: 30"


def test_a_ratio_s_window_is_bounded_and_keeps_its_newest_value() -> None:
    talk = Talk()
    watch = RatioWatch(
        Ratio(signal="door_cycle_count", per="trip_count", above=20, within="30m", at_least=50), figures({})
    )
    leaf = watch.begin()
    for second in range(4000):
        body = ElevatorTelemetry(at=instant(second), door_cycle_count=second, trip_count=second // 10)
        watch.observe(leaf, talk.say(second, LIFT, body), body, second * 1_000_000 + 1, HEARD)
    assert len(leaf.window) <= 18 * SAMPLE.size
    assert newest(leaf.window) == (3_999_000_001, 3999)
    assert leaf.value == pytest.approx(10, abs=0.1)
    assert len(msgspec.msgpack.encode(leaf)) < 700
