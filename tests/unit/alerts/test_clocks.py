"""Clocks of devices that are ahead, slow, set back or right, and messages that were stored: what counts as said now."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import clocks
from alerts.engine import Engine
from alerts.memory import DeviceState
from alerts.model import Transition, TransitionKind
from alerts.rules import Rule
from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import Entry, Observation
from core.wire import topics
from ingest.decoders.native import NativeDecoder
from tests.unit.alerts.by_level import rules_by_level
from tests.unit.alerts.talk import CAMERA, GATE, LIFT, instant, rule, run, run_restarting, told

DECODE = NativeDecoder(pseudonym_key=b"0123456789abcdef")
RULES = rules_by_level()
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
Said = tuple[float, float, DeviceKey, Channel, dict[str, Any]]
"""Seconds of arrival, how far the device's instant lies behind it, and what is said."""


def hot(received: float, behind: float = 0.0, celsius: float = 150.0) -> Said:
    body = {"regions": [{"region": "a", "maximum_celsius": celsius}]}
    return received, behind, CAMERA, Channel.TELEMETRY, body


def cold(received: float, behind: float = 0.0) -> Said:
    return hot(received, behind, 20.0)


def episode(received: float, behind: float = 0.0, kind: str = "episode_started") -> Said:
    body = {"type": kind, "level": "alarm", "region": "a", "episode": "e1"}
    return received, behind, CAMERA, Channel.EVENT, body


def duress(received: float, behind: float = 0.0) -> Said:
    return received, behind, GATE, Channel.EVENT, {"type": "duress"}


def granted(received: float, behind: float = 0.0) -> Said:
    return received, behind, GATE, Channel.EVENT, {"type": "granted"}


def pressed(received: float, behind: float = 0.0) -> Said:
    return received, behind, LIFT, Channel.EVENT, {"type": "alarm_pressed"}


def released(received: float, behind: float = 0.0) -> Said:
    return received, behind, LIFT, Channel.EVENT, {"type": "alarm_released"}


def trapped(received: float, behind: float = 0.0) -> Said:
    body = {"passenger_present": True, "door_state": "closed", "direction": "stopped", "door_zone": False}
    return received, behind, LIFT, Channel.TELEMETRY, {**body, "service_mode": "normal"}


def presence(received: float, status: str, device: DeviceKey, behind: float = 0.0) -> Said:
    return received, behind, device, Channel.PRESENCE, {"status": status}


def heard(said: Iterable[Said]) -> list[Observation]:
    """Return what a decoder makes of ``said``, in order of arrival."""
    found = []
    for position, (received, behind, device, channel, body) in enumerate(said, 1):
        payload = msgspec.json.encode({"at": instant(received - behind), **body})
        topic = topics.build(device, channel)
        decoded = DECODE(Entry(position, instant(received), topic, payload, len(payload)))
        assert isinstance(decoded, Observation), decoded
        found.append(decoded)
    return found


def firing(transitions: Iterable[Transition]) -> list[str]:
    return [one.rule for one in transitions if one.kind is TransitionKind.FIRING]


def every(seconds: float, times: int, said: Any, behind: float, *, begin: float = 0.0) -> list[Said]:
    return [said(begin + seconds * index, behind) for index in range(times)]


