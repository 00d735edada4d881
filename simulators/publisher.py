"""Sends a fleet's messages over MQTT: a connection for each device, with a last will, or one for all of them."""

import asyncio
import random

from core.clock import Clock
from core.devices import DeviceKey
from simulators.fleet import LinkLost, LinkRestored, Outgoing, Output
from simulators.link import STOP_SECONDS, Asked, BrokerAddress, Link

# Above this a connection for each device costs more than its wills are worth; real estates use gateways then, too.
MOST_CONNECTIONS = 50


class Publisher:
    """The links of ``devices`` to the broker at ``address``."""

    def __init__(
        self,
        address: BrokerAddress,
        devices: list[DeviceKey],
        clock: Clock,
        *,
        chance: random.Random,
        most_connections: int = MOST_CONNECTIONS,
        asked: Asked | None = None,
    ) -> None:
        groups = [[device] for device in devices] if len(devices) <= most_connections else [devices]
        self._links = {}
        for group in groups:
            name = group[0].path.replace("/", "-") if len(group) == 1 else f"{group[0].community}-gateway"
            link = Link(address, f"anju-sim-{name}", group, clock, chance, asked)
            self._links.update(dict.fromkeys(group, link))

    @property
    def dropped(self) -> int:
        """How many messages were lost because the broker was away for too long."""
        return sum(link.dropped for link in self._distinct())

    def send(self, output: Output) -> None:
        """Pass on what the fleet said; never waits, see `Link.offer`."""
        match output:
            case Outgoing():
                self._links[output.device].offer(output)
            case LinkLost(device=device):
                self._links[device].lose(device)
            case LinkRestored(device=device):
                self._links[device].restore(device)

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep all links until ``stopping``; then drain and say goodbye, within a few seconds."""
        tasks = [asyncio.create_task(link.run(), name=f"simulator link {i}") for i, link in enumerate(self._distinct())]
        waiting = asyncio.create_task(stopping.wait(), name="simulator stop")
        try:
            # A link that ends before it is told to has failed: its error goes up.
            await asyncio.wait((*tasks, waiting), return_when=asyncio.FIRST_COMPLETED)
            for link in self._distinct():
                link.stop()
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        finally:
            for task in (*tasks, waiting):
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def _distinct(self) -> list[Link]:
        return list(dict.fromkeys(self._links.values()))
