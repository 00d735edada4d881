"""One connection to the broker: paho speaks the protocol, `BufferedSocket` carries the messages."""

import socket as socket_module
import ssl
import time
from typing import Any, cast

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from core.errors import StartupError
from ingest.buffered_socket import BufferedSocket
from ingest.packets import Publish
from ingest.session_settings import SessionSettings

# CONNACK codes by which a broker asks to come back later (MQTT 5.0, 3.2.2.2): unavailable, busy, quota, use another.
_COME_BACK = {0x88, 0x89, 0x97, 0x9C, 0x9D, 0x9F}
_QOS = 1
# A chunk of the smallest packets keeps paho busy for half a second; who reads has other things to look at.
_PAHO_SECONDS = 0.1
# What paho may hold of QoS 2 messages that the broker does not release; an honest one has few in flight.
_QOS_2_BYTES = 64 * 1024 * 1024


class SessionClient(paho.Client):
    """paho's client, with a `BufferedSocket` under it."""

    buffered: BufferedSocket | None = None

    def _create_socket(self) -> Any:
        self.buffered = BufferedSocket(
            cast("socket_module.socket", super()._create_socket()),
            version_5=self.protocol == MQTTProtocolVersion.MQTTv5,
        )
        return self.buffered

    def _ssl_wrap_socket(self, tcp_sock: socket_module.socket) -> ssl.SSLSocket:
        # paho leaves the socket open when the handshake fails; the standard library's own handshake closes it.
        return cast(ssl.SSLContext, self._ssl_context).wrap_socket(tcp_sock, server_hostname=self.host)