FIRE, HEAT, FAST = "thermal-alarm", "thermal-pre-alarm", "thermal-runaway"
HEARD = [cold(at) for at in range(0, 60, 2)]
AWAY = [presence(60, "offline", CAMERA)]
BACK = 30 * MINUTE
ALARMS: dict[str, tuple[list[Said], list[str]]] = {
    "one instant 298 s ahead": ([cold(0), cold(1, -298), *every(2, 10, hot, 0, begin=3)], [FIRE, HEAT]),
    "one instant 298 s ahead, then the network takes 2 s": (
        [cold(0), cold(1, -298), *every(2, 10, hot, 2, begin=3)],
        [FIRE, HEAT],
    ),
    "instants 200 s and 100 s ahead": ([cold(0, -200), *every(2, 10, hot, -100, begin=2)], [FIRE, HEAT]),
    "an episode after an event 298 s ahead": ([episode(0, -298, "episode_ended"), episode(2)], [FIRE]),
    "a camera 6 min slow from its first reading on": (every(2, 10, hot, 6 * MINUTE), [FIRE, HEAT]),
    "a camera a day slow": (every(2, 10, hot, DAY), [FIRE, HEAT]),
    "a camera whose clock becomes 6 min slow": ([*HEARD, *every(2, 10, hot, 6 * MINUTE, begin=60)], [FIRE, HEAT]),
    "a camera whose clock is set back by 4 min": ([*HEARD, *every(2, 10, hot, 4 * MINUTE, begin=60)], [FIRE, HEAT]),
    "a camera whose clock stood still while it was away": (
        [*HEARD, *AWAY, *every(2, 10, hot, 25 * MINUTE, begin=BACK)],
        [FIRE, HEAT],
    ),
    "an episode in doubt counts": ([*HEARD, *AWAY, episode(BACK, 20 * MINUTE)], [FIRE]),
    "a slow camera that was away": (
        [
            *every(10, 10, cold, 6 * MINUTE),
            presence(100, "offline", CAMERA),
            presence(BACK, "online", CAMERA, 6 * MINUTE),
            *every(2, 10, hot, 6 * MINUTE, begin=BACK + 1),
        ],
        [FIRE, HEAT],
    ),
    "a clock that is set right in the middle": (
        [*every(2, 2, hot, 6 * MINUTE), *every(2, 8, hot, 0, begin=4)],
        [FIRE, HEAT],
    ),
    "several readings a second, 6 min slow": (every(0.2, 80, hot, 6 * MINUTE), [FIRE, HEAT]),
    "duress 6 min slow": ([duress(0, 6 * MINUTE)], ["gate-duress"]),
    "duress of a gate that was set back by 4 min": ([granted(0), duress(MINUTE, 4 * MINUTE)], ["gate-duress"]),
    "duress of a gate whose clock was lost in a quiet hour": (
        [granted(0), granted(HOUR), duress(HOUR + 10 * MINUTE, 20 * MINUTE)],
        ["gate-duress"],
    ),
    "an alarm button a day slow": ([pressed(0, DAY)], ["car-alarm-button"]),
    "an alarm button of a clock never set": ([pressed(0, 50 * 365 * DAY)], ["car-alarm-button"]),
    "trapped, by a lift 6 min slow": (
        every(5, 30, trapped, 6 * MINUTE),
        ["trapped-passenger-suspected", "trapped-passenger"],
    ),
    "stored readings of the time of absence": (
        [*HEARD, *AWAY, *(hot(BACK + index / 1_000, (BACK - 90) - 150 * index) for index in range(10))],
        [],
    ),
    "stored readings after a silence nobody told of": (
        [*HEARD, *(hot(BACK + index / 1_000, BACK - 90 - 60 * index) for index in range(20))],
        [],
    ),
    "stored readings of every 2 s": (
        [*HEARD, *AWAY, *(hot(BACK + index / 1_000, BACK - 90 - 2 * index) for index in range(600))],
        [],
    ),
    "stored readings, twice as fast as real time": (
        [
            *HEARD,
            *AWAY,
            presence(BACK, "online", CAMERA),
            *(hot(BACK + index, BACK - 90 - index) for index in range(600)),
        ],
        [],
    ),
    "stored readings of a camera that is a day slow": (
        [
            *every(10, 10, cold, DAY),
            *(hot(BACK + index / 1_000, DAY + BACK - 120 - 60 * index) for index in range(20)),
        ],
        [],
    ),
    "stored readings among those of now": (
        [*HEARD, *AWAY, *(each for i in range(8) for each in (cold(BACK + 2 * i), hot(BACK + 2 * i + 0.5, 900)))],
        [],
    ),
    "a stored episode after the birth of a right clock": (
        [*HEARD, *AWAY, presence(BACK, "online", CAMERA), episode(BACK + 1, 20 * MINUTE)],
        [],
    ),
    "our own absence: the broker gives out what it kept": (
        [
            *HEARD,
            *(hot(BACK + index / 1_000, BACK - 60 - 2 * index) for index in range(300)),
            *(hot(BACK + 0.3 + index / 1_000, BACK - 660 - 2 * index) for index in range(400)),
        ],
        [],
    ),
}


