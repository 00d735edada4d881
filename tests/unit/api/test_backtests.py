"""Backtests over HTTP: what is replayed, what comes back, what cannot be replayed."""

from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from alerts.backtest import BacktestAlert, BacktestReport, Comparison, Coverage, DayCount
from alerts.model import Severity
from core.errors import AnjuError, PermanentError, TemporaryError
from tests.unit.api.test_rules import BROKEN, HOT
from tests.unit.api.twins import START
from tests.unit.api.world import LIFT, World

BACKTEST = "/api/v1/rules/backtest"
WEEK = timedelta(days=7)
ALERT = BacktestAlert("shed-hot", LIFT, Severity.MAJOR, START - WEEK, None, "高温", "hot", False)
LOST = BacktestAlert("shed-hot", LIFT, Severity.MINOR, START - WEEK, START, "高温", "hot")
REPORT = BacktestReport(
    ["shed-hot"],
    START - WEEK,
    START,
    [Coverage("journal", START - WEEK, START, 12)],
    12,
    0.5,
    1,
    1 / 7,
    [DayCount(date(2026, 8, 14), 1)],
    [ALERT],
    Comparison(0, 1, 1, [LOST]),
    ["a note"],
)


@pytest.fixture(autouse=True)
def replayed(world: World) -> None:
    """There is something to replay, and one built-in rule."""
    world.people.backtester.report = REPORT
    world.people.rules.builtin["shed-hot"] = HOT


async def test_a_text_is_replayed_over_the_last_week(lan: httpx.AsyncClient, world: World) -> None:
    answer = (await lan.post(BACKTEST, json={"text": HOT})).json()
    assert world.people.backtester.asked == [(HOT, START - WEEK, START, None)]
    shown = answer["alerts"][0]
    assert (shown["device"]["path"], shown["severity"], shown["until"], shown["also_now"]) == (
        LIFT.path, "major", None, False,
    )  # fmt: skip
    assert answer["days"] == [{"day": "2026-08-14", "alerts": 1}]
    assert (answer["total"], answer["per_day"], answer["notes"]) == (1, pytest.approx(1 / 7), ["a note"])
    assert answer["coverage"][0]["source"] == "journal"
    comparison = answer["comparison"]
    assert (comparison["both"], comparison["only_new"], comparison["only_old"]) == (0, 1, 1)
    assert comparison["lost"][0]["until"] == "2026-08-14T07:02:26Z"


async def test_a_rule_in_force_is_replayed_by_its_name(lan: httpx.AsyncClient, world: World) -> None:
    body = {
        "rule": "shed-hot",
        "since": "2026-08-01T00:00:00Z",
        "until": "2026-08-02T08:00:00+08:00",
        "community": "xingfu",
    }
    assert (await lan.post(BACKTEST, json=body)).status_code == 200
    [(text, since, until, community)] = world.people.backtester.asked
    assert (text, until - since, community) == (HOT, timedelta(days=1), "xingfu")


async def test_what_lies_ahead_is_not_replayed_for_nobody_has_been_silent_there(
    lan: httpx.AsyncClient, world: World
) -> None:
    body = {"rule": "shed-hot", "until": (world.clock.now() + timedelta(days=1)).isoformat()}
    assert (await lan.post(BACKTEST, json=body)).status_code == 200
    [(_, since, until, _)] = world.people.backtester.asked
    assert (since, until) == (world.clock.now() - timedelta(days=7), world.clock.now())


REFUSED: dict[str, tuple[dict[str, Any], int, str | None]] = {
    "a broken rule": ({"text": BROKEN}, 422, "body.text:3"),
    "nothing": ({}, 422, "body.text"),
    "both": ({"text": HOT, "rule": "shed-hot"}, 422, "body.text"),
    "backwards": ({"text": HOT, "since": "2026-08-15T00:00:00Z"}, 422, "body.since"),
    "an unknown rule": ({"rule": "shed-cold"}, 404, None),
}


@pytest.mark.parametrize(("body", "status", "place"), REFUSED.values(), ids=REFUSED)
async def test_what_is_not_replayed(
    lan: httpx.AsyncClient, world: World, body: dict[str, Any], status: int, place: str | None
) -> None:
    answer = await lan.post(BACKTEST, json=body)
    assert (answer.status_code, answer.json().get("errors", [{}])[0].get("location")) == (status, place)
    assert world.people.backtester.asked == []


FAILURES: dict[str, tuple[AnjuError, int]] = {
    "nothing to replay": (PermanentError("nothing to replay"), 400),
    "another one runs": (TemporaryError("another backtest is running: expected one at a time"), 503),
}


@pytest.mark.parametrize(("failure", "status"), FAILURES.values(), ids=FAILURES)
async def test_what_cannot_be_replayed_now(
    lan: httpx.AsyncClient, world: World, failure: AnjuError, status: int
) -> None:
    world.people.backtester.failure = failure
    answer = await lan.post(BACKTEST, json={"text": HOT})
    assert (answer.status_code, answer.json()["detail"]) == (status, str(failure))
