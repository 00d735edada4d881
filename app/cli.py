"""The ``anju`` command."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import structlog
import typer

from app import (
    code_lists,
    descriptors,
    drill_cli,
    emergency_cli,
    heartbeat,
    logging,
    operations_cli,
    parts,
    plan_cli,
    rules_cli,
    stores_cli,
    wiring,
)
from app.channels import Channels
from app.doorbell import Doorbell
from app.emergency_plan import read_emergency_plan
from app.installation_lock import in_use
from app.opening import open_records
from app.plan_source import PlanSource
from app.rights import PRIVATE_UMASK
from app.run import App
from app.services import Service, Supervisor, serve
from app.settings import Settings, load
from app.steady_clock import open_clock, read_clock
from core.clock import SystemClock
from core.errors import AnjuError, StartupError
from simulators.fleet import PlannedIncident
from simulators.incidents import CATALOGUE
from simulators.run import DEMO_INCIDENTS, SimulationOptions, simulate
from storage.records import TokensAdapter

_log = structlog.get_logger()
# Ours: below the 30 s after which systemd and Docker kill, as deploy/ sets them.
STOP_SECONDS = 20.0
cli = typer.Typer(help="Anju 安居 watches over lifts, gates and bike sheds.", no_args_is_help=True)
for command in (drill_cli.drill, operations_cli.backup, operations_cli.restore, operations_cli.doctor):
    cli.command()(command)
_token = typer.Typer(help="Names and tokens that may use the API.", no_args_is_help=True)
cli.add_typer(rules_cli.cli, name="rules")
cli.add_typer(code_lists.cli, name="codes")
cli.add_typer(plan_cli.cli, name="plan")
cli.add_typer(emergency_cli.cli, name="emergency")
cli.add_typer(_token, name="token")
cli.add_typer(stores_cli.journal, name="journal")
cli.add_typer(stores_cli.records, name="records")
cli.add_typer(stores_cli.telemetry, name="telemetry")

_Answer = TypeVar("_Answer")
Config = Annotated[Path | None, typer.Option("--config", help="TOML file; environment variables go before it.")]


def main() -> None:
    """Run the command; every expected failure is one line on standard error and exit code 1."""
    os.umask(PRIVATE_UMASK)
    try:
        cli()
    except AnjuError as error:
        print(f"anju: {error}", file=sys.stderr)
        sys.exit(1)


def _started(config: Path | None) -> Settings:
    settings = load(config)
    logging.set_up(settings.log, ZoneInfo(settings.time.zone))
    descriptors.raise_limit()
    return settings


def _run_part(settings: Settings, run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run what uses the files of the installation until SIGINT or SIGTERM; commands that replace them are refused."""
    wiring.prepare_folder(settings)
    with in_use(settings):
        _until_signalled(run)


