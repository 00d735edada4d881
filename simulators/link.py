"""One MQTT connection of the simulated fleet: buffered, in order, QoS 1, reconnecting by itself."""

import asyncio
import contextlib
import random
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiomqtt
import msgspec
import structlog

from core.clock import Clock
from core.devices import DeviceKey, DeviceKind
from core.errors import StartupError
from core.mqtt_client import MqttClient
from core.wire.commands import ROOT as COMMANDS
from core.wire.commands import ElevatorCommand, device_of
from core.wire.commands import build as build_command
from core.wire.payloads import PresenceStatus
from simulators.fleet import Outgoing, presence

_log = structlog.get_logger()
# A batch waits for its last acknowledgement, and Mosquitto without `set_tcp_nodelay true` holds that up for some 40 ms.
# One gateway link carried 1,600 messages/s with 100 in flight, 2,700 with 500; with that setting 4,500 or more.
IN_FLIGHT = 500
# What a gateway with a little memory keeps while the broker is away; beyond it the oldest goes.
BUFFER_MESSAGES = 10_000
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 15.0
STOP_SECONDS = 3.0


@dataclass(frozen=True)
class BrokerAddress:
    """Where the broker is and how to be let in; ``tls`` checks the server by ``ca_file`` or the system's."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return the TLS settings, ``None`` for a plain connection; `StartupError` when ``ca_file`` is of no use."""
        try:
            return ssl.create_default_context(cafile=self.ca_file) if self.tls else None
        except OSError as error:
            raise StartupError(f"CA file {self.ca_file}: {error}") from error


Asked = Callable[[DeviceKey, ElevatorCommand], None]
"""What hears of a command; must not wait."""


