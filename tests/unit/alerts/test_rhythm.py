"""`rhythm`: a device that sends on change is silent when it is quieter than it usually is at its quietest."""

from datetime import timedelta

import pytest

from alerts.engine import Engine
from core.observations import Observation
from core.wire.payloads import PresenceStatus
from tests.unit.alerts.talk import Talk, instant, rule, run, run_restarting, told

MINUTE, HOUR, DAY = 60, 3_600, 86_400
QUIET = "{kind: missing, nothing_for: 5m, rhythm: {times: 3, at_most: 12h}}"
SILENT = rule("elevator", QUIET)


def days(talk: Talk, number: int, every: float, *, night: float = 0) -> list[Observation]:
    """Return readings ``every`` so many seconds, with a gap of ``night`` seconds at the end of each day."""
    readings = []
    for day in range(number):
        at = 0.0
        while at <= DAY - max(night, every):
            readings.append(talk.lift(day * DAY + at))
            at += every
    return readings


def end(said: list[Observation]) -> float:
    return (said[-1].received_at - instant(0)).total_seconds()


def silent_after(said: list[Observation]) -> float:
    """Return how long after the last of ``said`` the device counts as silent, having seen nothing told before."""
    last = end(said)
    ((at, kind),) = told(run([SILENT], said, until=last + 2 * DAY))
    assert kind == "firing"
    return at - last


@pytest.mark.parametrize(
    ("every", "night", "expected"),
    [
        pytest.param(60, 0, 5 * MINUTE, id="never less than nothing_for"),
        pytest.param(10 * MINUTE, 0, 30 * MINUTE, id="three times its usual gap"),
        pytest.param(5 * MINUTE, 2 * HOUR, None, id="the nights count"),
        pytest.param(5 * HOUR, 0, 12 * HOUR, id="never more than at_most"),
    ],
)
def test_silence_by_the_device_s_own_rhythm(every: float, night: float, expected: float | None) -> None:
    after = silent_after(days(Talk(), 3, every, night=night))
    if expected is not None:
        assert after == expected
    else:
        assert 4 * HOUR < after < 6 * HOUR


def test_in_its_first_day_a_device_is_given_the_most() -> None:
    assert silent_after([Talk().lift(0)]) == 12 * HOUR
    assert silent_after(days(Talk(), 1, 60)[:600]) == 12 * HOUR


def test_restarts_change_nothing() -> None:
    said = days(Talk(), 3, 10 * MINUTE, night=HOUR)
    until = end(said) + DAY
    assert told(run_restarting([SILENT], said, until=until)) == told(run([SILENT], said, until=until))


def test_a_gap_that_was_told_is_learned_up_to_its_telling() -> None:
    talk = Talk()
    said = days(talk, 3, 10 * MINUTE)
    last = end(said)
    said += [talk.lift(last + DAY)]
    assert told(run([SILENT], said, until=last + 2 * DAY)) == [
        (last + 30 * MINUTE, "firing"),
        (last + DAY, "resolved"),
        (last + DAY + 90 * MINUTE, "firing"),
    ]


def test_the_longest_gap_fades() -> None:
    talk = Talk()
    said = days(talk, 3, 5 * MINUTE, night=3 * HOUR)
    since = 3 * DAY
    said += [talk.lift(since + 5 * MINUTE * number) for number in range(12 * 24 * 6)]
    assert 2 * HOUR < silent_after(said) < 2.5 * HOUR


def test_what_nobody_could_hear_is_no_gap_of_the_device() -> None:
    talk, engine = Talk(), Engine([SILENT])
    said = days(talk, 2, 60)
    for observation in said:
        engine.observe(observation)
    back = end(said) + 6 * HOUR
    assert engine.absences.forgive_silence(instant(back), timedelta(minutes=1))
    again = [talk.lift(back + 30 + 60 * number) for number in range(10)]
    transitions = [one for observation in again for one in engine.observe(observation)]
    transitions += engine.advance(instant(back + HOUR))
    assert told(transitions) == [(back + 570 + 5 * MINUTE, "firing")]


def test_offline_is_told_as_before() -> None:
    talk = Talk()
    gone = rule("elevator", QUIET.replace("nothing_for: 5m", "nothing_for: 5m, offline_for: 30s"))
    said = [talk.lift(0), talk.presence(10, PresenceStatus.OFFLINE)]
    assert told(run([gone], said, until=60)) == [(40, "firing")]


def test_the_reason_tells_the_usual_gap() -> None:
    said = days(Talk(), 2, 10 * MINUTE)
    transitions = run([SILENT], said, until=end(said) + DAY)
    reason = transitions[-1].reason
    assert reason.zh == "30 分钟未收到消息（平时最长间隔约 10 分钟）"
    assert reason.en == "nothing heard for 30 min (its longest gap is usually about 10 min)"


def test_before_its_rhythm_is_learned_the_reason_names_no_usual_gap() -> None:
    transitions = run([SILENT], [Talk().lift(0)], until=DAY)
    assert transitions[-1].reason.zh == "12 小时未收到消息（平时间隔尚在学习）"
    assert transitions[-1].reason.en == "nothing heard for 12 h (its usual gaps are still being learned)"
