"""Scores over a small world of known truth: what is true, what is found and when, and what people are told."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from alerts.dispatch.defaults import default_plan
from alerts.dispatch.model import Purpose
from alerts.inventory import DeviceFacts, Inventory
from alerts.packs import builtin_rules, builtin_subjects
from alerts.rules import Rule
from alerts.scoring.duty import notifications
from alerts.scoring.figures import Scored
from alerts.scoring.replay import replay
from alerts.scoring.report import Finding, RuleScore, ScoreReport
from alerts.scoring.truth import Disturbance, KnownIncident, Margins, Subject, Truth
from core.observations import Entry, Observation, Rejection, RejectionReason
from core.wire.payloads import ElevatorEventType, GateEventType
from tests.unit.alerts.talk import CAMERA, GATE, LIFT, START, Talk, instant, rule

DAY = 86_400
PLAN = default_plan()
HOT = rule("thermal", "{kind: threshold, signal: maximum_celsius, above: 56, clear: 53}", "for: 10s", "hot", "critical")
WARM = rule("thermal", "{kind: threshold, signal: maximum_celsius, above: 46, clear: 43}", "for: 10s", "warm")
HELD = rule("gate", "{kind: event, types: [held_open], clears_on: [door_closed]}", "", "held", "minor")
FIRE = KnownIncident(
    kind="fire", device=CAMERA.path, part="a", began=instant(1_000), ended=instant(1_600), first_sign=instant(1_020)
)
SUN = Disturbance(cause="sun-patch", device=CAMERA.path, part="b", began=instant(5_000), ended=instant(9_000))
SUBJECTS = {"hot": Subject(finds=("fire",)), "warm": Subject(about=("fire",))}


def heat(talk: Talk, begins: float, celsius: float = 60, seconds: float = 60, region: str = "a") -> list[Observation]:
    """Return looks of a camera every 5 s: ``celsius`` for a while, and cool again."""
    hot = [talk.camera(begins + second, **{region: celsius}) for second in range(0, int(seconds), 5)]
    return [*hot, talk.camera(begins + seconds, **{region: 20.0})]


def scored(
    rules: Sequence[Rule],
    said: Iterable[Observation],
    incidents: Sequence[KnownIncident] = (),
    disturbances: Sequence[Disturbance] = (),
    until: float = DAY,
    subjects: dict[str, Subject] = SUBJECTS,
) -> Scored:
    truth = Truth(
        since=START,
        until=instant(until),
        incidents=list(incidents),
        disturbances=list(disturbances),
        subjects=subjects,
        margins=Margins(before_seconds=5, after_seconds=60),
    )
    # The decoder is the caller's: here an entry's payload is its place among the observations.
    observations = list(said)
    entries = [Entry(each.position, each.received_at, "t", b"%d" % n, 1) for n, each in enumerate(observations)]
    inventory = Inventory({device: DeviceFacts() for device in (CAMERA, GATE, LIFT)}, 1)
    replayed = replay(rules, inventory, entries, lambda entry: observations[int(entry.payload)], truth.until)
    return Scored(rules, [CAMERA, GATE, LIFT], inventory, PLAN, truth, replayed)


def of(report: ScoreReport, name: str) -> RuleScore:
    (found,) = [one for one in report.rules if one.rule == name]
    return found


Say = Callable[[Talk], list[Observation]]
CASES: dict[str, tuple[Say, list[KnownIncident], tuple[int, int, int, int, float | None]]] = {
    # name: what is said, what happened, (true, false, found, missed, delay from the first sign in seconds)
    "true": (lambda t: heat(t, 1_100), [FIRE], (1, 0, 1, 0, 90.0)),
    "false": (lambda t: heat(t, 5_000), [], (0, 1, 0, 0, None)),
    "missed": (lambda t: heat(t, 1_100, 50), [FIRE], (0, 0, 0, 1, None)),
    "false beside a missed one": (lambda t: heat(t, 3_000), [FIRE], (0, 1, 0, 1, None)),
    "of another region": (lambda t: heat(t, 1_100, region="b"), [FIRE], (0, 1, 0, 1, None)),
    "a region in a fire of the whole camera": (
        lambda t: heat(t, 1_100, region="b"),
        [replace(FIRE, part="")],
        (1, 0, 1, 0, 90.0),
    ),
    "on another device": (
        lambda t: heat(t, 1_100),
        [replace(FIRE, device="demo/thermal/shed-9")],
        (0, 1, 0, 1, None),
    ),
    "late, within the margin": (lambda t: heat(t, 1_645), [FIRE], (1, 0, 1, 0, 635.0)),
    "too late": (lambda t: heat(t, 1_655), [FIRE], (0, 1, 0, 1, None)),
    "just before it began": (lambda t: heat(t, 987), [FIRE], (1, 0, 1, 0, 0.0)),
    "two alerts of one incident": (
        lambda t: heat(t, 1_100) + heat(t, 1_300),
        [FIRE],
        (2, 0, 1, 0, 90.0),
    ),
    "one alert of two incidents at once": (
        lambda t: heat(t, 1_100),
        [FIRE, replace(FIRE, began=instant(900), first_sign=instant(900))],
        (1, 0, 2, 0, 150.0),
    ),
    "without a sign, not found": (lambda t: heat(t, 1_100, 50), [replace(FIRE, first_sign=None)], (0, 0, 0, 0, None)),
    "without a sign, found": (lambda t: heat(t, 1_100), [replace(FIRE, first_sign=None)], (1, 0, 1, 0, 110.0)),
    "a sign that nobody noted": (
        lambda t: heat(t, 1_100),
        [KnownIncident(kind="fire", device=CAMERA.path, began=instant(1_050), ended=instant(1_600))],
        (1, 0, 1, 0, 60.0),
    ),
    "of a kind it does not tell of": (
        lambda t: heat(t, 1_100),
        [replace(FIRE, kind="sensor_fault")],
        (0, 1, 0, 0, None),
    ),
    "stood since before": (lambda t: heat(t, 500, seconds=800), [FIRE], (0, 1, 0, 1, None)),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_true_and_what_is_found(name: str) -> None:
    say, incidents, expected = CASES[name]
    hot = of(scored([HOT], say(Talk()), incidents).report(), "hot")
    assert (hot.true, hot.false, hot.found, hot.missed, hot.delay.median_seconds) == expected
    assert hot.alerts == hot.true + hot.false


def test_who_stood_before_is_named_where_an_incident_is_missed() -> None:
    (missed,) = scored([HOT], heat(Talk(), 500, seconds=800), [FIRE]).report().missed
    assert (missed.kind, missed.masked_by) == ("fire", ("hot",))


def test_an_alert_that_says_too_little_is_true_but_has_not_found_it() -> None:
    report = scored([HOT, WARM], heat(Talk(), 1_100, 50), [FIRE]).report()
    warm, (fire,), (missed,) = of(report, "warm"), report.kinds, report.missed
    assert (warm.true, warm.false, warm.incidents, warm.found) == (1, 0, 0, 0)
    assert (fire.found, fire.missed, fire.mentioned_only) == (0, 1, 1)
    assert missed.mentioned == Finding("warm", instant(1_110))


def test_the_first_rule_that_finds_it_counts_for_the_kind() -> None:
    subjects = {"warm": Subject(finds=("fire",)), "hot": Subject(finds=("fire",))}
    said = [*heat(talk := Talk(), 1_100, 50), *heat(talk, 1_200)]
    result = scored([HOT, WARM], said, [FIRE], subjects=subjects)
    (outcome,), (fire,) = result.outcomes(), result.report().kinds
    assert outcome.found == Finding("warm", instant(1_110))
    assert (fire.delay.median_seconds, of(result.report(), "hot").delay.median_seconds) == (90.0, 190.0)


def test_what_another_rule_found_is_not_missed() -> None:
    subjects = {"warm": Subject(finds=("fire",)), "hot": Subject(finds=("fire",))}
    report = scored([HOT, WARM], heat(Talk(), 1_100, 50), [FIRE], subjects=subjects).report()
    assert [(one.found, one.missed, one.incidents) for one in report.rules] == [(0, 0, 1), (1, 0, 1)]


def test_one_course_of_a_kind_can_be_meant() -> None:
    slow, fast = replace(FIRE, variant="slow"), replace(FIRE, variant="fast")
    subjects = {"hot": Subject(finds=("fire/fast",))}
    assert of(scored([HOT], heat(Talk(), 1_100), [fast], subjects=subjects).report(), "hot").true == 1
    hot = of(scored([HOT], heat(Talk(), 1_100), [slow], subjects=subjects).report(), "hot")
    assert (hot.false, hot.incidents) == (1, 0)


def test_a_rule_of_which_nothing_is_known_may_be_about_anything() -> None:
    incident = replace(FIRE, kind="something-else")
    hot = of(scored([HOT], heat(Talk(), 1_100), [incident], subjects={}).report(), "hot")
    assert (hot.true, hot.found) == (1, 1)


def test_a_notice_is_neither_true_nor_false() -> None:
    report = scored([HOT], heat(Talk(), 1_100), [FIRE], subjects={"hot": Subject(notice=True)}).report()
    hot = of(report, "hot")
    assert (hot.alerts, hot.true, hot.false, hot.incidents) == (1, 0, 0, 0)
    assert report.false_alerts == []
    assert report.duty.true_share_of_told.value is None


def test_an_alert_that_stands_is_about_what_makes_it_worse() -> None:
    extra = (
        "levels: [{severity: critical, condition: {kind: threshold, signal: maximum_celsius, above: 56, clear: 53}}]"
    )
    levelled = rule("thermal", "{kind: threshold, signal: maximum_celsius, above: 46, clear: 43}", extra, "hot")
    talk = Talk()
    said = [talk.camera(second, a=50.0 if second < 1_200 else 60.0) for second in range(500, 1_400, 5)]
    hot = of(scored([levelled], said, [FIRE]).report(), "hot")
    assert (hot.alerts, hot.true, hot.found, hot.delay.median_seconds) == (1, 1, 1, 180.0)


def test_false_alerts_by_cause_device_and_month() -> None:
    talk = Talk()
    said = [*heat(talk, 5_100, region="b"), *heat(talk, 6_000, region="b"), *heat(talk, 20_000, region="b")]
    held = [talk.gate(30_000, GateEventType.HELD_OPEN), talk.gate(30_100, GateEventType.DOOR_CLOSED)]
    entry = KnownIncident(kind="forced_entry", device=GATE.path, began=instant(29_990), ended=instant(30_100))
    subjects = {**SUBJECTS, "held": Subject(finds=("held_open",))}
    report = scored([HOT, HELD], [*said, *held], [entry], [SUN], subjects=subjects, until=2 * DAY).report()
    hot, opened = of(report, "hot"), of(report, "held")
    assert [(one.name, one.alerts) for one in hot.causes] == [("sun-patch", 2), ("unknown", 1)]
    assert [(one.name, one.alerts) for one in opened.causes] == [("during forced_entry", 1)]
    assert [(one.name, one.alerts) for one in hot.devices] == [(CAMERA.path, 3)]
    assert hot.false_per_device_month == pytest.approx(3 / (2 / 30))
    assert [one.cause for one in report.false_alerts] == ["sun-patch", "sun-patch", "unknown", "during forced_entry"]


def test_the_cause_of_a_false_alert_is_what_began_last() -> None:
    later = replace(SUN, cause="mirror", began=instant(6_000), ended=instant(7_000))
    fault = KnownIncident(kind="sensor_fault", device=CAMERA.path, began=instant(6_500), ended=instant(8_000))
    for disturbances, incidents, cause in (
        ([SUN, later], [], "mirror"),
        ([later, SUN], [], "mirror"),
        ([SUN, later], [fault], "during sensor_fault"),
    ):
        report = scored([HOT], heat(Talk(), 6_600, region="b"), incidents, disturbances).report()
        assert [one.cause for one in report.false_alerts] == [cause]


def test_time_goes_on_after_the_last_message() -> None:
    silent = rule("elevator", "{kind: missing, nothing_for: 5m}", "", "silent")
    down = KnownIncident(kind="link_down", device=LIFT.path, began=instant(100), ended=instant(2_000), first_sign=None)
    talk = Talk()
    said = [talk.lift(second, direction="stopped") for second in (0, 60, 100)]
    silence = of(scored([silent], said, [down], subjects={"silent": Subject(finds=("link_down",))}).report(), "silent")
    assert (silence.found, silence.delay.median_seconds) == (1, 300.0)


def test_what_cannot_be_read_is_counted() -> None:
    rejection = Rejection(1, START, "t", RejectionReason.NOT_JSON, "", b"")
    entries = [Entry(1, START, "t", b"x", 1), Entry(2, START, "t", b"", 1, duplicate=True)]
    replayed = replay([HOT], Inventory(), entries, lambda _: rejection, instant(DAY))
    assert (replayed.messages, replayed.rejected, replayed.duplicates) == (2, 1, 1)


# ---------------------------------------------------------------- who is told


def test_people_are_told_of_an_alert_once_where_they_acknowledge_it() -> None:
    result = scored([HOT], heat(Talk(), 1_100, seconds=600), [FIRE])
    assert [(one.at, one.purpose, one.receivers) for one in result.told] == [
        (instant(1_110), Purpose.FIRING, ("wall",)),
    ]
    (outcome,), (fire,) = result.outcomes(), result.report().kinds
    assert outcome.told_at == instant(1_110)
    assert fire.told.median_seconds == 90.0
    assert of(result.report(), "hot").told == 1


def test_an_alert_that_stands_is_left_alone_and_told_again() -> None:
    result = scored([HOT], heat(Talk(), 1_100, seconds=2_000), [FIRE], until=3_000)
    # Acknowledged two minutes after each; the default plan asks again when a critical one was left alone for 15 min.
    assert [((one.at - START).total_seconds(), one.purpose) for one in result.told] == [
        (1_110, Purpose.FIRING),
        (1_110 + 120 + 900, Purpose.UNATTENDED),
    ]
    assert result.report().duty.told_again == 1


def test_without_an_answer_people_are_reminded() -> None:
    replayed = scored([HOT], heat(Talk(), 1_100, seconds=2_000), until=3_000)
    transitions = replayed.replayed.transitions
    told = notifications(transitions, PLAN, Inventory(), instant(3_000), timedelta(hours=9))
    assert [(one.at - START).total_seconds() for one in told] == [1_110, 1_710, 2_310, 2_910]


def test_what_the_plan_holds_back_is_not_told() -> None:
    trapped = KnownIncident(kind="entrapment", device=LIFT.path, began=instant(0), ended=instant(700))
    rules = [one for one in builtin_rules() if one.id in ("trapped-passenger", "stopped-outside-door-zone")]
    talk = Talk()
    car: dict[str, Any] = {"service_mode": "normal", "direction": "stopped", "door_zone": False, "door_state": "closed"}
    event = talk.lift_event(2, ElevatorEventType.FAULT_RAISED, "93")
    said = [event, *(talk.lift(second, **car, passenger_present=True) for second in range(5, 600, 5))]
    report = scored(rules, said, [trapped], until=650, subjects=builtin_subjects()).report()
    assert (of(report, "trapped-passenger").told, of(report, "stopped-outside-door-zone").alerts) == (1, 1)
    assert of(report, "stopped-outside-door-zone").told == 0


def test_the_duty_room_figures() -> None:
    talk = Talk()
    # START is 15:00 in Shanghai: 8 h later it is 23:00. The held door is never closed.
    said = [*heat(talk, 1_100), *heat(talk, 8 * 3_600), talk.gate(30_000, GateEventType.HELD_OPEN)]
    open_door = KnownIncident(kind="held_open", device=GATE.path, began=instant(30_000), ended=instant(31_000))
    subjects = {**SUBJECTS, "held": Subject(finds=("held_open",))}
    report = scored([HOT, HELD], said, [FIRE, open_door], subjects=subjects, until=2 * DAY).report()
    duty = report.duty
    assert (duty.told, duty.told_per_day.value, duty.told_again) == (3, 1.5, 0)
    assert duty.true_share_of_told.value == pytest.approx(2 / 3)
    assert (duty.critical_per_day, duty.critical_per_night) == (1.0, 0.5)
    assert (duty.standing, duty.standing_over_a_day.value, duty.standing_untrue) == (1, 1, 1)
    assert report.quality.alarms == 3
    assert report.quality.false_alarms.value == pytest.approx(1 / 3)
    assert report.devices == 3


def test_devices_apart_and_together_come_to_the_same() -> None:
    talk = Talk()
    said = [*heat(talk, 1_100), *heat(talk, 8_000), talk.gate(8_010, GateEventType.HELD_OPEN)]
    together = scored([HOT, HELD], said, [FIRE]).replayed
    apart = scored([HOT, HELD], [one for one in said if one.device == GATE], [FIRE]).replayed
    apart.add(scored([HOT, HELD], [one for one in said if one.device == CAMERA], [FIRE]).replayed)
    assert apart == together


def test_every_builtin_rule_has_a_subject() -> None:
    assert builtin_subjects().keys() == {one.id for one in builtin_rules()}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"device": "shed-1"}, "expected community/kind/device"),
        ({"ended": instant(999)}, "expected 2026-08-14T07:16:40"),
    ],
)
def test_an_incident_without_sense_is_refused(fields: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        replace(FIRE, **fields)
