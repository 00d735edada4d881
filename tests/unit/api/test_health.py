"""Alive, ready, figures."""

import asyncio

import httpx
import pytest

from api.app import ComponentState, ComponentStatus
from api.routes import health
from core.errors import TemporaryError
from tests.unit.api.world import RIGHT, WRONG, World

UP = ComponentState(ComponentStatus.UP)
DOWN = ComponentState(ComponentStatus.DOWN, "connection refused by db.internal")
AWAY = ComponentState(ComponentStatus.DOWN, "connection refused by influx.internal", vital=False)
SLOW = ComponentState(ComponentStatus.DEGRADED, "8 s behind", vital=True)

STATES = {
    "all up": (UP, UP, 200, "ready", "up", "up"),
    "vital one down": (DOWN, UP, 503, "not_ready", "down", "up"),
    "telemetry down": (UP, AWAY, 200, "degraded", "up", "down"),
    "vital one degraded": (SLOW, UP, 200, "degraded", "degraded", "up"),
    "check raises": (TemporaryError("db.internal"), UP, 503, "not_ready", "down", "up"),
    "check is broken": (ValueError("db.internal"), UP, 503, "not_ready", "down", "up"),
}


@pytest.mark.parametrize(
    ("records", "telemetry", "code", "status", "records_status", "telemetry_status"), STATES.values(), ids=STATES
)
async def test_readiness(
    stranger: httpx.AsyncClient,
    world: World,
    records: ComponentState | Exception,
    telemetry: ComponentState | Exception,
    code: int,
    status: str,
    records_status: str,
    telemetry_status: str,
) -> None:
    world.health.states = {"records": records, "telemetry": telemetry}
    answer = await stranger.get("/readyz")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (code, status)
    components = {name: component["status"] for name, component in body["components"].items()}
    assert components == {"records": records_status, "telemetry": telemetry_status}


@pytest.mark.parametrize(("headers", "told"), [({}, False), (WRONG, False), (RIGHT, True)])
async def test_details_are_for_holders_of_a_token(
    stranger: httpx.AsyncClient, world: World, headers: dict[str, str], told: bool
) -> None:
    world.health.states["records"] = DOWN
    answer = await stranger.get("/readyz", headers=headers)
    assert ("db.internal" in answer.text) is told


async def test_readiness_answers_while_tokens_cannot_be_checked(stranger: httpx.AsyncClient, world: World) -> None:
    world.tokens.away = True
    assert (await stranger.get("/readyz", headers=RIGHT)).status_code == 200


async def test_a_check_that_never_answers_is_down() -> None:
    async def hangs() -> ComponentState:
        await asyncio.Event().wait()
        raise AssertionError

    state = await health.checked(hangs, within_seconds=0.01)
    assert (state.status, state.vital) == (ComponentStatus.DOWN, True)
    assert "0.01 s" in state.detail


async def test_alive_whatever_is_down(stranger: httpx.AsyncClient, world: World) -> None:
    world.tokens.away = True
    world.health.states["records"] = DOWN
    assert (await stranger.get("/healthz")).json() == {"status": "alive", "version": "0.1.0"}


async def test_figures_for_prometheus(lan: httpx.AsyncClient) -> None:
    answer = await lan.get("/metrics")
    assert "anju_received_messages_total 3.0" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")
