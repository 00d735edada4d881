"""Figures of a month: what counts, what does not, and in whose record a call stands."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from emergency import acts, steps
from emergency.figures import Figures, Spread, figures_of, month_figures, month_of, shown_begin
from emergency.ladder import Rules
from emergency.model import Call, Cause, Source
from emergency.plan import Contact, Title
from emergency.steps import CallRequest
from tests.unit.emergency.calls import LIFT, RULES, T0, after

OTIS, KONE = "otis", "kone"
Done = tuple[float, acts.Act]
"""Seconds after the call was raised, and what was done then."""
ANSWER, FREE = acts.Answer(), acts.Freed()
CLOSE = acts.Close(Cause.DOOR_SYSTEM)
HOTLINE = (Contact("hotline", Title("热线", "hotline"), phone="96333"),)


def told(
    number: int,
    *done: Done,
    source: Source = Source.RESIDENT,
    drill: bool = False,
    contractor: str = "",
    until: float = 0,
    rules: Rules = RULES,
) -> Call:
    """Return a call that went so, with all that came due by itself between."""
    place = msgspec.structs.replace(LIFT, contractor=contractor)
    call = steps.raised(CallRequest(source, place, drill=drill), f"c{number}", "caller", T0, rules).call
    call = msgspec.structs.replace(call, number=number)
    for seconds, what in done:
        call = _later(call, seconds, rules)
        decided = steps.act(call, what, "li", after(seconds), rules)
        call = decided.call if decided else call
    return _later(call, until, rules)


def _later(call: Call, seconds: float, rules: Rules) -> Call:
    decided = steps.tick(call, after(seconds), rules)
    return decided.call if decided else call


def rescued(number: int, answered: float, there: float, freed: float, contractor: str = "") -> Call:
    """Return a whole rescue."""
    done: list[Done] = [(answered, ANSWER), (there, acts.OnSite("wang")), (freed, FREE), (freed + 60, CLOSE)]
    return told(number, *done, contractor=contractor)


NOW = after(86_400)
COUNTS = {
    "nothing": ([], {"calls": 0, "taken_back": 0, "freed": 0, "unfinished": 0, "overdue": 0}),
    "a whole rescue": ([rescued(1, 10, 600, 900)], {"calls": 1, "freed": 1, "unfinished": 0}),
    "taken back at once": ([told(1, (5, acts.Abandon()))], {"calls": 1, "taken_back": 1, "unfinished": 0}),
    "taken back after a minute in vain": ([told(1, (60, acts.Abandon()))], {"taken_back": 0, "unfinished": 1}),
    "taken back after it was answered": ([told(1, (5, ANSWER), (9, acts.Abandon()))], {"taken_back": 0}),
    "a button is not taken back": (
        [told(1, (5, acts.Abandon()), source=Source.CAR_BUTTON)],
        {"taken_back": 0, "unfinished": 1, "overdue": 1},
    ),
    "false alarm": ([told(1, (5, ANSWER), (99, acts.Close(Cause.FALSE_ALARM)))], {"false_alarms": 1, "freed": 0}),
    "overdue and there at last": ([rescued(1, 10, 1_801, 1_900)], {"overdue": 1, "freed": 1}),
    "there in the last second": ([rescued(1, 10, 1_800, 1_900)], {"overdue": 0}),
    "closed after it was overdue": ([told(1, (10, ANSWER), (2_000, CLOSE))], {"overdue": 1, "unfinished": 0}),
    "nobody there until now": ([told(1, (10, ANSWER))], {"overdue": 1, "unfinished": 1}),
}


@pytest.mark.parametrize(("calls", "expected"), COUNTS.values(), ids=COUNTS.keys())
def test_what_is_counted(calls: list[Call], expected: dict[str, int]) -> None:
    figures = figures_of(calls, NOW)
    assert {name: getattr(figures, name) for name in expected} == expected


ANSWERS = {
    "in the last moment": ([told(1, (30, ANSWER))], Spread(1, 30.0, 30.0, 30.0, 1, 0)),
    "a moment late": ([told(1, (30.001, ANSWER))], Spread(1, 30.001, 30.001, 30.0, 0, 1)),
    "never": ([told(1)], Spread(0, None, None, 30.0, 0, 1)),
    "taken back in time": ([told(1, (29, acts.Abandon()))], Spread(0, None, None, 30.0, 0, 0)),
    "taken back later, and closed much later": (
        [told(1, (31, acts.Abandon()), (5_000, CLOSE))],
        Spread(0, None, None, 30.0, 0, 1),
    ),
    "ten of them": (
        [told(number, (number * 10, ANSWER)) for number in range(1, 11)],
        Spread(10, 55.0, 90.0, 30.0, 3, 7),
    ),
}


@pytest.mark.parametrize(("calls", "expected"), ANSWERS.values(), ids=ANSWERS.keys())
def test_answer_times(calls: list[Call], expected: Spread) -> None:
    assert figures_of(calls, NOW).answer == expected


DIAL_FIRST = msgspec.structs.replace(
    RULES, steps=(msgspec.structs.replace(RULES.steps[0], contacts=HOTLINE, dial=True), *RULES.steps[1:])
)


def test_a_step_told_behind_the_answer_does_not_begin_the_call() -> None:
    """Nobody of the first step can be told; the next one is once who answered does not go on."""
    call = told(1, (20, ANSWER), (600, acts.OnSite("wang")), rules=DIAL_FIRST)
    assert call.stamps.rang == after(200)
    figures = figures_of([call], NOW)
    assert (figures.answer.median_seconds, figures.arrival.median_seconds) == (20.0, 600.0)
    tap = acts.Join(Source.RESIDENT, "second-tap")
    again = told(1, (20, ANSWER), (30, FREE), (5_000, tap), (5_010, ANSWER), rules=DIAL_FIRST)
    assert figures_of([again], NOW).answer.median_seconds == 10.0


def test_whoever_still_has_time_is_neither_in_time_nor_late() -> None:
    figures = figures_of([told(1)], after(29))
    assert (figures.answer.in_time, figures.answer.late) == (0, 0)
    assert (figures.arrival.in_time, figures.arrival.late, figures.arrival.share_in_time) == (0, 0, None)
    assert figures_of([told(1)], after(31)).answer.late == 1


def test_arrival_and_release_times_stand_beside_the_rescue_clock() -> None:
    figures = figures_of([rescued(1, 5, 600, 900), rescued(2, 5, 1_200, 1_500), rescued(3, 5, 2_400, 4_000)], NOW)
    assert figures.arrival == Spread(3, 1_200.0, 2_400.0, 1_800.0, 2, 1)
    assert figures.arrival.share_in_time == pytest.approx(2 / 3)
    assert figures.release == Spread(3, 300.0, 1_600.0)
    assert figures.release.share_in_time is None


def test_who_is_freed_was_reached() -> None:
    figures = figures_of([told(1, (5, ANSWER), (700, FREE))], NOW)
    assert (figures.arrival.median_seconds, figures.arrival.in_time, figures.release.known) == (700.0, 1, 0)


def test_towns_and_villages_together_have_no_common_target() -> None:
    rural = msgspec.structs.replace(told(2), rescue_by=after(3_600))
    assert figures_of([told(1), rural], NOW).arrival.target_seconds is None
    assert figures_of([rural], NOW).arrival.target_seconds == 3_600.0


def test_a_call_that_rang_again_begins_anew() -> None:
    again = acts.Join(Source.RESIDENT, "second-tap")
    call = told(1, (5, acts.Abandon()), (5_000, again), (5_010, ANSWER), (5_600, acts.OnSite("wang")), (5_900, FREE))
    figures = figures_of([call], NOW)
    assert (figures.answer.median_seconds, figures.arrival.median_seconds, figures.taken_back) == (10.0, 600.0, 0)


def test_sources_contractors_and_drills_stand_apart() -> None:
    sent = acts.OnTheWay("zhang", contractor=KONE)
    calls = [
        rescued(1, 10, 600, 900, OTIS),
        told(2, (10, ANSWER), (20, sent), until=4_000, contractor=OTIS, source=Source.CAR_BUTTON),
        told(3, (10, ANSWER), (2_000, acts.OnSite("li")), contractor=OTIS),
        told(4, (10, ANSWER), until=4_000),
        told(5, (3, ANSWER), (4_000, acts.Close(Cause.DRILL)), drill=True, contractor=OTIS),
    ]
    month = month_figures(reversed(calls), NOW)
    assert (month.total.calls, month.drills.calls, month.drills.answer.median_seconds) == (4, 1, 3.0)
    assert {name: figures.calls for name, figures in month.by_source.items()} == {"car_button": 1, "resident": 3}
    assert {name: figures.calls for name, figures in month.by_contractor.items()} == {"": 1, KONE: 1, OTIS: 2}
    assert month.by_contractor[OTIS].overdue == 1
    listed = [(each.contractor, each.number, each.stamps.on_site or each.stamps.freed) for each in month.overdue]
    assert listed == [("", 4, None), (KONE, 2, None), (OTIS, 3, after(2_000))]
    assert month.overdue[0].rescue_by == shown_begin(month.overdue[0]) + timedelta(minutes=30)


def test_a_call_belongs_to_who_was_asked_to_go_else_to_who_maintains_the_lift() -> None:
    assert told(1, contractor=OTIS).contractor == OTIS
    assert told(1, (1, acts.OnTheWay("zhang")), contractor=OTIS).contractor == OTIS
    assert told(1, (1, acts.OnTheWay("zhang", contractor=KONE)), contractor=OTIS).contractor == KONE


def test_the_whole_is_the_sum_of_its_contractors() -> None:
    calls = [rescued(n, n * 7 % 90, 300 + n * 211 % 3_000, 4_000, (OTIS, KONE, "")[n % 3]) for n in range(60)]
    month = month_figures(calls, NOW)

    def added(of: str) -> int:
        return sum(int(getattr(each, of)) for each in month.by_contractor.values())

    for name in ("calls", "freed", "overdue"):
        assert added(name) == getattr(month.total, name)
    assert sum(each.arrival.in_time or 0 for each in month.by_contractor.values()) == month.total.arrival.in_time
    assert isinstance(month.total, Figures)
    assert len(month.overdue) == month.total.overdue


def test_a_month_by_the_clock_on_the_wall() -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    since, until = month_of("2026-12", shanghai)
    assert since.astimezone(UTC) == datetime(2026, 11, 30, 16, tzinfo=UTC)
    assert until.astimezone(UTC) == datetime(2026, 12, 31, 16, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "2026", "2026-01-01", "", "今月"])
def test_what_is_no_month(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        month_of(text, UTC)