@pytest.mark.parametrize(("said", "expected"), ALARMS.values(), ids=ALARMS)
def test_what_counts_when_silence_would_cost_a_life(said: list[Said], expected: list[str]) -> None:
    observations = heard(said)
    until = (observations[-1].received_at - instant(0)).total_seconds() + 10
    kept = [each for each in RULES if each.by_arrival or each.protected or each.id in ("gate-duress", FIRE)]
    # What is told of the time of absence, as that, is `test_late`'s.
    transitions = [one for one in run(kept, observations, until) if one.reason.code != "late"]
    assert sorted(name for name in firing(transitions) if name != FAST) == sorted(expected)


@pytest.mark.parametrize(("said", "expected"), ALARMS.values(), ids=ALARMS)
def test_started_anew_after_every_message_it_decides_the_same(said: list[Said], expected: list[str]) -> None:
    observations = heard(said if len(said) < 100 else [*said[:60], *said[-40:]])
    assert run_restarting(RULES, observations) == run(RULES, observations)


def test_the_alert_says_that_the_clock_is_wrong() -> None:
    (fired,) = [one for one in run(RULES, heard([pressed(0, DAY)])) if one.kind is TransitionKind.FIRING]
    assert fired.reason.zh.endswith("（设备时钟慢 1 天，按收到时间处理，请校时）")
    assert fired.reason.en.endswith("(the device's clock is 1 d slow: taken by its arrival; set that clock)")
    assert fired.reason.facts["clock_skew_seconds"] == -DAY
    fires = run([each for each in RULES if each.id == FIRE], heard(every(2, 3, hot, 6 * MINUTE)))
    assert "6 min slow" in fires[-1].reason.en
    plain = run([each for each in RULES if each.id == FIRE], heard(every(2, 3, hot, 0)))
    assert "clock" not in plain[-1].reason.en


def test_other_rules_do_not_see_what_is_late() -> None:
    offered = rule("thermal", "{kind: threshold, signal: maximum_celsius, above: 56}")
    wanted = rule("thermal", "{kind: threshold, signal: maximum_celsius, above: 56}", "by_arrival: true")
    said = heard(every(2, 5, hot, 6 * MINUTE))
    assert told(run([offered], said)) == []
    assert told(run([wanted], said)) == [(0, "firing")]


def test_a_critical_rule_may_leave_it() -> None:
    left = rule("gate", "{kind: event, types: [duress], resolve_after: 30m}", "by_arrival: false", severity="critical")
    assert told(run([left], heard([duress(0, 6 * MINUTE)]))) == []


def test_an_alert_that_fired_in_doubt_stays() -> None:
    said = [*HEARD, *AWAY, episode(BACK, 20 * MINUTE), cold(BACK + 1), cold(BACK + 2)]
    assert firing(run([each for each in RULES if each.id == FIRE], heard(said))) == [FIRE]


def doors_open(received: float, behind: float = 0.0) -> Said:
    return received, behind, LIFT, Channel.TELEMETRY, {"door_state": "open", "door_zone": True, "direction": "stopped"}


def lives(rules: Iterable[Rule], said: Iterable[Said]) -> list[tuple[float, str]]:
    return told(run(rules, heard(said), 2 * HOUR))


_NOT_OPEN = "{kind: state, signal: door_state, not_in: [open]}"


def test_what_a_stored_message_ended_in_doubt_is_raised_again_where_it_still_holds() -> None:
    freed_in_doubt = [presence(110, "offline", LIFT), doors_open(1_000, 600)]
    said = [*every(5, 20, trapped, 0), *freed_in_doubt, *every(5, 20, trapped, 0, begin=1_010), doors_open(1_300)]
    shut = "{kind: all_of, of: [{kind: state, signal: passenger_present, equals: true}, " + _NOT_OPEN + "]}"
    ends = "clears_when: {kind: state, signal: door_state, equals: open}"
    rules = [rule("elevator", shut, f"for: 60s\n{ends}\nprotected: true", severity="critical")]
    expected = [(60, "firing"), (1_000, "resolved"), (1_070, "firing"), (1_300, "resolved")]
    assert lives(rules, said) == expected
    again = [*said, *every(5, 20, trapped, 0, begin=1_400)]
    assert lives(rules, again) == [*expected, (1_460, "firing")]


