"""aiomqtt's client, made fit for brokers that send nonsense; whoever speaks MQTT beside the ingest session uses it."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import aiomqtt
from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode

# No packet that we ask for comes near this: acknowledgements, and commands of some hundred bytes.
LONGEST_BYTES = 1024 * 1024


class MqttClient(aiomqtt.Client):
    """Closes its connection at the first packet that cannot be read, and logs nothing by itself.

    aiomqtt 2.5 takes note of such a packet but leaves the socket registered: paho then meets the same packet at every
    turn of the event loop, with a line in the log each time, without end. Its errors reach the caller as
    `aiomqtt.MqttError` all the same.
    """

    def __init__(self, hostname: str, port: int = 1883, **options: Any) -> None:
        super().__init__(hostname, port, logger=logging.Logger("aiomqtt", logging.CRITICAL), **options)
        self._client.loop_read = partial(_read_or_close, self._client, self._client.loop_read)  # type: ignore[method-assign]
        self._client._sock_recv = partial(_receive, self._client._sock_recv)  # type: ignore[method-assign]
        self._take_connack = self._client._handle_connack
        self._client._handle_connack = self._handle_connack  # type: ignore[method-assign]
        self._let_in = False

    def _handle_connack(self) -> MQTTErrorCode:
        """Take the first CONNACK of a connection; a further one is a protocol error (MQTT 3.1.1, 3.2)."""
        if self._let_in:
            raise ValueError("a second CONNACK")
        self._let_in = True
        return self._take_connack()

    async def __aenter__(self) -> Self:
        lost = self._disconnected
        self._let_in = False
        # Somebody has to ask for it, or asyncio logs it.
        lost.add_done_callback(lambda future: future.cancelled() or future.exception())
        await super().__aenter__()
        if lost.done():
            # aiomqtt would forget it, and take the closed connection for a good one.
            raise aiomqtt.MqttError("the connection was lost as soon as it was made")
        return self


def _read_or_close(client: paho.Client, read: Callable[[int], MQTTErrorCode], max_packets: int = 1) -> MQTTErrorCode:
    try:
        return read(max_packets)
    except Exception:  # noqa: BLE001 - paho raises whatever its parsing meets: IndexError, struct.error, …
        return client._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)


def _receive(receive: Callable[[int], bytes], size: int) -> bytes:
    if size > LONGEST_BYTES:
        raise ValueError(f"a packet of more than {LONGEST_BYTES} bytes")
    return receive(size)
