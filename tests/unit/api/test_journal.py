"""Ledger and quarantine over HTTP."""

import base64
from datetime import date, timedelta

import httpx

from core.observations import Rejection, RejectionReason
from ingest.ports import LedgerRow
from tests.unit.api.twins import START
from tests.unit.api.world import World

TODAY = START.date()


async def test_the_ledger_adds_up_and_shows_how_far_readers_are(lan: httpx.AsyncClient, world: World) -> None:
    world.journal.rows = [
        LedgerRow(TODAY - timedelta(days=7), "xingfu", 9, 9, 0, 0),
        LedgerRow(TODAY, "xingfu", 100, 90, 4, 3),
    ]
    world.journal.readers, world.journal.last, world.records.position = {"telemetry": 97, "alerts": 99}, 100, 98
    body = (await lan.get("/api/v1/ledger")).json()
    assert body["since"] == "2026-08-08"
    assert body["days"] == [
        {
            "day": "2026-08-14", "community": "xingfu", "received": 100, "stored": 90, "duplicate": 4, "rejected": 3,
            "in_flight": 3,
        }
    ]  # fmt: skip
    assert body["readers"] == [
        {"reader": "alerts", "position": 99, "behind": 1},
        {"reader": "telemetry", "position": 97, "behind": 3},
    ]
    assert body["alerts_decided"] == {"reader": "alerts", "position": 98, "behind": 2}
    assert body["last_position"] == 100


async def test_the_ledger_goes_back_as_far_as_asked(lan: httpx.AsyncClient, world: World) -> None:
    world.journal.rows = [LedgerRow(date(2026, 3, 1), "xingfu", 9, 9, 0, 0)]
    body = (await lan.get("/api/v1/ledger", params={"since": "2026-03-01"})).json()
    assert [row["received"] for row in body["days"]] == [9]


async def test_quarantine_shows_hostile_bytes_safely(lan: httpx.AsyncClient, world: World) -> None:
    excerpt = b'{"at": \xff\xfe<script>'
    world.journal.rejections = [
        Rejection(position, START, "anju/v1/x", RejectionReason.NOT_UTF8, "byte 7: invalid start byte", excerpt)
        for position in (3, 8, 9)
    ]
    first = (await lan.get("/api/v1/quarantine", params={"limit": 2})).json()
    rest = (await lan.get("/api/v1/quarantine", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [one["position"] for one in first["items"] + rest["items"]] == [9, 8, 3]
    shown = first["items"][0]
    assert (shown["reason"], shown["received_at"]) == ("not_utf8", "2026-08-14T07:02:26Z")
    assert shown["excerpt_text"] == '{"at": \ufffd\ufffd<script>'
    assert base64.b64decode(shown["excerpt_base64"]) == excerpt
