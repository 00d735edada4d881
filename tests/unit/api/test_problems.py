"""Whatever goes wrong, the answer is one problem body that says what was expected."""

import httpx
import pytest

from api.limits import BODY_LIMIT_BYTES
from core.errors import PermanentError, TemporaryError
from tests.unit.api.world import LIFT, World

REFUSED = {
    "naive time": ("/api/v1/alerts?since=2026-08-14T07:02:26", "query.since", "offset"),
    "plus as a space": ("/api/v1/alerts?since=2026-08-14T07:02:26+08:00", "query.since", "%2B"),
    "epoch": ("/api/v1/alerts?since=1786690946", "query.since", "RFC 3339"),
    "no such day": ("/api/v1/alerts?since=2026-02-30T00:00:00Z", "query.since", "no such date"),
    "before the first year": ("/api/v1/alerts?since=0001-01-01T00:00:00%2B08:00", "query.since", "no such date"),
    "span upside down": (
        "/api/v1/alerts?since=2026-08-14T07:00:00Z&until=2026-08-14T06:00:00Z", "query.until", "not after",
    ),
    "limit 0": ("/api/v1/alerts?limit=0", "query.limit", "at least 1"),
    "limit 501": ("/api/v1/alerts?limit=501", "query.limit", "at most 500"),
    "limit in words": ("/api/v1/alerts?limit=many", "query.limit", "int"),
    "unknown state": ("/api/v1/alerts?state=burning", "query.state", "'latched' or 'resolved'"),
    "cursor of nobody": ("/api/v1/alerts?cursor=%21%21", "query.cursor", "next_cursor"),
    "cursor of another list": ("/api/v1/alerts?cursor=ZmF1bHRzOjE", "query.cursor", "next_cursor"),
    "cursor beyond 64 bits": ("/api/v1/alerts?cursor=YWxlcnRzOjk5OTk5OTk5OTk5OTk5OTk5OTk", "query.cursor", "unknown"),
    "NUL in a filter": ("/api/v1/alerts?rule=%00", "query.rule", "matching"),
    "unknown kind of device": ("/api/v1/devices/xingfu/boat/b-1", "path.kind", "elevator"),
    "upper case device": ("/api/v1/devices/xingfu/elevator/LIFT", "path.device", "matching"),
    "unknown fault": ("/api/v1/faults?kind=boredom", "query.kind", "overspeed"),
    "negative sequence": ("/api/v1/stream?after=-1", "query.after", "at least 0"),
    "ledger of last century": ("/api/v1/ledger?since=1999-01-01", "query.since", "a day not before 2025-08-13"),
}  # fmt: skip


@pytest.mark.parametrize(("url", "location", "words"), REFUSED.values(), ids=REFUSED)
async def test_refusals_name_the_place_and_what_is_expected(
    lan: httpx.AsyncClient, url: str, location: str, words: str
) -> None:
    answer = await lan.get(url)
    assert answer.status_code == 422, answer.text
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (body["type"], body["status"], body["title"]) == (
        "urn:anju:problem:unprocessable-content", 422, "Unprocessable Content",
    )  # fmt: skip
    [error] = body["errors"]
    assert error["location"] == location
    assert words in f"{error['message']} {error['expected']}"
    assert error["expected"]


async def test_an_unknown_path_is_a_404(lan: httpx.AsyncClient) -> None:
    answer = await lan.get("/api/v1/ghosts")
    assert answer.json() == {
        "type": "urn:anju:problem:not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "Not Found",
        "instance": "/api/v1/ghosts",
    }


async def test_a_wrong_method_is_a_405_that_names_the_right_one(lan: httpx.AsyncClient) -> None:
    answer = await lan.delete("/api/v1/alerts")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert answer.json()["type"] == "urn:anju:problem:method-not-allowed"


async def test_records_that_are_away_are_a_503_with_a_time_to_wait(lan: httpx.AsyncClient, world: World) -> None:
    world.records.failure = TemporaryError("records database at db.internal: connection refused")
    answer = await lan.get("/api/v1/alerts")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "connection refused" in answer.json()["detail"]


async def test_a_permanent_error_is_a_400(lan: httpx.AsyncClient, world: World) -> None:
    world.records.failure = PermanentError("x" * 10_000)
    answer = await lan.get("/api/v1/ledger")
    assert answer.status_code == 400
    assert len(answer.content) < 1_000


async def test_a_fault_of_ours_is_a_500_without_its_innards(lan: httpx.AsyncClient, world: World) -> None:
    world.records.raise_alert(LIFT, severity="unheard-of")
    answer = await lan.get("/api/v1/alerts")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "unheard-of" not in answer.text


async def test_a_body_that_is_no_json_is_a_422(lan: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await lan.post("/api/v1/alerts/alert1/comments", content=b'{"text":', headers=headers)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_huge_body_is_refused(lan: httpx.AsyncClient, world: World) -> None:
    world.records.raise_alert(LIFT)
    answer = await lan.post("/api/v1/alerts/alert1/comments", json={"text": "x" * BODY_LIMIT_BYTES})
    assert answer.status_code == 413
    assert answer.json()["type"].startswith("urn:anju:problem:")


async def test_problem_bodies_are_bounded(lan: httpx.AsyncClient) -> None:
    answer = await lan.get("/api/v1/alerts", params={"rule": "x" * 20_000, "device": "y" * 20_000})
    assert answer.status_code == 422
    assert len(answer.content) < 4_000
