"""What happened in a gap of the link and arrives late: told once, with its instant, by an alert of its own."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from alerts.engine import Engine
from alerts.live import LiveView
from alerts.model import Transition, TransitionKind
from alerts.rules import Rule
from core.devices import Channel, DeviceKey
from core.observations import Observation
from tests.unit.alerts.by_level import rules_by_level
from tests.unit.alerts.talk import CAMERA, GATE, LIFT, instant, rule, run, run_restarting, told
from tests.unit.alerts.test_clocks import Said, heard, presence

RULES = rules_by_level()
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
BACK = 30 * MINUTE
"""When the link is back; the device was heard until a minute after the start (15:00 in Shanghai)."""
GATHERED = BACK + 5
TWELVE = 12 * MINUTE
"""15:18 by the device."""


def event(received: float, device: DeviceKey, behind: float = 0.0, /, **fields: Any) -> Said:
    return received, behind, device, Channel.EVENT, fields


def gate(received: float, kind: str, behind: float = 0.0, door: str = "1") -> Said:
    return event(received, GATE, behind, type=kind, door=door)


def lift(received: float, kind: str, behind: float = 0.0, **fields: Any) -> Said:
    return event(received, LIFT, behind, type=kind, **fields)


def fault(received: float, code: str, behind: float = 0.0, kind: str = "fault_raised") -> Said:
    return lift(received, kind, behind, source="gbt24476-2017", code=code)


def fire(
    received: float, behind: float = 0.0, level: str = "alarm", kind: str = "episode_started", **more: Any
) -> Said:
    return event(received, CAMERA, behind, type=kind, level=level, region="a", **{"episode": "e1", **more})


def look(received: float, behind: float, celsius: float) -> Said:
    body = {"regions": [{"region": "a", "maximum_celsius": celsius}]}
    return received, behind, CAMERA, Channel.TELEMETRY, body


def standing(received: float, **signals: Any) -> Said:
    return received, 0.0, LIFT, Channel.TELEMETRY, signals


def gap(device: DeviceKey) -> list[Said]:
    """Return an absence of which the broker tells: what is late after it is proven to have been stored."""
    return [presence(0, "online", device), presence(MINUTE, "offline", device), presence(BACK, "online", device)]


def decided(said: Iterable[Said], rules: list[Rule] = RULES, until: float = 2 * DAY) -> list[Transition]:
    """Return what is decided, the same with a restart after every message; *offline* alerts are left out."""
    observations = heard(said)
    transitions = run(rules, observations, until)
    assert run_restarting(rules, observations, until) == transitions
    return [each for each in transitions if "offline" not in each.rule and each.kind is not TransitionKind.PENDING]


def firing(transitions: Iterable[Transition]) -> list[tuple[str, float, str]]:
    fired = [each for each in transitions if each.kind is TransitionKind.FIRING]
    return [(each.rule, (each.at - instant(0)).total_seconds(), each.severity.value) for each in fired]


# A gate forced open counts after this.
FORCED_FOR = 10.0
VITAL: dict[str, tuple[Said, tuple[str, str]]] = {
    "forced entry": (gate(BACK, "forced_open", TWELVE), ("gate-forced-open", "major")),
    "duress": (gate(BACK, "duress", TWELVE), ("gate-duress", "critical")),
    "tamper": (gate(BACK, "tamper", TWELVE), ("gate-tamper", "major")),
    "a camera's own alarm": (fire(BACK, TWELVE), ("thermal-alarm", "critical")),
    "a camera's own pre-alarm": (fire(BACK, TWELVE, "pre_alarm"), ("thermal-pre-alarm", "minor")),
    "stopped outside the unlocking zone": (fault(BACK, "4", TWELVE), ("stopped-outside-door-zone", "major")),
    "trapped by the controller's word": (fault(BACK, "93", TWELVE), ("trapped-passenger", "critical")),
    "a critical fault": (fault(BACK, "5", TWELVE), ("fault-critical", "major")),
    "an alarm press": (lift(BACK, "alarm_pressed", TWELVE), ("car-alarm-button", "critical")),
    "an e-bike": (lift(BACK, "ebike_detected", TWELVE), ("ebike-in-car", "minor")),
}


@pytest.mark.parametrize(("late", "expected"), VITAL.values(), ids=VITAL)
def test_what_was_stored_in_a_gap_is_told_with_its_instant(late: Said, expected: tuple[str, str]) -> None:
    transitions = decided([*gap(late[2]), late])
    assert firing(transitions) == [(expected[0], GATHERED, expected[1])]
    (fired,) = [each for each in transitions if each.kind is TransitionKind.FIRING]
    assert fired.reason.code == "late"
    assert "发生于 15:18，刚刚收到" in fired.reason.zh
    assert "happened at 15:18, received just now" in fired.reason.en
    assert fired.reason.facts["happened_at"] == "2026-08-14T07:18:00+00:00"


@pytest.mark.parametrize(("late", "expected"), VITAL.values(), ids=VITAL)
def test_a_redelivery_and_a_replay_of_history_add_nothing(late: Said, expected: tuple[str, str]) -> None:
    received, behind, device, channel, body = late
    later = [presence(5 * HOUR, "offline", device), presence(6 * HOUR, "online", device)]
    replayed = [(6 * HOUR + each, 6 * HOUR + each - received + behind, device, channel, body) for each in (1.0, 2.0)]
    said = [*gap(device), late, (received + 1, behind + 1, device, channel, body), *later, *replayed]
    assert [each[0] for each in firing(decided(said))] == [expected[0]]


@pytest.mark.parametrize(("late", "expected"), VITAL.values(), ids=VITAL)
def test_what_was_told_live_is_not_told_again_as_late(late: Said, expected: tuple[str, str]) -> None:
    _, _, device, channel, body = late
    live = (30.0, 0.0, device, channel, body)
    again = (BACK, BACK - 30, device, channel, body)
    fired = firing(decided([presence(0, "online", device), live, *gap(device)[1:], again]))
    waits = FORCED_FOR if expected[0] == "gate-forced-open" else 0.0
    assert [each[:2] for each in fired] == [(expected[0], 30.0 + waits)]


ENDED: dict[str, tuple[Said, Said, str]] = {
    "forced entry": (gate(BACK, "forced_open", TWELVE), gate(BACK, "door_closed", 600), "minor"),
    "tamper": (gate(BACK, "tamper", TWELVE), gate(BACK, "tamper_cleared", 600), "minor"),
    "a camera's own alarm": (fire(BACK, TWELVE), fire(BACK, 600, kind="episode_ended"), "major"),
    "stopped outside the unlocking zone": (fault(BACK, "4", TWELVE), fault(BACK, "4", 600, "fault_cleared"), "minor"),
    "an alarm press": (lift(BACK, "alarm_pressed", TWELVE), lift(BACK, "alarm_released", 600), "major"),
    "an e-bike": (lift(BACK, "ebike_detected", TWELVE), lift(BACK, "ebike_cleared", 600), "info"),
}


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("late", "end", "severity"), ENDED.values(), ids=ENDED)
def test_what_is_over_is_told_as_past_and_less_severe(late: Said, end: Said, severity: str, backwards: bool) -> None:
    transitions = decided([*gap(late[2]), *([end, late] if backwards else [late, end])])
    fired, resolved = transitions
    assert (fired.kind, fired.severity.value) == (TransitionKind.FIRING, severity)
    assert ("发生于 15:18，最迟于 15:20 已结束" if backwards else "发生于 15:18，已于 15:20 结束") in fired.reason.zh
    assert "ended_at" in fired.reason.facts
    # It stays for as long as any plan waits before it tells.
    assert (resolved.kind, (resolved.at - fired.at).total_seconds()) == (TransitionKind.RESOLVED, 595)


def test_an_end_that_follows_makes_it_less_severe_and_ends_it() -> None:
    lasting = [*gap(GATE), gate(BACK, "forced_open", TWELVE)]
    soon, late = gate(BACK + MINUTE, "door_closed"), gate(BACK + HOUR, "door_closed")
    expected = [(GATHERED, "firing"), (BACK + MINUTE, "severity_changed"), (BACK + 600, "resolved")]
    assert told(decided([*lasting, soon])) == expected
    assert told(decided([*lasting, late])) == [(GATHERED, "firing"), (BACK + HOUR, "resolved")]
    assert "已于 15:31 结束" in decided([*lasting, soon])[1].reason.zh


def test_another_fault_of_that_kind_does_not_end_it() -> None:
    said = [*gap(LIFT), fault(BACK, "4", TWELVE), fault(BACK, "5", 600, "fault_cleared")]
    assert [kind for _, kind in told(decided(said, until=BACK + HOUR))] == ["firing"]


def all_cleared(received: float, behind: float = 0.0, source: str = "gbt24476-2017") -> Said:
    return lift(received, "faults_cleared", behind, source=source)


@pytest.mark.parametrize("backwards", [False, True])
def test_the_end_of_all_faults_of_a_source_ends_a_late_one(backwards: bool) -> None:
    raised, cleared = fault(BACK, "4", TWELVE), all_cleared(BACK, 600)
    fired, _ = decided([*gap(LIFT), *([cleared, raised] if backwards else [raised, cleared])])
    assert fired.severity.value == "minor"
    assert fired.reason.facts["ended_at"] == "2026-08-14T07:20:00+00:00"
    (other,) = decided([*gap(LIFT), raised, all_cleared(BACK, 600, "eleon")], until=BACK + HOUR)
    assert other.severity.value == "major"


def test_a_late_fault_after_the_end_of_all_faults_is_another_one() -> None:
    live = [presence(0, "online", LIFT), fault(10, "5"), all_cleared(20)]
    fired = firing(decided([*live, *gap(LIFT)[1:], fault(BACK, "5", TWELVE)]))
    assert fired == [("fault-critical", 10, "critical"), ("fault-critical", GATHERED, "major")]


def test_a_late_fault_long_after_one_whose_end_never_came_is_another_one() -> None:
    condition = "{kind: event, types: [fault_raised], clears_on: [fault_cleared], resolve_after: 10m}"
    rules = [rule("elevator", condition, "late: tell\nmax_late: 24h")]
    live = [presence(0, "online", LIFT), fault(10, "1"), *gap(LIFT)[1:]]
    assert [each[1] for each in firing(decided([*live, fault(BACK, "1", TWELVE)], rules))] == [10, GATHERED]
    # Within that time it is the same one, told again.
    assert [each[1] for each in firing(decided([*live, fault(BACK, "1", BACK - 300)], rules))] == [10]


def test_the_late_end_of_what_is_open_ends_it() -> None:
    opened = [presence(0, "online", GATE), gate(30, "forced_open"), *gap(GATE)[1:]]
    assert told(decided([*opened, gate(BACK, "door_closed", TWELVE)])) == [(40, "firing"), (BACK, "resolved")]
    # One that is older than what it would end belongs to something before.
    assert told(decided([*opened, gate(BACK, "door_closed", BACK - 10)], until=BACK + 60)) == [(40, "firing")]


def test_the_late_end_of_a_fault_tells_nothing_of_the_mode_of_now() -> None:
    somebody = "{kind: state, signal: passenger_present, equals: true}"
    unattended = "{kind: state, signal: service_mode, not_in: [inspection]}"
    rules = [rule("elevator", f"{{kind: all_of, of: [{somebody}, {unattended}]}}", "for: 60s")]
    ended: dict[str, Any] = {"source": "gbt24476-2017", "code": "93", "service_mode": "inspection"}
    seen = [standing(BACK + at, passenger_present=True) for at in range(1, 80, 5)]
    late = lift(BACK, "fault_cleared", TWELVE, **ended)
    assert [each[:2] for each in firing(decided([*gap(LIFT), late, *seen], rules))] == [("r", BACK + 61)]
    # Said now, it counts.
    assert firing(decided([*gap(LIFT), lift(BACK, "fault_cleared", **ended), *seen], rules)) == []


def test_one_burst_is_one_alert_that_names_the_last_of_it() -> None:
    burst = [gate(BACK + each / 10, "duress", TWELVE - 60 * each) for each in range(5)]
    (fired, _) = decided([*gap(GATE), *burst])
    assert fired.reason.facts["happenings"] == 5
    assert "15:22，刚刚收到；此前还有 2 次" in fired.reason.zh
    assert "received just now; and 2 before" in fired.reason.en


def test_different_events_of_one_instant_are_both_told() -> None:
    rules = [rule("gate", "{kind: event, types: [duress, tamper], resolve_after: 1h}", "late: tell\nmax_late: 24h")]
    (fired, _) = decided([*gap(GATE), gate(BACK, "duress", TWELVE), gate(BACK, "tamper", TWELVE)], rules)
    assert fired.reason.facts["happenings"] == 2


def test_one_more_after_it_was_told_is_told_as_repeated() -> None:
    said = [*gap(GATE), gate(BACK, "duress", TWELVE), gate(BACK + 20, "duress", 600)]
    assert told(decided(said, until=BACK + 60)) == [(GATHERED, "firing"), (BACK + 20, "repeated")]
    other_door = [*gap(GATE), gate(BACK, "tamper", TWELVE), gate(BACK + 20, "tamper", 600, door="2")]
    transitions = decided(other_door, until=BACK + 60)
    assert told(transitions) == [(GATHERED, "firing"), (BACK + 25, "repeated")]
    assert transitions[1].reason.zh == "又有一处：门 2：防拆报警，发生于 15:20，刚刚收到"


def test_what_happened_on_another_day_is_told_with_its_date_and_after_a_day_not_at_all() -> None:
    late = 20 * HOUR
    back = [presence(0, "online", GATE), presence(MINUTE, "offline", GATE), presence(25 * HOUR, "online", GATE)]
    (fired,) = decided([*back, gate(25 * HOUR, "forced_open", late)], until=26 * HOUR)
    assert "发生于 08-14 20:00" in fired.reason.zh
    assert decided([*back, gate(25 * HOUR, "forced_open", 24.5 * HOUR)], until=26 * HOUR) == []


def test_without_a_word_of_the_broker_what_came_late_is_told_as_well() -> None:
    said = [gate(0, "granted"), gate(BACK, "forced_open", TWELVE), gate(BACK, "tamper", 600)]
    assert sorted(firing(decided(said))) == [
        ("gate-forced-open", GATHERED, "major"),
        ("gate-tamper", GATHERED, "major"),
    ]


def test_a_clock_known_to_be_slow_makes_nothing_late() -> None:
    slow = [gate(60 * each, "granted", TWELVE) for each in range(5)]
    (fired,) = decided([*slow, gate(400, "tamper", TWELVE)], until=HOUR)
    assert (fired.reason.code, fired.at) == ("event", instant(400))
    assert "12 min slow" in fired.reason.en


REORDERED: dict[str, tuple[list[Said], list[tuple[str, float, str]]]] = {
    "duress a second behind a younger event, after a gap": (
        [*gap(GATE), gate(BACK + 2, "granted"), gate(BACK + 2, "duress", 1)],
        [("gate-duress", BACK + 2, "critical")],
    ),
    "forced entry a second behind": (
        [gate(0, "granted"), gate(0.1, "forced_open", 1)],
        [("gate-forced-open", 0.1 + FORCED_FOR, "major")],
    ),
    "forced entry a minute behind": (
        [gate(0, "granted"), gate(0.1, "forced_open", 60)],
        [("gate-forced-open", 0.1 + FORCED_FOR, "major")],
    ),
    "forced entry behind its own end": (
        [gate(0, "door_closed"), gate(0.1, "forced_open", 1)],
        [("gate-forced-open", 5.1, "minor")],
    ),
    "forced entry a second behind the closing of another door": (
        [gate(0, "door_closed"), gate(0.1, "forced_open", 1, door="2")],
        [("gate-forced-open", 0.1 + FORCED_FOR, "major")],
    ),
    "a reader's fault a second behind": (
        [gate(0, "granted"), gate(0.1, "reader_fault", 1)],
        [("gate-reader-fault", 60.1, "minor")],
    ),
    "a reader's fault behind its own end": ([gate(0, "reader_fault_cleared"), gate(0.1, "reader_fault", 1)], []),
    "a fault behind its own end": ([fault(0, "2", kind="fault_cleared"), fault(0.1, "2", 1)], []),
    "a stored press older than a younger event of now": (
        [*gap(LIFT), lift(BACK + 1, "alarm_released"), lift(BACK + 2, "alarm_pressed", TWELVE)],
        [("car-alarm-button", BACK + 7, "major")],
    ),
    "a stored press older than a press of now": (
        [*gap(LIFT), lift(BACK + 1, "alarm_pressed"), lift(BACK + 2, "alarm_pressed", TWELVE)],
        [("car-alarm-button", BACK + 1, "critical"), ("car-alarm-button", BACK + 7, "critical")],
    ),
}


@pytest.mark.parametrize(("said", "expected"), REORDERED.values(), ids=REORDERED)
def test_events_are_judged_by_what_they_are(said: list[Said], expected: list[tuple[str, float, str]]) -> None:
    assert firing(decided(said, until=BACK + HOUR)) == expected


def burst(celsius: Iterable[float], again: float = 0.0) -> list[Said]:
    """Return readings of every 2 s from 20 min before the return on, sent within a second of it, or ``again`` later."""
    begin = 20 * MINUTE + again
    return [look(BACK + again + index / 1_000, begin - 2 * index, each) for index, each in enumerate(celsius)]


FIRE, HEAT = "thermal-alarm", "thermal-pre-alarm"
SERIES: dict[str, tuple[list[float], list[tuple[str, str]]]] = {
    "a fire that is over": ([20.0] * 50 + [70.0] * 60 + [20.0] * 50, [(FIRE, "major"), (HEAT, "info")]),
    "a fire that goes on": ([20.0] * 50 + [70.0] * 60, [(FIRE, "critical"), (HEAT, "minor")]),
    "a hot motor that only warns": ([20.0] * 50 + [45.0] * 60 + [20.0] * 50, [(HEAT, "info")]),
    "a glint": ([20.0] * 50 + [70.0] + [20.0] * 50, []),
    "nothing": ([20.0] * 150, []),
}


@pytest.mark.parametrize(("celsius", "expected"), SERIES.values(), ids=SERIES)
def test_stored_readings_are_evaluated_as_a_series_of_their_own(
    celsius: list[float], expected: list[tuple[str, str]]
) -> None:
    rules = [each for each in RULES if each.id in (FIRE, HEAT)]
    said = [presence(0, "online", CAMERA), look(30, 0, 20.0), *gap(CAMERA)[1:], *burst(celsius)]
    fired = firing(decided(said, rules, until=BACK + 60))
    assert sorted((name, severity) for name, _, severity in fired) == sorted(expected)
    replayed = burst(celsius, again=HOUR)
    again = [presence(BACK + HOUR - 600, "offline", CAMERA), presence(BACK + HOUR, "online", CAMERA), *replayed]
    again.append(look(BACK + HOUR + 2, 0, 20.0))
    assert firing(decided([*said, *again], rules, until=BACK + 2 * HOUR)) == fired


def test_a_late_fire_of_which_the_camera_shows_nothing_now_is_over() -> None:
    rules = [each for each in RULES if each.id == FIRE]
    said = [presence(0, "online", CAMERA), *gap(CAMERA)[1:], *burst([20.0] * 50 + [70.0] * 60)]
    cold = [look(BACK + at, 0, 20.0) for at in (10, 30, 70, 80)]
    transitions = decided([*said, *cold], rules, until=BACK + HOUR)
    assert [kind for _, kind in told(transitions)] == ["firing", "severity_changed", "resolved"]
    assert "最迟于 15:31 已结束" in transitions[1].reason.zh


MEDIAN = "{kind: threshold, signal: maximum_celsius, above: 56, clear: 53, median_of: 3}"
RATE = "{kind: rate, signal: maximum_celsius, above: 4, clear: 2, window: 2m}"


@pytest.mark.parametrize(("condition", "slope"), [(MEDIAN, 0.0), (RATE, 0.5)], ids=["median", "rate"])
def test_a_late_fire_that_the_camera_still_shows_is_not_over(condition: str, slope: float) -> None:
    rules = [rule("thermal", condition, "late: tell\nmax_late: 24h\nlate_readings: true")]
    stored = burst([70.0 + slope * index for index in range(60)])
    burning = [look(BACK + at, 0, 100.0 + slope * at) for at in range(70, 300, 2)]
    said = [presence(0, "online", CAMERA), *gap(CAMERA)[1:], *stored]
    transitions = decided([*said, *burning], rules, until=BACK + 299)
    assert {each.kind for each in transitions} == {TransitionKind.FIRING}
    cold = [look(BACK + at, 0, 20.0) for at in range(300, 600, 2)]
    over = decided([*said, *burning, *cold], rules, until=BACK + HOUR)
    assert TransitionKind.SEVERITY_CHANGED in {each.kind for each in over}


def test_a_long_burst_is_one_fire_though_the_camera_tells_of_now_in_between() -> None:
    rules = [each for each in RULES if each.id == FIRE]
    stored = [look(BACK + index / 2, 25 * MINUTE - 1.5 * index, 80.0) for index in range(400)]
    live = [look(BACK + 0.2 + 10 * index, 0, 25.0) for index in range(40)]
    said = [presence(0, "online", CAMERA), *gap(CAMERA)[1:], *sorted([*stored, *live], key=lambda each: each[0])]
    transitions = decided(said, rules, until=BACK + HOUR)
    assert [kind for _, kind in told(transitions)] == ["firing", "severity_changed", "resolved"]
    assert transitions[1].at > instant(BACK + 200 + MINUTE - 1)


def test_a_late_passenger_is_out_when_the_car_stands_at_level_with_its_door_open() -> None:
    said = [*gap(LIFT), fault(BACK, "93", TWELVE), standing(BACK + MINUTE, door_zone=True, door_state="open")]
    assert told(decided(said)) == [(GATHERED, "firing"), (BACK + MINUTE, "resolved")]


def test_the_live_view_and_the_alert_of_now_stay_as_they_are() -> None:
    said = heard([*gap(GATE), gate(BACK + 1, "door_closed"), gate(BACK + 2, "forced_open", TWELVE)])
    view, engine = LiveView(), Engine(RULES)
    for observation in said:
        engine.observe(observation)
        view.observe(engine.judged or observation)
    (seen,) = [sighting for sighting, _ in view.changed()]
    assert b"door_closed" in seen.latest
    assert b"forced_open" not in seen.latest


def test_an_alert_of_what_was_late_ends_with_its_rule() -> None:
    engine = Engine(RULES)
    for observation in heard([*gap(GATE), gate(BACK, "forced_open", TWELVE), gate(BACK + 6, "granted")]):
        engine.observe(observation)
    engine.replace_rules([])
    (ended,) = [each for each in engine.advance(instant(BACK + 60)) if each.kind is TransitionKind.RESOLVED]
    assert (ended.rule, ended.reason.code) == ("gate-forced-open", "rule_removed")


def test_hours_are_those_of_the_event() -> None:
    hours = "schedule: {hours: ['15:10-15:20']}"
    offered = "{kind: event, types: [forced_open], resolve_after: 10m}"
    rules = [rule("gate", offered, f"late: tell\nmax_late: 24h\n{hours}")]
    assert firing(decided([*gap(GATE), gate(BACK, "forced_open", TWELVE)], rules, BACK + 60)) == [
        ("r", GATHERED, "major")
    ]
    assert firing(decided([*gap(GATE), gate(BACK, "forced_open", 300.5)], rules, BACK + 60)) == []


def test_files_of_before_mean_what_they_meant() -> None:
    condition = "{kind: event, types: [forced_open], clears_on: [door_closed]}"
    late = [*gap(GATE), gate(BACK, "forced_open", TWELVE)]
    assert decided(late, [rule("gate", condition)]) == []
    (fired,) = decided(late, [rule("gate", condition, "late: accept\nmax_late: 2h")])
    assert (fired.at, fired.reason.code) == (instant(BACK), "event")


steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.1, 1.0, 7.0, 400.0, 4_000.0]),
        st.sampled_from([0.0, 1.0, 30.0, 400.0, 720.0, 7_200.0]),
        st.sampled_from(["forced_open", "door_closed", "duress", "tamper", "tamper_cleared", "granted", "on", "off"]),
    ),
    min_size=1,
    max_size=40,
)


def story(drawn: list[tuple[float, float, str]]) -> list[Observation]:
    said, at = [], 0.0
    for since, behind, kind in drawn:
        at += since
        if kind in ("on", "off"):
            said.append(presence(at, "online" if kind == "on" else "offline", GATE))
        else:
            said.append(gate(at, kind, behind))
    return heard(said)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_each_vital_event_is_told_and_history_told_twice_adds_nothing(drawn: list[tuple[float, float, str]]) -> None:
    observations = story(drawn)
    end = (observations[-1].received_at - instant(0)).total_seconds()
    # A gate counts as forced open after a while; one that is shut at once would not be told.
    rules = [structs.replace(each, lasting=None) if each.id == "gate-forced-open" else each for each in RULES]
    transitions = run(rules, observations, end + 10)
    raised = {each.rule for each in transitions if each.kind is TransitionKind.FIRING}
    kinds = {"forced_open": "gate-forced-open", "duress": "gate-duress", "tamper": "gate-tamper"}
    assert {kinds[kind] for _, _, kind in drawn if kind in kinds} == raised & set(kinds.values())
    assert run_restarting(rules, observations, end + 10) == transitions
