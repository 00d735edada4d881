"""A device beside its own past, and beside another of its kind."""

from collections.abc import Iterable, Sequence

import msgspec
import pytest

from alerts.engine import Engine
from alerts.memory import Heard, Leaf
from alerts.rules.conditions import Compare, Stay
from alerts.watches.comparisons import PastWatch, PeerWatch
from alerts.watches.limits import figures
from alerts.watches.windows import days_of, values_of
from core.devices import DeviceKey, DeviceKind
from core.observations import Observation
from core.wire.payloads import ElevatorTelemetry, Region, ThermalTelemetry
from tests.unit.alerts.talk import CAMERA, LIFT, Talk, instant, rule, run, run_restarting, told

Said = list[tuple[float, str]]
DAY = 86_400
HEARD = Heard(0, 0, 0, 0)
PEER = DeviceKey("demo", DeviceKind.THERMAL, "shed-2")
DOORS = (
    "{kind: compare, duration_of: {signal: door_state, values: [opening, open, closing]}, past: 14d, "
    "above_times: 1.5, clear: 1.2, at_least_days: 3, over: 3}"
)


def doors(talk: Talk, opened: Iterable[tuple[float, float]]) -> list[Observation]:
    """Return lifts' readings in which the door is open from a second on, for so many seconds."""
    said = [talk.lift(0, door_state="closed")]
    for at, seconds in opened:
        said.append(talk.lift(at, door_state="opening"))
        said.append(talk.lift(at + 2, door_state="open"))
        said.append(talk.lift(at + seconds, door_state="closed"))
    return said


def usual(days: int, seconds: float = 10.0, each: int = 5) -> list[tuple[float, float]]:
    return [(day * DAY + 100 + 60 * one, seconds) for day in range(days) for one in range(each)]


@pytest.mark.parametrize(
    ("opened", "expected"),
    [
        pytest.param([*usual(3), *((3 * DAY + 60 * one, 16.0) for one in range(1, 4))], [1], id="two of three"),
        pytest.param([*usual(3), (3 * DAY + 60, 300.0), (3 * DAY + 600, 10.0)], [], id="one long one raises nothing"),
        pytest.param([*usual(2), *((2 * DAY + 60 * one, 60.0) for one in range(1, 4))], [], id="too few days known"),
        pytest.param([*usual(3), *((3 * DAY + 60 * one, 14.0) for one in range(1, 9))], [], id="not long enough"),
        pytest.param(
            [*usual(3), *((30 * DAY + 60 * one, 60.0) for one in range(1, 4))], [], id="what is past was too long ago"
        ),
        pytest.param(
            [*usual(1, each=9), *((60 * one + 5000, 60.0) for one in range(1, 9))], [], id="today is not the past"
        ),
    ],
)
def test_door_times_beside_their_own_past(opened: Sequence[tuple[float, float]], expected: list[int]) -> None:
    compared = rule("elevator", DOORS)
    first = len(opened) - 3
    ends = [(opened[first + one][0] + opened[first + one][1], "firing") for one in expected]
    talk = Talk()
    assert told(run([compared], doors(talk, opened))) == ends
    talk = Talk()
    assert told(run_restarting([compared], doors(talk, opened))) == ends


def test_a_gap_ends_the_alert_but_not_what_is_known_of_the_days_before() -> None:
    long = [(3 * DAY + 60 * one, 16.0) for one in range(1, 4)]
    again = [(4 * DAY + 60 * one, 16.0) for one in range(1, 5)]
    # Three days of 10 s and one of 16 s lie before: 10 s is usual still. The first opening is not seen to begin.
    compared = rule("elevator", DOORS, "gaps: resolve\ngap_after: 12h")
    said = doors(Talk(), [*usual(3), *long, *again])

    transitions = run([compared], said)
    assert told(transitions) == [
        (3 * DAY + 136, "firing"),
        (3 * DAY + 196 + DAY / 2, "resolved"),
        (4 * DAY + 256, "firing"),
    ]
    assert transitions[2].reason.code == "gap"
    assert told(run_restarting([compared], said)) == told(transitions)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param(
            DOORS.replace("above_times: 1.5", "above_times: 1.3"), [(3 * DAY + 194, "firing")], id="the limit"
        ),
        pytest.param(DOORS.replace("[opening, open, closing]", "[open]"), [], id="what is compared"),
    ],
)
def test_a_changed_rule_still_knows_the_days_before_of_what_it_compares(changed: str, expected: Said) -> None:
    said = doors(Talk(), [*usual(3), *((3 * DAY + 60 * one, 14.0) for one in range(1, 4))])
    engine = Engine([rule("elevator", DOORS)])
    before = [one for observation in said[:-9] for one in engine.observe(observation)]
    engine.replace_rules([rule("elevator", changed)])
    assert before == []
    assert told(one for observation in said[-9:] for one in engine.observe(observation)) == expected