class BrokerLink:
    """One connection, from CONNECT to its end; a new one is made for every try.

    So a packet identifier of one connection can never be acknowledged on another.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._client = _client(settings)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._by_qos_2: list[Publish] = []
        self._qos_2: set[int] = set()
        self.accepted = False
        self.session_present = False
        self.subscribed: bool | None = None
        """``None`` until the broker answered the subscription."""
        self.refusal = ""
        """Why the broker does not want us or our subscription; empty when it does, or has not said."""
        self.silent = False
        """Whether we hung up because no message came."""
        self.lost = ""
        """Why the connection is over; empty while it is not."""
        self.garbled = False
        """Whether it is over because the broker sent what is no MQTT."""
        self._control_bytes = 0

    def open(self) -> None:
        """Connect and send CONNECT. Raises OSError (`ssl.SSLError` included)."""
        settings = self._settings
        if settings.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = int(settings.session_expiry.total_seconds())
            properties.ReceiveMaximum = settings.receive_maximum
            self._client.connect(
                settings.host, settings.port, settings.keepalive_seconds, clean_start=False, properties=properties
            )
        else:
            self._client.connect(settings.host, settings.port, settings.keepalive_seconds)

    @property
    def socket(self) -> BufferedSocket:
        """The connection; only after `open`."""
        if self._client.buffered is None:
            raise RuntimeError("open() comes first")
        return self._client.buffered

    def read(self) -> tuple[list[Publish], bool]:
        """Read once, let paho answer what is for it; return the messages, and whether there may be more at once.

        Bytes that are no MQTT end the connection.
        """
        try:
            publishes, more = ([], True) if self.socket.has_control else self.socket.fill()
            if self.socket.has_control:
                self._let_paho_read()
                publishes += self._by_qos_2
                self._by_qos_2.clear()
                self._bound_qos_2()
        except Exception as error:  # noqa: BLE001 - paho raises whatever its parsing meets: IndexError, struct.error, …
            self._note_garbled(f"{type(error).__name__}: {error}".rstrip(": "))
            return [], False
        return publishes, more and not self.lost

    def _bound_qos_2(self) -> None:
        held = self._client._in_messages
        self._control_bytes = self._control_bytes + self.socket.control_bytes if held else 0
        self.socket.control_bytes = 0
        if self._control_bytes > _QOS_2_BYTES:
            self._note_garbled(f"{len(held)} messages of QoS 2 that are not released")

    def _note_garbled(self, what: str) -> None:
        self.garbled = True
        self.lost = self.lost or f"the broker sends what is no MQTT: {what}"

    def _let_paho_read(self) -> None:
        rc, end = MQTTErrorCode.MQTT_ERR_SUCCESS, time.monotonic() + _PAHO_SECONDS
        while self.socket.has_control and rc == MQTTErrorCode.MQTT_ERR_SUCCESS and not self.lost:
            if time.monotonic() > end:
                return  # The next read goes on here.
            rc = self._client.loop_read()
        # What callbacks queued (a subscription) waits for this.
        while rc == MQTTErrorCode.MQTT_ERR_SUCCESS and self._client.want_write() and not self.lost:
            rc = self._client.loop_write()
        if rc == MQTTErrorCode.MQTT_ERR_PROTOCOL:
            self._note_garbled(paho.error_string(rc))
        elif rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.lost = self.lost or paho.error_string(rc)

    def acknowledge(self, mids: list[int]) -> None:
        """Acknowledge the messages in order; 0 stands for QoS 0 and is passed over."""
        for mid in self._qos_2.intersection(mids):
            self._client.ack(mid, 2)
            self._qos_2.remove(mid)
            mids = [other for other in mids if other != mid]
        self.socket.acknowledge([mid for mid in mids if mid])
        self._note_end()

    def subscribe(self) -> None:
        """Ask for the subscriptions; the answer comes with a later `read`."""
        self.subscribed = None
        topics = self._settings.subscriptions
        if self._settings.protocol == "5":
            # The broker repeats retained messages only for a subscription that it did not have.
            options = SubscribeOptions(qos=_QOS, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            self._client.subscribe([(topic, options) for topic in topics])
        else:
            self._client.subscribe([(topic, _QOS) for topic in topics])

    def look_after(self) -> None:
        """Keep the connection alive and notice when it is not; about once a second."""
        self.socket.flush()
        self._client.loop_misc()
        self._note_end()

    def ping_unread(self) -> None:
        """Tell the broker that we live while nothing is read."""
        self.socket.ping()
        self._note_end()

    def _note_end(self) -> None:
        if self.socket.ended is not None and not self.lost:
            self.lost = str(self.socket.ended)

    def disconnect(self) -> None:
        """Say goodbye, keeping the session at the broker."""
        self._client.disconnect()
        self.close()

    def close(self) -> None:
        """Drop the connection; calling it again does nothing."""
        self.lost = self.lost or "closed"
        if self._client.buffered is not None:
            self._client.buffered.close()

    def _on_connect(
        self, _client: paho.Client, _user: Any, flags: paho.ConnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if self.accepted:
            self._note_garbled("a second CONNACK")
        elif reason.is_failure:
            come_back = reason.value in _COME_BACK
            self.lost = f"{reason}"
            self.refusal = "" if come_back else f"{reason}"
        else:
            self.accepted = True
            self.session_present = flags.session_present

    def _on_subscribe(
        self, _client: paho.Client, _user: Any, _mid: int, reasons: list[ReasonCode], _more: Properties | None
    ) -> None:
        wanted = zip(self._settings.subscriptions, reasons, strict=False)
        refused = [f"{topic}: {reason}" for topic, reason in wanted if reason.is_failure]
        self.refusal = f"subscription refused: {'; '.join(refused)}" if refused else ""
        self.subscribed = not refused

    def _on_disconnect(
        self, _client: paho.Client, _user: Any, _flags: paho.DisconnectFlags, reason: ReasonCode, _more: Any
    ) -> None:
        ended = self.socket.ended
        self.lost = self.lost or (str(ended) if ended else str(reason))

    def _on_message(self, _client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        # Only a session left by another program with the same client id can hold messages of QoS 2.
        self._by_qos_2.append((message.topic.encode(), bytes(message.payload), message.mid))
        self._qos_2.add(message.mid)


def _client(settings: SessionSettings) -> SessionClient:
    version_5 = settings.protocol == "5"
    client = SessionClient(
        CallbackAPIVersion.VERSION2,
        settings.client_id,
        clean_session=None if version_5 else False,
        protocol=MQTTProtocolVersion.MQTTv5 if version_5 else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = settings.connect_timeout.total_seconds()
    if settings.username is not None:
        client.username_pw_set(settings.username, settings.password)
    if settings.tls:
        client.tls_set_context(tls_context(settings))
    return client


def tls_context(settings: SessionSettings) -> ssl.SSLContext:
    """Return what is trusted and who we are. Raises `StartupError` when a file is of no use."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        files = ", ".join(str(file) for file in (settings.ca_file, settings.cert_file, settings.key_file) if file)
        raise StartupError(f"TLS files of the broker connection ({files}): {error}") from error
    return context
