"""The asking for tests of car alarms, put together: lifts from the records, tests from the telemetry store."""

import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta

import aiomqtt

from api.ports import Records, RegistryStore, TelemetryReader
from app.settings import MqttSettings, Settings
from core.clock import Clock, from_microseconds
from core.devices import DeviceKey, DeviceKind
from core.errors import StartupError
from core.mqtt_client import MqttClient
from core.wire.payloads import ElevatorEventType
from emergency.asking import AlarmTestAsking, KnownLift
from emergency.commanding import PUBACK_SECONDS, MqttLiftAsker

_TESTS = (ElevatorEventType.ALARM_TESTED.value, ElevatorEventType.ALARM_TEST_FAILED.value)
_PAGE = 500
_EVENTS_AT_ONCE = 1_000


class LiftsInService:
    """`emergency.asking.Lifts` over the records."""

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
    """`emergency.asking.HeardTests` over the telemetry store."""

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


def alarm_test_asking(
    settings: Settings, clock: Clock, records: Records, registry: RegistryStore, telemetry: TelemetryReader
) -> AlarmTestAsking:
    """Return the service, to be run beside the emergency service; raises `StartupError` for a bad certificate file."""
    tls = _tls(settings.mqtt) if settings.mqtt.tls else None
    asker = MqttLiftAsker(lambda: _client(settings.mqtt, tls))
    return AlarmTestAsking(LiftsInService(records, registry), TestsInTelemetry(telemetry), asker, clock)


def _client(mqtt: MqttSettings, tls: ssl.SSLContext | None) -> aiomqtt.Client:
    return MqttClient(
        mqtt.host,
        mqtt.port,
        username=mqtt.username,
        password=mqtt.password.get_secret_value() if mqtt.password else None,
        tls_context=tls,
        timeout=PUBACK_SECONDS,
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