class Link:
    """Carries the messages of ``devices`` over one connection, ``identifier``; ``asked`` hears what they are asked.

    Every connection begins with each device's birth; an orderly end says each one's *offline*. A link of one device
    also leaves a last will. A link of several cannot, as behind a real gateway: MQTT has one will for a connection.
    """

    def __init__(
        self,
        address: BrokerAddress,
        identifier: str,
        devices: list[DeviceKey],
        clock: Clock,
        chance: random.Random,
        asked: Asked | None = None,
    ) -> None:
        self.dropped = 0
        self._asked = asked
        self._address = address
        self._identifier = identifier
        self._devices = dict.fromkeys(devices, PresenceStatus.ONLINE)
        self._clock = clock
        self._chance = chance
        self._buffer: deque[Outgoing] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._cut = False
        self._failures = 0

    def offer(self, outgoing: Outgoing) -> None:
        """Take a message for sending; when the buffer is full, the oldest is dropped and counted."""
        if len(self._buffer) >= BUFFER_MESSAGES:
            self._buffer.popleft()
            self.dropped += 1
        self._buffer.append(outgoing)
        self._wake.set()

    def lose(self, device: DeviceKey) -> None:
        """Let ``device`` vanish: alone on its link it breaks the connection, behind a gateway it is reported gone."""
        self._devices[device] = PresenceStatus.OFFLINE
        if len(self._devices) == 1:
            self._cut = True
            self._wake.set()
        else:
            self.offer(presence(device, PresenceStatus.OFFLINE, self._clock.now()))

    def restore(self, device: DeviceKey) -> None:
        """Let ``device`` come back."""
        self._devices[device] = PresenceStatus.ONLINE
        if len(self._devices) == 1:
            self._cut = False
            self._wake.set()
        else:
            self.offer(presence(device, PresenceStatus.ONLINE, self._clock.now()))

    def stop(self) -> None:
        """Send what is buffered, say goodbye and end `run`."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Keep the connection until `stop`; a broker that cannot be reached is tried again, for ever."""
        while not self._stopping:
            if self._cut:
                await self._woken()
                continue
            try:
                await self._connect()
            except aiomqtt.MqttError as error:
                if not self._cut:
                    await self._failed(error)

    async def _connect(self) -> None:
        async with self._client() as client:
            self._failures = 0
            # First the ears: who says that it is there can be asked.
            await self._listen(client)
            await self._say_presence(client, self._devices)
            await self._until_ended(client)
            if self._cut:
                # aiomqtt can only end politely, which withdraws the will; the socket under it can break.
                _break(client)
            elif self._stopping:
                await self._say_presence(client, dict.fromkeys(self._devices, PresenceStatus.OFFLINE))

    async def _listen(self, client: aiomqtt.Client) -> None:
        """Subscribe to what lifts are asked, unless nobody wants to hear of it."""
        lifts = [device for device in self._devices if device.kind is DeviceKind.ELEVATOR]
        if self._asked is None or not lifts:
            return
        communities = {f"{COMMANDS}/{lift.community}/{lift.kind.value}/+" for lift in lifts}
        topics = [build_command(lifts[0])] if len(lifts) == 1 else sorted(communities)
        await client.subscribe([(topic, 1) for topic in topics])

    async def _watch(self, client: aiomqtt.Client) -> None:
        """Take what devices are asked; ends, or raises, with the connection."""
        async for message in client.messages:
            with contextlib.suppress(ValueError, msgspec.DecodeError):  # Whatever it is, it is none of our commands.
                device = device_of(str(message.topic))
                command = msgspec.json.decode(message.payload, type=ElevatorCommand)
                if self._asked is not None and device in self._devices:
                    self._asked(device, command)

    async def _failed(self, error: aiomqtt.MqttError) -> None:
        self._failures += 1
        if self._failures == 1:
            _log.warning("simulator.disconnected", link=self._identifier, error=str(error))
        await self._pause(self._failures)

    def _client(self) -> aiomqtt.Client:
        alone = next(iter(self._devices)) if len(self._devices) == 1 else None
        will = presence(alone, PresenceStatus.OFFLINE, self._clock.now()) if alone else None
        client = MqttClient(
            self._address.host,
            self._address.port,
            username=self._address.username,
            password=self._address.password,
            tls_context=self._address.ssl_context(),
            identifier=self._identifier,
            keepalive=30,
            max_inflight_messages=IN_FLIGHT,
            will=aiomqtt.Will(will.topic, will.payload, qos=1, retain=True) if will else None,
        )
        client.pending_calls_threshold = IN_FLIGHT
        return client

    async def _until_ended(self, client: aiomqtt.Client) -> None:
        # Two things end it: we do (cut, stop), or the broker does, which only the reading side sees at once.
        ours = asyncio.create_task(self._pump(client), name=f"{self._identifier} pump")
        theirs = asyncio.create_task(self._watch(client), name=f"{self._identifier} watch")
        try:
            done, _ = await asyncio.wait((ours, theirs), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ours, theirs):
                task.cancel()
            results = await asyncio.gather(ours, theirs, return_exceptions=True)
        for task, result in zip((ours, theirs), results, strict=True):
            if task in done and isinstance(result, Exception):
                raise result

    async def _pump(self, client: aiomqtt.Client) -> None:
        while not self._cut:
            if self._buffer:
                batch = [self._buffer[index] for index in range(min(IN_FLIGHT, len(self._buffer)))]
                dropped = self.dropped
                await self._publish(client, batch)
                # What was dropped meanwhile came off the same end of the buffer.
                for _ in range(len(batch) - (self.dropped - dropped)):
                    self._buffer.popleft()
            elif self._stopping:
                return
            else:
                await self._woken()

    async def _publish(self, client: aiomqtt.Client, batch: list[Outgoing]) -> None:
        sent = (client.publish(each.topic, each.payload, qos=1, retain=each.retain) for each in batch)
        for result in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _say_presence(self, client: aiomqtt.Client, statuses: Mapping[DeviceKey, PresenceStatus]) -> None:
        now = self._clock.now()
        messages = [presence(device, status, now) for device, status in statuses.items()]
        for start in range(0, len(messages), IN_FLIGHT):
            await self._publish(client, messages[start : start + IN_FLIGHT])

    async def _woken(self) -> None:
        await self._wake.wait()
        self._wake.clear()

    async def _pause(self, failures: int) -> None:
        longest = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 10))
        deadline = asyncio.get_running_loop().time() + longest * self._chance.uniform(0.5, 1.0)
        while not self._stopping and (left := deadline - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.wait_for(self._woken(), left)
            except TimeoutError:
                return


def _break(client: aiomqtt.Client) -> None:
    connection = client._client.socket()
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_RDWR)
