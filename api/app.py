"""The application: routes, errors, limits and the live feed, put together over the ports it is given."""

from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute

from api import call_feed, problems
from api.auth import current_actor, open_sessions, token_memory
from api.call_feed import CallFrames
from api.dependencies import ComponentState as ComponentState
from api.dependencies import ComponentStatus as ComponentStatus
from api.dependencies import Dependencies as Dependencies
from api.feed import Feed, TransitionFrames
from api.limits import BodyLimit
from api.resident_identity import Identities
from api.responses import ANY, GUARDED
from api.routes import (
    alert_acts,
    alerts,
    backtests,
    call_points,
    call_sheets,
    contract,
    controller_codes,
    desk,
    devices,
    drills,
    emergency_call_acts,
    emergency_calls,
    emergency_figures,
    emergency_plan,
    facts,
    faults,
    health,
    journal,
    notifications,
    people,
    plan,
    quality,
    receivers,
    resident,
    responder,
    rota,
    rules,
    session,
    stream,
    suppressions,
    telemetry,
    voice,
    voice_seat,
    weekly_test,
)
from api.take_backs import TakeBacks
from api.voice_exchange import VoiceExchange

_PARTS = (
    devices,
    facts,
    telemetry,
    alerts,
    alert_acts,
    suppressions,
    faults,
    rules,
    backtests,
    plan,
    people,
    rota,
    receivers,
    notifications,
    quality,
    journal,
    stream,
    emergency_calls,
    emergency_call_acts,
    voice_seat,
    controller_codes,
    drills,
    emergency_figures,
    emergency_plan,
    call_points,
    call_sheets,
    session,
)
# The contract's own version: it changes when the contract does, not with every release of the program.
CONTRACT_VERSION = "1.4.0"
_DESCRIPTION = (
    "Lifts, access gates, thermal cameras and gateways of residential communities: what they say, what is wrong with"
    " them, and what people did about it. Instants are RFC 3339; in queries they need an offset, in answers they end in"
    " Z. Problems are bodies as of RFC 9457."
)


class Api(FastAPI):
    """FastAPI with our problem body in the contract, in place of its own."""

    def openapi(self) -> dict[str, Any]:
        """Return the contract; made once, as routes do not change while the application runs."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document["components"]["schemas"]
            schemas["Problem"] = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schemas["Problem"].pop("$defs"))
            document["components"]["schemas"] = dict(sorted(schemas.items()))
        return super().openapi()


def create_app(dependencies: Dependencies) -> FastAPI:
    """Return the API over ``dependencies``.

    Whoever runs it calls `close_streams` before telling the server to stop: servers wait for requests to end, and a
    live stream does not end by itself. The application needs no lifespan.
    """
    app = assemble()
    app.state.dependencies = dependencies
    app.state.token_memory = token_memory(dependencies)
    app.state.sessions = open_sessions(dependencies)
    app.state.take_backs = TakeBacks()
    app.state.identities = Identities()
    app.state.wrong_tokens = session.wrong_tokens()
    app.state.wrong_codes = controller_codes.wrong_codes()
    app.state.feed = Feed(TransitionFrames(dependencies.records))
    calls = CallFrames(dependencies.emergency.reader)
    app.state.call_feed = Feed(calls, poll_seconds=call_feed.POLL_SECONDS)
    voice.install(app, _voice(dependencies))
    return app


def _voice(given: Dependencies) -> voice.Voice:
    parts = given.emergency
    exchange = VoiceExchange(parts.reader, given.clock, parts.ice)
    return voice.Voice(exchange, parts.reader, parts.points, voice.staff_by_session)


def close_streams(app: FastAPI) -> None:
    """End every live stream of ``app`` and refuse new ones; clients come again elsewhere or later, without loss."""
    feeds: tuple[Feed, Feed] = (app.state.feed, app.state.call_feed)
    for feed in feeds:
        feed.close()


def assemble() -> Api:
    """Return the application without its dependencies: enough to write its contract down."""
    app = Api(
        title="Anju API",
        version=CONTRACT_VERSION,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
    )
    app.add_middleware(BodyLimit)
    problems.install(app)
    app.include_router(session.open_router, prefix="/api/v1")
    app.include_router(_guarded(), prefix="/api/v1")
    app.include_router(health.guarded_router, dependencies=[Depends(current_actor)], responses=GUARDED)
    app.include_router(health.open_router, responses=ANY)
    app.include_router(weekly_test.router)
    app.include_router(responder.router)
    app.include_router(contract.router)
    app.include_router(desk.router)
    app.include_router(voice.router)
    app.include_router(resident.router)
    return app


def _guarded() -> APIRouter:
    """Everything under the version prefix: the guard stands here, so that no route can be added without it."""
    router = APIRouter(dependencies=[Depends(current_actor)], responses=GUARDED)
    for part in _PARTS:
        router.include_router(part.router)
    return router


def _operation_id(route: APIRoute) -> str:
    return route.name