def test_a_comparison_with_the_past_is_over_at_clear_and_says_both() -> None:
    long = [(3 * DAY + 60 * one, 16.0) for one in range(1, 4)]
    normal = [(3 * DAY + 600 + 60 * one, 11.0) for one in range(2)]
    transitions = run([rule("elevator", DOORS)], doors(Talk(), [*usual(3), *long, *normal]))
    assert [each.kind.value for each in transitions] == ["pending", "firing", "resolved"]
    reason = transitions[1].reason
    assert reason.code == "compare"
    assert reason.zh == "轿门处于正在打开/打开/正在关闭的时间 16 s，此前 3 天的中位数为 10 s"
    assert reason.en == "time of car door opening/open/closing 16 s, the median of 3 days before is 10 s"
    assert (reason.facts["door_state_stay_seconds"], reason.facts["usual"], reason.facts["days"]) == (16, 10, 3)


def test_a_stay_whose_beginning_was_not_seen_is_no_sample() -> None:
    watch = _past(duration_of=Stay(signal="door_state", values=["open"]))
    talk, leaf = Talk(), watch.begin()
    for at, state in ((0, "open"), (5, "closed"), (10, "open"), (17, "closed")):
        said = talk.lift(at, door_state=state)
        watch.observe(leaf, said, said.body, at * 1_000_000, HEARD)
    assert leaf.past is not None
    assert values_of(leaf.past.recent) == [7.0]


@pytest.mark.parametrize("over", [1, 2, 5, 25])
def test_as_many_of_the_newest_samples_are_compared_as_the_rule_says(over: int) -> None:
    condition = Compare(signal="load_kilograms", past="14d", above_times=1.5, over=over)
    watch, talk = PastWatch(condition, DeviceKind.ELEVATOR, figures({})), Talk()
    leaf = watch.begin()
    for second in range(40):
        said = talk.lift(second, load_kilograms=float(second))
        watch.observe(leaf, said, said.body, second * 1_000_000, HEARD)
    assert leaf.past is not None
    assert values_of(leaf.past.recent) == [float(second) for second in range(40 - over, 40)]


def test_a_signal_beside_its_own_past() -> None:
    condition = "{kind: compare, signal: maximum_celsius, past: 7d, above_by: 15, at_least_days: 2, over: 1}"
    talk = Talk()
    said = [talk.camera(day * DAY + 60 * one, a=20.0 + one % 3) for day in range(3) for one in range(200)]
    said += [talk.camera(3 * DAY, a=36.0), talk.camera(3 * DAY + 1, a=36.1)]
    transitions = run([rule("thermal", condition)], said)
    assert told(transitions) == [(3 * DAY + 1, "firing")]
    assert transitions[1].reason.zh == "区域 a：最高温度 36.1 °C，此前 3 天的中位数为 21 °C"


def test_what_is_kept_of_the_past_is_bounded_and_stands_for_the_whole_day() -> None:
    watch = _past(signal="load_kilograms", past="30d")
    talk, leaf = Talk(), watch.begin()
    for day in range(40):
        for one in range(500):
            said = talk.lift(day * DAY + one, load_kilograms=float(one))
            watch.observe(leaf, said, said.body, (day * DAY + one) * 1_000_000, HEARD)
    past = leaf.past
    assert past is not None
    assert len(values_of(past.kept)) <= 32
    assert [day for day, _ in days_of(past.days)] == list(range(9, 39))
    assert all(median == pytest.approx(250, abs=16) for _, median in days_of(past.days))
    assert len(msgspec.msgpack.encode(leaf)) < 2048


def test_a_clock_of_ours_that_is_set_back_does_not_begin_another_day() -> None:
    watch = _past(signal="load_kilograms")
    talk, leaf = Talk(), watch.begin()
    for now in (5 * DAY, 4 * DAY):
        said = talk.lift(now, load_kilograms=1.0)
        watch.observe(leaf, said, said.body, now * 1_000_000, HEARD)
    assert leaf.past is not None
    assert (leaf.past.day, leaf.past.days, leaf.past.seen) == (5, b"", 2)