def _until_signalled(run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run until SIGINT or SIGTERM; a second signal ends at once, and so does a stop that takes too long."""
    deadline = threading.Timer(STOP_SECONDS, _cut_short)
    deadline.daemon = True

    async def running() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _stop_once, loop, stopping, deadline)
        await run(stopping)

    try:
        asyncio.run(running())
    finally:
        deadline.cancel()


def _cut_short() -> None:
    """End as a kill would, which loses nothing: a database that hangs answers no goodbye."""
    _log.warning("stop.cut_short", after_seconds=STOP_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _stop_once(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event, deadline: threading.Timer) -> None:
    stopping.set()
    deadline.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)


@cli.command()
def run(
    config: Config = None,
    demo: Annotated[bool, typer.Option(help="Bring the simulated demo community.")] = True,
) -> None:
    """Run everything in one process: broker, ingest, alerts, API, and the demo community."""
    settings = _started(config)
    simulation = SimulationOptions(broker=wiring.simulator_address(settings)) if demo else None

    async def running(stopping: asyncio.Event) -> None:
        await App(settings, open_clock(settings.var), simulation=simulation).run(stopping)

    _run_part(settings, running)
    print("\nstopped", flush=True)


@cli.command()
def ingest(config: Config = None) -> None:
    """Run the MQTT session, the journal and the telemetry writer."""
    settings = _started(config)

    async def running(stopping: asyncio.Event) -> None:
        supervisor = Supervisor()
        part = parts.Ingest(settings, open_clock(settings.var), Doorbell(), supervisor)
        await serve(stopping, part.opened(), supervisor)

    _run_part(settings, running)


@cli.command()
def alerts(config: Config = None) -> None:
    """Run the alert engine, the notification desk and the deliverer."""
    settings = _started(config)

    async def running(stopping: asyncio.Event) -> None:
        supervisor = Supervisor()
        part = parts.Alerts(settings, open_clock(settings.var), None, supervisor)
        await serve(stopping, part.opened(), supervisor)

    _run_part(settings, running)


@cli.command()
def api(config: Config = None) -> None:
    """Run the HTTP API."""
    settings = _started(config)

    async def running(stopping: asyncio.Event) -> None:
        supervisor = Supervisor()
        part = parts.Api(settings, open_clock(settings.var), supervisor)
        await serve(stopping, _with_token(part), supervisor)

    _run_part(settings, running)


@contextlib.asynccontextmanager
async def _with_token(part: parts.Api) -> AsyncIterator[Mapping[str, Service]]:
    async with part.opened() as services:
        if part.new_token:
            print(f"API token (shown only now): {part.new_token}", flush=True)
        yield services


@cli.command(name="simulate", help="Simulate a community. Incidents: " + ", ".join(CATALOGUE) + ".")
def simulate_command(
    config: Config = None,
    community: Annotated[str, typer.Option(help="`demo`, or a YAML file.")] = "demo",
    elevators: Annotated[int | None, typer.Option(help="That many lifts in place of the community's own.")] = None,
    incident: Annotated[
        list[str] | None, typer.Option(help="NAME, NAME@SECONDS or NAME@SECONDS:DEVICE; repeatable; `none` for none.")
    ] = None,
    repeat: Annotated[float | None, typer.Option(help="Repeat the incidents every so many seconds.")] = 900.0,
    seed: Annotated[int, typer.Option(help="The same seed simulates the same day.")] = 1,
    speed: Annotated[float, typer.Option(help="How much faster than the wall clock devices live.")] = 1.0,
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds.")] = None,
) -> None:
    settings = _started(config)
    options = SimulationOptions(
        broker=wiring.simulator_address(settings),
        community=community if community == "demo" else Path(community),
        elevators=elevators,
        incidents=DEMO_INCIDENTS if incident is None else tuple(_planned(text) for text in incident if text != "none"),
        repeat_seconds=repeat,
        seed=seed,
        speed=speed,
        duration=timedelta(seconds=duration) if duration is not None else None,
    )
    _until_signalled(lambda stopping: simulate(options, SystemClock(), stopping))


def _planned(text: str) -> PlannedIncident:
    name, _, rest = text.partition("@")
    seconds, _, device = rest.partition(":")
    try:
        return PlannedIncident(name, float(seconds or 0), device or None)
    except ValueError:
        raise StartupError(f"incident {text!r}: expected NAME, NAME@SECONDS or NAME@SECONDS:DEVICE") from None


@cli.command(name="check-config")
def check_config(config: Config = None) -> None:
    """Check the settings, code lists, rule files and the plans of who is told and called; say what would run where."""
    settings = load(config)
    code_lists.required_lists(settings.codes.files)
    rules = asyncio.run(wiring.rule_source(settings, None).load())
    plan = asyncio.run(PlanSource(settings.notify.plan, Channels(settings, SystemClock(), os.environ)).load())
    calls = read_emergency_plan(settings.emergency.plan, plan)
    print(settings.model_dump_json(indent=2))
    print(
        f"settings are valid; {len(rules)} rules, {len(plan.receivers)} receivers,"
        f" {len(calls.contacts)} contacts for emergency calls"
    )


@cli.command()
def health(part: Annotated[str, typer.Argument(help="ingest, alerts or api")], config: Config = None) -> None:
    """Exit with 0 while the part's heartbeat is fresh, else with 1 (for health checks of containers)."""
    var = load(config).var
    said = heartbeat.read(var, part, read_clock(var).steady())
    print(f"{part}: {said.status}: {said.detail}")
    if said.status == "down":
        sys.exit(1)


@_token.command()
def add(name: Annotated[str, typer.Argument(help="Who will use it.")], config: Config = None) -> None:
    """Make a token for NAME and print it, the only time it is shown."""
    print(asyncio.run(_with_tokens(load(config), lambda tokens: tokens.add(name, SystemClock().now()))))


@_token.command()
def revoke(name: Annotated[str, typer.Argument(help="Whose token.")], config: Config = None) -> None:
    """Take back the token of NAME."""
    if not asyncio.run(_with_tokens(load(config), lambda tokens: tokens.revoke(name, SystemClock().now()))):
        raise StartupError(f"there is no token in force for {name!r}")
    print(f"revoked: {name}")


@_token.command(name="list")
def list_tokens(config: Config = None) -> None:
    """Print the names of the tokens in force."""
    print("\n".join(asyncio.run(_with_tokens(load(config), lambda tokens: tokens.names()))))


async def _with_tokens(settings: Settings, act: Callable[[TokensAdapter], Awaitable[_Answer]]) -> _Answer:
    wiring.require_writable(settings.var)
    database = wiring.records(settings)
    with in_use(settings):
        try:
            await open_records(database, settings)
            return await act(TokensAdapter(database))
        finally:
            await database.close()