def test_what_a_rule_takes_late_is_not_taken_back() -> None:
    said = [pressed(0), presence(10, "offline", LIFT), released(1_000, 600), trapped(1_001), pressed(1_100)]
    button = [each for each in RULES if each.id == "car-alarm-button"]
    assert lives(button, said)[:3] == [(0, "firing"), (1_000, "resolved"), (1_100, "firing")]


def test_an_alert_that_ended_in_doubt_stays_so_and_the_next_press_is_an_alert() -> None:
    said = [pressed(0), released(4, HOUR), pressed(6), released(8)]
    button = [one for one in run(RULES, heard(said)) if one.rule == "car-alarm-button"]
    happened = [one.kind for one in button if one.kind is not TransitionKind.PENDING]
    assert happened == [TransitionKind.FIRING, TransitionKind.RESOLVED] * 2
    assert len({one.alert_id for one in button}) == 2


SKEWS: dict[str, tuple[list[Said], float | None]] = {
    "right": (every(10, 20, cold, 1), None),
    "late within five minutes": (every(10, 20, cold, 250), None),
    "ahead by seconds": (every(10, 20, cold, -30), None),
    "slow": (every(10, 20, cold, 400), -400),
    "a day slow": (every(10, 20, cold, DAY), -DAY),
    "ahead, and believed": (every(10, 20, cold, -100), 100),
    "far ahead": (every(10, 20, cold, -HOUR), HOUR),
    "never set": (every(10, 20, cold, 50 * 365 * DAY), -50 * 365 * DAY),
    "slow for half a minute only": (every(10, 4, cold, 400), None),
    "two messages are no rule": ([cold(0, 400), cold(100, 400)], None),
    "slow, then right": ([*every(10, 20, cold, 400), *every(10, 10, cold, 0, begin=200)], None),
    "slow, then once right": ([*every(10, 20, cold, 400), cold(200)], -400),
    "stored": ([*HEARD, *(cold(BACK + i / 1_000, BACK - 60 - 2 * i) for i in range(600))], None),
}


@pytest.mark.parametrize(("said", "expected"), SKEWS.values(), ids=SKEWS)
def test_a_clock_that_is_steadily_wrong_is_known(said: list[Said], expected: float | None) -> None:
    engine = Engine([])
    stored: dict[str, bytes] = {}
    for observation in heard(said):
        engine.observe(observation)
        stored |= {path: state for path, state in engine.dirty().items() if state is not None}
    again = Engine([])
    again.restore(stored)
    for each in (engine, again):
        known = {device: -lag / 1_000_000 for device, lag in each.wrong_clocks.items()}
        assert known == ({} if expected is None else {CAMERA: expected})


def test_what_is_told_of_wrong_clocks_names_by_how_much_and_what_to_do() -> None:
    told = clocks.problems({CAMERA: 360_000_000, GATE: -7_200_000_000})
    assert list(told) == [f"device-clock/{CAMERA.path}", f"device-clock/{GATE.path}"]
    assert "慢 6 分钟" in told[f"device-clock/{CAMERA.path}"]
    assert "6 min slow: set it" in told[f"device-clock/{CAMERA.path}"]
    assert "2 h fast" in told[f"device-clock/{GATE.path}"]


def test_a_community_of_wrong_clocks_is_told_as_fifty_and_one() -> None:
    wrong = {DeviceKey("estate", DeviceKind.GATE, f"g{index}"): 400_000_000 for index in range(5_000)}
    told = clocks.problems({**wrong, GATE: 400_000_000})
    assert len(told) == clocks.NAMED_AT_MOST + 2
    assert "4950" in told["device-clock/estate/system/clocks"]


