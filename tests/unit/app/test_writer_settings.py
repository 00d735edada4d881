"""How the telemetry writer cuts its batches follows from the store."""

from datetime import timedelta

from app import wiring
from app.settings import InfluxSettings, Settings, TelemetrySettings


def test_influxdb_gets_fewer_and_larger_requests() -> None:
    influx = InfluxSettings.model_validate({"token": "secret"})
    settings = Settings(telemetry=TelemetrySettings(store="influx"), influx=influx)

    assert wiring.writer_settings(settings).fill_time == timedelta(milliseconds=200)


def test_the_embedded_store_is_never_waited_for() -> None:
    settings = Settings(telemetry=TelemetrySettings(store="embedded"))

    assert wiring.writer_settings(settings).fill_time == timedelta(0)
