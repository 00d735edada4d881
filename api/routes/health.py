"""Whether the service is alive, whether it can do its work, and its figures."""

import asyncio
from enum import StrEnum

from fastapi import APIRouter, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from api.auth import KnownActor
from api.dependencies import ComponentState, ComponentStatus, Given, HealthCheck

open_router = APIRouter(tags=["health"])
guarded_router = APIRouter(tags=["health"])
# Orchestrators give a probe 1 to 5 s; a component that needs longer than this is as good as away.
CHECK_SECONDS = 2.0


class Alive(BaseModel):
    """The service runs."""

    status: str = Field(examples=["alive"])
    version: str


class Readiness(StrEnum):
    """*Degraded*: the service does its work, something that is not vital for it is down or restricted."""

    READY = "ready"
    DEGRADED = "degraded"
    NOT_READY = "not_ready"


class Component(BaseModel):
    """How one component does."""

    status: ComponentStatus
    vital: bool = Field(description="Whether the service is not ready while this is down.")
    detail: str | None = Field(default=None, description="In a sentence; only with a token.")


class Ready(BaseModel):
    """Whether the service can do its work, and how each component does."""

    status: Readiness
    components: dict[str, Component]


@open_router.get("/healthz", summary="Whether the service is alive")
async def get_health(given: Given) -> Alive:
    """Answers as long as the service runs, whatever it depends on. Needs no token."""
    return Alive(status="alive", version=given.version)


@open_router.get(
    "/readyz",
    summary="Whether the service can do its work",
    responses={503: {"model": Ready, "description": "Something vital is down."}},
    openapi_extra={"security": [{}]},  # Added to the token's entry: a token is welcome, not needed.
)
async def get_readiness(given: Given, actor: KnownActor, response: Response) -> Ready:
    """Each component with its own state; 503 while a vital one is down. With a token, details too."""
    found = await asyncio.gather(*(checked(check) for check in given.health.values()))
    states = dict(zip(given.health, found, strict=True))
    readiness = _readiness(found)
    response.status_code = 503 if readiness is Readiness.NOT_READY else 200
    shown = {name: _shown(state, detailed=actor is not None) for name, state in states.items()}
    return Ready(status=readiness, components=shown)


@guarded_router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Exposition format."}},
)
async def get_metrics(given: Given) -> Response:
    """All figures of this process in the Prometheus exposition format."""
    return Response(generate_latest(given.metrics), media_type=CONTENT_TYPE_LATEST)


async def checked(check: HealthCheck, within_seconds: float = CHECK_SECONDS) -> ComponentState:
    """Return what ``check`` says; one that fails, or does not answer in time, speaks for a component that is down."""
    try:
        async with asyncio.timeout(within_seconds):
            return await check()
    except TimeoutError:
        return ComponentState(ComponentStatus.DOWN, f"no answer within {within_seconds:g} s")
    except Exception as error:  # noqa: BLE001 - the border of a probe: whatever is wrong is what it has to report
        return ComponentState(ComponentStatus.DOWN, f"{type(error).__name__}: {error}")


def _readiness(states: list[ComponentState]) -> Readiness:
    if any(state.vital and state.status is ComponentStatus.DOWN for state in states):
        return Readiness.NOT_READY
    if all(state.status is ComponentStatus.UP for state in states):
        return Readiness.READY
    return Readiness.DEGRADED


def _shown(state: ComponentState, *, detailed: bool) -> Component:
    return Component(status=state.status, vital=state.vital, detail=state.detail if detailed else None)