def test_nothing_is_remembered_of_a_clock_that_is_right() -> None:
    engine = Engine(RULES)
    for observation in heard([cold(at) for at in range(0, 200, 10)]):
        engine.observe(observation)
    (state,) = [each for each in engine.dirty().values() if each is not None]
    assert msgspec.msgpack.decode(state, type=DeviceState).track is None


def test_newest_is_never_beyond_an_arrival() -> None:
    assert clocks.moved(None, instant(298), instant(0)) == instant(-298)
    assert clocks.moved(instant(-2), instant(1), instant(0)) == instant(-1)
    assert clocks.moved(instant(-1), instant(2), instant(0)) == instant(-1)
    assert clocks.moved(instant(-1), instant(-1), instant(0)) == instant(-1)


def test_our_own_clock_set_to_and_fro_proves_no_message_stored() -> None:
    # The lift's clock is right; ours is two hours ahead, then right, then ahead again.
    said = [pressed(10, 2 * HOUR), released(18), pressed(36, 2 * HOUR)]
    shifted = []
    for each, (_, behind, *_) in zip(heard(said), said, strict=True):
        by = timedelta(seconds=behind)
        at, received_at = each.at + by, each.received_at + by
        ahead = by // timedelta(microseconds=1)
        shifted.append(msgspec.structs.replace(each, at=at, received_at=received_at, wall_ahead=ahead))
    condition = "{kind: event, types: [alarm_pressed], clears_on: [alarm_released]}"
    button = [rule("elevator", condition, "late: accept\nmax_late: 1d\nby_arrival: true")]
    for answers in (run(button, shifted), run_restarting(button, shifted)):
        assert [kind for _, kind in told(answers)] == ["firing", "resolved", "firing"]


def test_our_own_clock_set_back_makes_no_message_old() -> None:
    said = [*HEARD, *every(2, 10, hot, 0, begin=-2 * HOUR)]
    assert FIRE in firing(run(RULES, heard(said), 200))


def test_the_rate_of_a_camera_survives_an_instant_ahead() -> None:
    rising = [cold(float(at)) for at in range(0, 60, 2)] + [cold(60, -298)]
    rising += [hot(62.0 + 2 * index, 0, 20.0 + index) for index in range(20)]
    rate = rule("thermal", "{kind: rate, signal: maximum_celsius, above: 4, window: 20s}")
    assert told(run([rate], heard(rising)))[0][0] < 80


story = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 2.0, 5.0, 10.0, 30.0, 60.0, 400.0, 4_000.0]),
        st.sampled_from(
            [
                hot,
                cold,
                episode,
                lambda at, behind: episode(at, behind, "episode_ended"),
                duress,
                pressed,
                lambda at, behind: (at, behind, LIFT, Channel.EVENT, {"type": "alarm_released"}),
                trapped,
                lambda at, behind: (at, behind, LIFT, Channel.TELEMETRY, {"door_state": "open", "door_zone": True}),
                lambda at, behind: presence(at, "online", LIFT, behind),
                lambda at, behind: presence(at, "offline", CAMERA, behind),
                lambda at, behind: presence(at, "online", CAMERA, behind),
            ]
        ),
    ),
    min_size=1,
    max_size=40,
)


def safety(steps: Sequence[tuple[float, Any]], behind: float, rules: list[Rule]) -> list[tuple[str, str, object]]:
    said, at = [], 0.0
    for since, say in steps:
        at += since
        said.append(say(at, behind))
    transitions = run(rules, heard(said), at + DAY)
    return [(one.rule, one.kind.value, one.at) for one in transitions]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story, st.floats(-2 * DAY, 400 * DAY) | st.floats(-400, 400))
def test_whatever_a_clock_shows_safety_alerts_are_those_of_a_right_one(
    steps: list[tuple[float, Any]], behind: float
) -> None:
    rules = [msgspec.structs.replace(each, by_arrival=True) for each in RULES if each.protected or each.by_arrival]
    rules += [each for each in RULES if each.id == "gate-duress"]
    assert safety(steps, behind, rules) == safety(steps, 0.0, rules)
