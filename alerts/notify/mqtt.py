"""Notifications on the message bus: the notification's document, published with QoS 1."""

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from datetime import tzinfo
from string import Formatter
from typing import Self

import aiomqtt

from alerts.dispatch.model import Intent
from alerts.notify.document import body_of
from core.errors import PermanentError, TemporaryError
from core.mqtt_client import MqttClient

PLACEHOLDERS = frozenset({"community", "severity", "purpose"})
# What devices publish under; a notification there would come back as a message of a device.
DEVICE_PREFIX = "anju/v1"
PUBACK_SECONDS = 5.0
MOST_TOPIC_BYTES = 512
_FORBIDDEN = re.compile(r"[+#\x00-\x1f]")


@dataclass(frozen=True)
class MqttAddress:
    """Where the broker is and how to be let in; ``tls`` checks the server by ``ca_file`` or the system's."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None


class MqttMessenger:
    """Implements ``alerts.ports.Messenger`` by publishing; *delivered* is the broker's PUBACK.

    ``topic`` may hold ``{community}``, ``{severity}`` and ``{purpose}``. The connection is kept; after a loss the next
    delivery makes it anew. Raises `PermanentError` when made with a topic that cannot be used.
    """

    def __init__(
        self, address: MqttAddress, topic: str, *, zone: tzinfo, base_url: str | None, client_id: str | None = None
    ) -> None:
        self._address = address
        self._topic = checked_topic(topic)
        self._zone = zone
        self._base_url = base_url
        self._client_id = client_id
        self._link: _Link | None = None
        self._turn = asyncio.Lock()

    @property
    def _name(self) -> str:
        return f"mqtt {self._address.host}:{self._address.port}"

    async def deliver(self, intent: Intent) -> str:
        """Publish ``intent`` and return once the broker has acknowledged it, as the port says."""
        topic = self._topic.format(
            community=intent.community or "-", severity=intent.severity.value, purpose=intent.purpose.value
        )
        body = body_of(intent, self._zone, self._base_url)
        async with self._turn:
            kept = self._link is not None
            try:
                await self._publish(topic, body)
            except aiomqtt.MqttError as error:
                if not kept:
                    raise TemporaryError(f"{self._name}: {error}") from error
                # A connection from before may have died unnoticed; that alone says nothing of the broker.
                await self._publish_anew(topic, body)
        return f"{self._name}: acknowledged on {topic}"

    async def close(self) -> None:
        """Say goodbye to the broker."""
        async with self._turn:
            await self._drop()

    async def _publish_anew(self, topic: str, body: bytes) -> None:
        try:
            await self._publish(topic, body)
        except aiomqtt.MqttError as error:
            raise TemporaryError(f"{self._name}: {error}") from error

    async def _publish(self, topic: str, body: bytes) -> None:
        try:
            if self._link is None:
                self._link = await _Link.opened(self._address, self._client_id)
            await self._link.publish(topic, body)
        finally:
            if self._link is not None and not self._link.is_clean:
                # What it still holds for sending must not come out later, out of order.
                await self._drop()

    async def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()


class _Link:
    """One connection; ``is_clean`` while everything given to it was acknowledged."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._lost = asyncio.create_task(_until_lost(client), name="mqtt notify link")
        self.is_clean = True

    @classmethod
    async def opened(cls, address: MqttAddress, client_id: str | None) -> Self:
        client = MqttClient(
            address.host,
            address.port,
            username=address.username,
            password=address.password,
            identifier=client_id,
            timeout=PUBACK_SECONDS,
            tls_context=_tls(address),
        )
        return cls(await client.__aenter__())

    async def publish(self, topic: str, body: bytes) -> None:
        """Return when the broker has acknowledged; the library alone would not notice that it is gone meanwhile."""
        self.is_clean = False
        sending = asyncio.create_task(self._client.publish(topic, body, qos=1, timeout=PUBACK_SECONDS))
        try:
            await asyncio.wait({sending, self._lost}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise aiomqtt.MqttError("the connection was lost before the acknowledgement")
            await sending
        finally:
            sending.cancel()
        self.is_clean = True

    async def close(self) -> None:
        self._lost.cancel()
        # It ends by being cancelled or by the loss that it waited for: both are known here.
        await asyncio.gather(self._lost, return_exceptions=True)
        try:
            await self._client.__aexit__(None, None, None)
        except aiomqtt.MqttError:
            return


async def _until_lost(client: aiomqtt.Client) -> None:
    """Return or raise when the connection is gone: nothing is subscribed to, so no message ever comes."""
    async for _ in client.messages:
        pass


def checked_topic(topic: str) -> str:
    """Return ``topic`` if notifications may be published there; raises `PermanentError` with what was expected."""
    expected = "expected a topic such as anju-notify/v1/{community}/{severity}"
    try:
        keys = [(key, spec, conversion) for _, key, spec, conversion in Formatter().parse(topic) if key is not None]
    except ValueError as error:
        raise PermanentError(f"mqtt topic {topic!r}: {error}; {expected}") from error
    if unknown := {key for key, spec, conversion in keys if key not in PLACEHOLDERS or spec or conversion}:
        raise PermanentError(f"mqtt topic {topic!r}: unknown {{{min(unknown)}}}; {expected}")
    if not topic or _FORBIDDEN.search(topic) or topic.startswith("$") or len(topic.encode()) > MOST_TOPIC_BYTES:
        raise PermanentError(f"mqtt topic {topic!r}: no wildcards, not below $, at most 512 bytes; {expected}")
    if "{" in topic.split("/")[0] or f"{topic}/".startswith(f"{DEVICE_PREFIX}/"):
        raise PermanentError(
            f"mqtt topic {topic!r}: may not reach what devices publish ({DEVICE_PREFIX}/…); {expected}"
        )
    return topic


def _tls(address: MqttAddress) -> ssl.SSLContext | None:
    if not address.tls:
        return None
    try:
        return ssl.create_default_context(cafile=address.ca_file)
    except OSError as error:
        raise PermanentError(f"mqtt {address.host}: CA file {address.ca_file}: {error}") from error