def _past(signal: str | None = None, duration_of: Stay | None = None, past: str = "14d") -> PastWatch:
    condition = Compare(signal=signal, duration_of=duration_of, past=past, above_times=1.5)
    return PastWatch(condition, DeviceKind.ELEVATOR, figures({}))


Steps = Sequence[tuple[float, str, float]]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([(0, "peer", 20), (1, "own", 29)], [False, True], id="warmer by more than the limit"),
        pytest.param([(0, "peer", 20), (1, "own", 28)], [False, False], id="by as much as the limit"),
        pytest.param([(1, "own", 29)], [False], id="nothing to compare with"),
        pytest.param([(0, "own", 29), (1, "peer", 20)], [False, True], id="the other's message decides as well"),
        pytest.param([(0, "peer", 20), (601, "own", 29)], [False, False], id="the other was silent for too long"),
        pytest.param(
            [(0, "peer", 20), (1, "own", 29), (700, "own", 20)],
            [False, True, True],
            id="without the other the answer stays",
        ),
        pytest.param(
            [(0, "peer", 20), (1, "own", 29), (2, "peer", 24), (3, "peer", 26)],
            [False, True, True, False],
            id="over at clear",
        ),
    ],
)
def test_beside_another_device(steps: Steps, expected: list[bool]) -> None:
    watch = PeerWatch(
        Compare(signal="maximum_celsius", peer="shed-2", above_by=8.0, clear=4.0), DeviceKind.THERMAL, figures({})
    )
    assert watch.peers == {"shed-2"}
    talk, leaf, answers = Talk(), watch.begin(), []
    for at, who, celsius in steps:
        now = at * 1_000_000 + 1
        if who == "own":
            said = talk.camera(at, a=celsius)
            assert isinstance(said.body, ThermalTelemetry)
            watch.observe(leaf, said, said.body.regions[0], int(now), HEARD)
        else:
            watch.observe_peer(leaf, _peer_says(talk, at, a=celsius), int(now))
        # A restart in between loses nothing.
        leaf = msgspec.msgpack.decode(msgspec.msgpack.encode(leaf), type=Leaf)
        answers.append(leaf.truth)
    assert answers == expected


@pytest.mark.parametrize(
    ("limits", "regions", "expected"),
    [
        pytest.param({"above_by": 8.0}, {"a": 20, "b": 35}, False, id="above: the warmest region counts"),
        pytest.param({"below_by": 8.0}, {"a": 20, "b": 60}, False, id="below: the coldest one"),
        pytest.param({"below_by": 8.0}, {"a": 50, "b": 60}, True, id="below all of them"),
    ],
)
def test_of_the_other_s_regions_the_nearest_counts(
    limits: dict[str, float], regions: dict[str, float], expected: bool
) -> None:
    watch = PeerWatch(
        Compare(
            signal="maximum_celsius",
            peer="shed-2",
            above_by=limits.get("above_by"),
            below_by=limits.get("below_by"),
        ),
        DeviceKind.THERMAL,
        figures({}),
    )
    talk, leaf = Talk(), watch.begin()
    own = talk.camera(1, mine=40)
    assert isinstance(own.body, ThermalTelemetry)
    watch.observe(leaf, own, own.body.regions[0], 1, HEARD)
    watch.observe_peer(leaf, _peer_says(talk, 2, **regions), 2)
    assert leaf.truth is expected


def test_a_comparison_with_another_says_both() -> None:
    watch = PeerWatch(Compare(signal="load_kilograms", peer="lift-2", above_by=100.0), DeviceKind.ELEVATOR, figures({}))
    talk, leaf = Talk(), watch.begin()
    assert watch.tell(leaf) == ("载重 ? kg，lift-2 为 ? kg", "load ? kg, lift-2 has ? kg")
    own = talk.lift(0, load_kilograms=300.0)
    watch.observe(leaf, own, own.body, 1, HEARD)
    other = talk.say(1, DeviceKey("demo", DeviceKind.ELEVATOR, "lift-2"), _load(50.0))
    watch.observe_peer(leaf, other, 2)
    assert leaf.truth
    assert watch.tell(leaf) == ("载重 300 kg，lift-2 为 50 kg", "load 300 kg, lift-2 has 50 kg")
    assert watch.facts(leaf) == {"peer": "lift-2", "load_kilograms": 300.0, "peer_load_kilograms": 50.0}


