"""Commands to lifts over MQTT."""

from collections.abc import Callable, Sequence
from datetime import datetime

import aiomqtt

from core.devices import DeviceKey
from core.errors import TemporaryError
from core.wire import commands
from core.wire.commands import ElevatorCommand, ElevatorCommandType

PUBACK_SECONDS = 5.0


class MqttLiftAsker:
    """Implements `emergency.asking.LiftAsker`: a connection for each asking, for that is seldom.

    ``connect`` makes a client for the broker that devices speak to, not connected yet.
    """

    def __init__(self, connect: Callable[[], aiomqtt.Client]) -> None:
        self._connect = connect

    async def ask(self, lifts: Sequence[DeviceKey], at: datetime) -> None:
        """Publish with QoS 1, not retained: a lift that comes back after days must not act on what was asked before."""
        payload = commands.encode(ElevatorCommand(command=ElevatorCommandType.ALARM_TEST, at=at))
        try:
            async with self._connect() as client:
                for lift in lifts:
                    await client.publish(commands.build(lift), payload, qos=1, timeout=PUBACK_SECONDS)
        except aiomqtt.MqttError as error:
            raise TemporaryError(f"commands to lifts: {error}") from error
