"""Runs a simulated community against a broker: ``anju simulate``, and the demo inside ``anju run``."""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from core.clock import Clock
from core.devices import DeviceKey
from core.errors import StartupError
from core.wire.commands import ElevatorCommand
from simulators.fleet import Fleet, Output, PhaseBegan, PlannedIncident
from simulators.link import BrokerAddress
from simulators.publisher import Publisher
from simulators.spec import DEMO, load, with_lifts

_log = structlog.get_logger()

# The demo's cycle: something within seconds, the slow ones after it, all over again in a quarter of an hour. The fire
# comes in every third cycle: its alarm stands for half an hour after the last flame, and a new fire would prolong it.
DEMO_CYCLE_SECONDS = 900.0
DEMO_INCIDENTS = (
    PlannedIncident("door-forced", 10.0),
    PlannedIncident("ebike-fire", 30.0, repeat_seconds=3 * DEMO_CYCLE_SECONDS),
    PlannedIncident("trapped-passenger", 90.0),
    PlannedIncident("door-fault", 500.0),
    PlannedIncident("power-cut", 615.0),
    # Longer than the 2 min after which a last will is an alert; over before the door of the same gate is forced again.
    PlannedIncident("device-offline", 660.0, parameters={"silent_seconds": 220.0}),
    # Longer than the 2 min as well, for the lift behind it; over before somebody is trapped in that lift.
    PlannedIncident("gateway-dead", 832.0, parameters={"silent_seconds": 150.0}),
)
# Shorter waits than this would only burn the processor: what is due is sent together.
SHORTEST_WAIT_SECONDS = 0.01
FASTEST = 3_600.0


@dataclass(frozen=True)
class SimulationOptions:
    """What to simulate and where to send it.

    ``community`` is ``demo`` or a YAML file; ``elevators`` replaces its lifts by that many like its first one;
    ``repeat_seconds`` starts every incident again that long (simulated) after its start; ``speed`` above 1 lets devices
    live faster than the wall clock while their messages keep the wall's instants (see `Fleet`); ``duration`` is wall
    time, ``None`` is until stopped.
    """

    broker: BrokerAddress = field(default_factory=BrokerAddress)
    community: str | Path = DEMO
    elevators: int | None = None
    incidents: tuple[PlannedIncident, ...] = DEMO_INCIDENTS
    repeat_seconds: float | None = DEMO_CYCLE_SECONDS
    seed: int = 1
    speed: float = 1.0
    duration: timedelta | None = None


def build_fleet(options: SimulationOptions, start: datetime) -> Fleet:
    """Return the fleet the options describe; raises `StartupError` with one line on what is wrong with them."""
    if not 0 < options.speed <= FASTEST:
        raise StartupError(f"speed {options.speed}: expected more than 0 and at most {FASTEST:g}")
    if options.elevators is not None and not 1 <= options.elevators <= 9_999:
        raise StartupError(f"elevators {options.elevators}: expected 1 to 9999")
    spec = load(options.community)
    if options.elevators is not None:
        spec = with_lifts(spec, options.elevators)
    incidents = [
        PlannedIncident(
            planned.name,
            planned.after_seconds,
            planned.device,
            planned.repeat_seconds or options.repeat_seconds,
            planned.parameters,
        )
        for planned in options.incidents
    ]
    return Fleet(spec, seed=options.seed, start=start, speed=options.speed, incidents=incidents)


async def simulate(
    options: SimulationOptions,
    clock: Clock,
    stopping: asyncio.Event,
    *,
    on_phase: Callable[[PhaseBegan], None] | None = None,
) -> None:
    """Simulate until ``stopping`` is set or the duration is over, then say *offline* for every device and return.

    A broker that is away is waited for. ``on_phase`` hears of every phase of every incident. Raises `StartupError`.
    """
    started = clock.now()
    fleet = build_fleet(options, started)
    options.broker.ssl_context()  # for its errors: better now than at the first connection
    if not fleet.devices:
        raise StartupError(f"community {options.community}: there is no device in it")
    chance = random.Random(options.seed)  # noqa: S311 (jitter, not a secret)

    def tell(outputs: Iterable[Output]) -> None:
        for output in outputs:
            publisher.send(output)
            if isinstance(output, PhaseBegan):
                _log.info("incident.phase", incident=output.incident, phase=output.phase, device=output.device.path)
                if on_phase is not None:
                    on_phase(output)

    def asked(device: DeviceKey, command: ElevatorCommand) -> None:
        tell(fleet.ask(command, device, clock.now()))

    publisher = Publisher(options.broker, fleet.devices, clock, chance=chance, asked=asked)
    until = started + options.duration if options.duration is not None else None
    ended = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(publisher.run(ended), name="simulator publisher")
        try:
            await _live(fleet, tell, clock, stopping, until=until)
        finally:
            ended.set()
    if publisher.dropped:
        _log.warning("simulator.dropped", messages=publisher.dropped)


async def _live(
    fleet: Fleet,
    tell: Callable[[Iterable[Output]], None],
    clock: Clock,
    stopping: asyncio.Event,
    *,
    until: datetime | None,
) -> None:
    while not stopping.is_set():
        now = clock.now()
        if until is not None and now >= until:
            return
        tell(fleet.step(now))
        wake_at = fleet.next_at if until is None else min(fleet.next_at, until)
        await _wait(stopping, max(SHORTEST_WAIT_SECONDS, (wake_at - now).total_seconds()))


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), min(seconds, 3_600.0))
    except TimeoutError:
        return
