"""The asking for tests of car alarms, put together: lifts from the records, tests from the telemetry store."""

import ssl
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import aiomqtt

from api.ports import Records, RegistryStore, TelemetryReader
from app.settings import MqttSettings, Settings
from core.clock import Clock, from_microseconds
from core.devices import DeviceKey, DeviceKind
from core.errors import StartupError, TemporaryError
from core.mqtt_client import MqttClient
from core.wire import commands
from core.wire.commands import ElevatorCommand, ElevatorCommandType
from core.wire.payloads import ElevatorEventType
from emergency.selftest import AlarmTestAsking, KnownLift

_TESTS = (ElevatorEventType.ALARM_TESTED.value, ElevatorEventType.ALARM_TEST_FAILED.value)
_PAGE = 500
_EVENTS_AT_ONCE = 1_000
_PUBACK_SECONDS = 5.0


class LiftsInService:
    """`emergency.selftest.Lifts` over the records."""

    def __init__(self, records: Records, registry: RegistryStore) -> None:
        self._records = records
        self._registry = registry

    async def in_service(self) -> Sequence[KnownLift]:
        """Return every lift that was heard and is not retired."""
        inventory = await self._registry.inventory()
        found: list[KnownLift] = []
        after = None
        while page := await self._records.devices(None, DeviceKind.ELEVATOR.value, after, _PAGE):
            after = page[-1].device.path
            found += [KnownLift(row.device, row.first_heard_at) for row in page if not inventory.of(row.device).retired]
        return found


class TestsInTelemetry:
    """`emergency.selftest.LastTest` over the telemetry store."""

    __test__ = False  # The name must not make pytest collect it.

    def __init__(self, telemetry: TelemetryReader) -> None:
        self._telemetry = telemetry

    async def last_test(self, lift: DeviceKey, since: datetime, until: datetime) -> datetime | None:
        """Read the events of that time, oldest first, and return the instant of the last test among them."""
        newest = None
        while True:
            read = await self._telemetry.range(
                lift, "elevator_event", ["type"], since=since, until=until, limit=_EVENTS_AT_ONCE
            )
            samples = [sample for series in read for sample in series.samples]
            tests = [sample.at_nanoseconds for sample in samples if sample.value in _TESTS]
            newest = _instant(max(tests)) if tests else newest
            if len(samples) < _EVENTS_AT_ONCE:
                return newest
            since = _instant(max(sample.at_nanoseconds for sample in samples)) + timedelta(microseconds=1)


class CommandsToLifts:
    """`emergency.selftest.Ask` over MQTT, with a connection for each asking, for that is seldom.

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
                    await client.publish(commands.build(lift), payload, qos=1, timeout=_PUBACK_SECONDS)
        except aiomqtt.MqttError as error:
            raise TemporaryError(f"commands to lifts: {error}") from error


def alarm_test_asking(
    settings: Settings, clock: Clock, records: Records, registry: RegistryStore, telemetry: TelemetryReader
) -> AlarmTestAsking:
    """Return the service, to be run beside the emergency service; raises `StartupError` for a bad certificate file."""
    tls = _tls(settings.mqtt) if settings.mqtt.tls else None
    lifts, commanding = LiftsInService(records, registry), CommandsToLifts(lambda: _client(settings.mqtt, tls))
    return AlarmTestAsking(lifts.in_service, TestsInTelemetry(telemetry).last_test, commanding.ask, clock)


def _client(mqtt: MqttSettings, tls: ssl.SSLContext | None) -> aiomqtt.Client:
    return MqttClient(
        mqtt.host,
        mqtt.port,
        username=mqtt.username,
        password=mqtt.password.get_secret_value() if mqtt.password else None,
        tls_context=tls,
        timeout=_PUBACK_SECONDS,
    )


def _tls(mqtt: MqttSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=mqtt.ca_file)
        if mqtt.cert_file is not None:
            context.load_cert_chain(mqtt.cert_file, mqtt.key_file)
    except OSError as error:
        raise StartupError(f"certificates of the broker {mqtt.host}: {error}") from error
    return context


def _instant(nanoseconds: int) -> datetime:
    return from_microseconds(nanoseconds // 1_000)
