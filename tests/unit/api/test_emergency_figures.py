"""The figures of a month over HTTP: of the calls of that month and community, told apart, beside their targets."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.pagination import MAXIMUM_LIMIT
from tests.unit.api.calling import CALLED
from tests.unit.api.test_emergency_calls import CALLS, done, raise_call
from tests.unit.api.world import World

FIGURES = "/api/v1/emergency-figures"


async def rescue(lan: httpx.AsyncClient, world: World, key: str, answered: int, on_site: int, **body: Any) -> None:
    """Let a call be answered and reached that many seconds after it was raised, and closed."""
    call_id = (await raise_call(lan, key, **body)).json()["id"]
    world.clock.advance(timedelta(seconds=answered))
    await done(lan, call_id, "answer")
    world.clock.advance(timedelta(seconds=on_site - answered))
    await done(lan, call_id, "on-site")
    await done(lan, call_id, "close", {"cause": "door_system"})


async def test_a_month_in_figures(lan: httpx.AsyncClient, world: World) -> None:
    await rescue(lan, world, "a", 10, 600)
    await rescue(lan, world, "b", 50, 2400)
    await lan.post(CALLS, json={"community": "xingfu", "source": "staff"})
    await lan.post("/api/v1/drills", json={"lift": CALLED})
    figures = (await lan.get(FIGURES)).json()
    assert (figures["month"], figures["since"], figures["until"], figures["by"]) == (
        "2026-08", "2026-07-31T16:00:00Z", "2026-08-31T16:00:00Z", "source",
    )  # fmt: skip
    total = figures["total"]
    assert (total["calls"], total["unfinished"], total["overdue"]) == (3, 1, 1)
    assert total["answer"] == {
        "known": 2, "median_seconds": 30.0, "p90_seconds": 50.0, "target_seconds": 30.0,
        "in_time": 1, "late": 1, "share_in_time": 0.5,
    }  # fmt: skip
    assert (total["arrival"]["target_seconds"], total["arrival"]["in_time"], total["arrival"]["late"]) == (1800, 1, 1)
    assert total["release"]["known"] == 0
    assert [(group["name"], group["figures"]["calls"]) for group in figures["groups"]] == [("app", 2), ("staff", 1)]
    assert figures["drills"]["calls"] == 1
    [overdue] = figures["overdue"]
    assert (overdue["number"], overdue["contractor"], overdue["on_site"]) == (2, "kone", "2026-08-14T07:52:26Z")


async def test_figures_by_contractor(lan: httpx.AsyncClient, world: World) -> None:
    await rescue(lan, world, "a", 10, 600)
    await rescue(lan, world, "b", 10, 600, lift="xingfu/elevator/lift-2")
    groups = (await lan.get(f"{FIGURES}?by=contractor")).json()["groups"]
    assert [(group["name"], group["figures"]["calls"]) for group in groups] == [("", 1), ("kone", 1)]


async def test_figures_are_of_one_month_and_community(lan: httpx.AsyncClient, world: World) -> None:
    await rescue(lan, world, "a", 10, 600)
    world.clock.advance(timedelta(days=20))
    await rescue(lan, world, "b", 10, 600, lift="anyang/elevator/lift-1")
    queries = ("month=2026-07", "month=2026-08", "", "community=xingfu", "month=2026-08&community=xingfu")
    counts = [(await lan.get(f"{FIGURES}?{query}")).json()["total"]["calls"] for query in queries]
    assert counts == [0, 1, 1, 0, 1]


async def test_a_month_of_many_calls_is_read_to_its_end(lan: httpx.AsyncClient) -> None:
    for number in range(MAXIMUM_LIMIT + 1):
        await lan.post(CALLS, json={"lift": f"xingfu/elevator/l{number}", "source": "staff"})
    assert (await lan.get(FIGURES)).json()["total"]["calls"] == MAXIMUM_LIMIT + 1


@pytest.mark.parametrize("query", ["month=2026-13", "month=august", "month=2026-8", "by=lift", "community=A"])
async def test_figures_that_cannot_be(lan: httpx.AsyncClient, query: str) -> None:
    assert (await lan.get(f"{FIGURES}?{query}")).status_code == 422