def test_events_of_the_other_are_no_values() -> None:
    watch = PeerWatch(Compare(signal="maximum_celsius", peer="shed-2", above_by=8.0), DeviceKind.THERMAL, figures({}))
    leaf, said = watch.begin(), Talk().say(0, LIFT, _load(1.0))
    watch.observe_peer(leaf, said, 1)
    assert leaf == watch.begin()


def _load(kilograms: float) -> ElevatorTelemetry:
    return ElevatorTelemetry(at=instant(0), load_kilograms=kilograms)


def _peer_says(talk: Talk, at: float, **regions: float) -> Observation:
    looks = [Region(region=name, maximum_celsius=celsius) for name, celsius in regions.items()]
    return talk.say(at, PEER, ThermalTelemetry(at=instant(at), regions=looks))


def test_a_camera_s_own_word_is_not_its_peer_s() -> None:
    assert PEER != CAMERA
    compared = rule("thermal", "{kind: compare, signal: maximum_celsius, with: shed-2, above_by: 8}")
    talk = Talk()
    assert told(run([compared], [_peer_says(talk, 0, a=20), _peer_says(talk, 1, a=60)])) == []


GROWTH = (
    "{kind: compare, growth_of: {signal: door_cycle_count, per: trip_count, each: 50}, past: 7d, above_times: 1.15,"
    " clear: 1.05, over: 3, at_least_days: 3}"
)


def counters(talk: Talk, openings_a_day: Sequence[int], reset: int = 0) -> list[Observation]:
    """Return counters told four times a day, with 200 trips a day; both begin anew on the day ``reset``."""
    said, trips, openings = [], 0, 0
    for day, per_day in enumerate(openings_a_day):
        trips, openings = (0, 0) if reset and day == reset else (trips, openings)
        for part in range(4):
            trips, openings = trips + 50, openings + per_day // 4
            said.append(talk.lift(day * DAY + part * 6 * 3_600, trip_count=trips, door_cycle_count=openings))
    return said


@pytest.mark.parametrize(
    ("openings", "reset", "expected"),
    [
        pytest.param([220] * 5 + [240] * 2, 0, [], id="a little more often"),
        pytest.param([220] * 5 + [280] * 2, 0, [5], id="a quarter more often"),
        pytest.param([220, 280], 0, [], id="nothing is known before three days"),
        pytest.param([220] * 7, 5, [], id="a new controller"),
    ],
)
def test_openings_for_each_trip_beside_their_own_past(openings: list[int], reset: int, expected: list[int]) -> None:
    said = counters(Talk(), openings, reset)
    fired = [at // DAY for at, kind in told(run([rule("elevator", GROWTH)], said)) if kind == "firing"]
    assert fired == expected
    assert told(run_restarting([rule("elevator", GROWTH)], said)) == told(run([rule("elevator", GROWTH)], said))


def test_growth_says_what_it_compares() -> None:
    firing = run([rule("elevator", GROWTH)], counters(Talk(), [220] * 5 + [280] * 2))[-1]
    assert "the median of 5 days before is 1.1" in firing.reason.en
    assert firing.reason.facts["door_cycle_count_per_trip_count"] == 1.4


def test_growth_of_counters_that_come_in_messages_of_their_own() -> None:
    said, talk = [], Talk()
    for one in counters(Talk(), [220] * 5 + [280] * 2):
        seconds = (one.at - instant(0)).total_seconds()
        assert isinstance(one.body, ElevatorTelemetry)
        said.append(talk.lift(seconds, door_cycle_count=one.body.door_cycle_count))
        said.append(talk.lift(seconds, trip_count=one.body.trip_count))
    expected = told(run([rule("elevator", GROWTH)], counters(Talk(), [220] * 5 + [280] * 2)))
    assert told(run([rule("elevator", GROWTH)], said)) == expected != []
    assert told(run_restarting([rule("elevator", GROWTH)], said)) == expected


def test_a_look_at_the_shutter_of_another_camera_says_nothing() -> None:
    talk = Talk()

    def other(at: float, celsius: float, *, shutter: bool) -> Observation:
        regions = [Region(region="a", maximum_celsius=celsius)]
        return talk.say(at, PEER, ThermalTelemetry(at=instant(at), shutter_closed=shutter, regions=regions))

    warmer = rule("thermal", "{kind: compare, signal: maximum_celsius, with: shed-2, above_by: 20}")
    said = [
        other(0, 50.0, shutter=False),
        talk.camera(1, a=55.0),
        other(2, 10.0, shutter=True),
        talk.camera(3, a=55.0),
        other(4, 10.0, shutter=False),
    ]
    assert told(run([warmer], said)) == [(4, "firing")]
