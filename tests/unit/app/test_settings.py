"""Settings: what is wrong is named in one line, and secrets never are."""

from collections.abc import Callable
from pathlib import Path

import pytest

from api.voice_ice import IceSettings
from app.settings import load
from app.wiring import ice
from core.errors import StartupError

WRONG = {
    "unknown section": ({"ANJU_MQT__PORT": "1"}, "ANJU_MQT__PORT: no such setting"),
    "unknown key": ({"ANJU_MQTT__PORTT": "1"}, "mqtt.portt"),
    "a slip in a section": ({"ANJU_MQT__PORT": "1"}, "did you mean ANJU_MQTT__PORT?"),
    "a slip in a key": ({"ANJU_MQTT__PORTT": "1"}, "did you mean mqtt.port?"),
    "a key like no other": (
        {"ANJU_MQTT__XYZZY": "1"},
        "[ANJU_MQTT__XYZZY]: Extra inputs are not permitted (given: '1')",
    ),
    "not a number": ({"ANJU_MQTT__PORT": "abc"}, "mqtt.port"),
    "beyond its bounds": ({"ANJU_API__PORT": "70000"}, "less than or equal to 65535"),
    "unknown choice": ({"ANJU_MQTT__PROTOCOL": "4"}, "'3.1.1' or '5'"),
    "unknown zone": ({"ANJU_TIME__ZONE": "Mars/Base"}, "no time zone"),
    "password without user": ({"ANJU_MQTT__PASSWORD": "hush"}, "username is not"),
    "InfluxDB without token": ({"ANJU_TELEMETRY__STORE": "influx"}, "ANJU_INFLUX__TOKEN"),
    "relay without its secret": ({"ANJU_VOICE__TURN_URL": "turn:relay.example"}, "go together"),
    "a relay that is none": ({"ANJU_VOICE__TURN_URL": "relay.example", "ANJU_VOICE__TURN_SECRET": "hush"}, "^turns?:"),
    "a STUN server that is none": ({"ANJU_VOICE__STUN": '["relay.example"]'}, "stun:host:port"),
    "missing file": ({"ANJU_CONFIG": "/nowhere/anju.toml"}, "does not exist"),
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("ANJU_") and not name.startswith("ANJU_TEST_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(("environment", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_setting_is_named(environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StartupError) as raised:
        load()
    assert expected in str(raised.value)
    assert "hush" not in str(raised.value)
    assert "\n" not in str(raised.value)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (lambda path: path.mkdir(), "is no file"),
    "nested too deeply": (lambda path: path.write_text(f"a = {'[' * 5_000}"), "nested too deeply"),
    "NULs": (lambda path: path.write_bytes(bytes(4_096)), "configuration file"),
    "UTF-16": (lambda path: path.write_text("[mqtt]", encoding="utf-16"), "configuration file"),
    "a chain of links to itself": (lambda path: path.symlink_to(path), "anju.toml"),
}


@pytest.mark.parametrize(("make", "expected"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_configuration_is_named(
    tmp_path: Path, make: Callable[[Path], object], expected: str
) -> None:
    make(tmp_path / "anju.toml")
    with pytest.raises(StartupError, match=expected) as raised:
        load(tmp_path / "anju.toml")
    assert "\n" not in str(raised.value)


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "anju.toml"
    file.write_text('[mqtt]\nhost = "broker.example"\nport = 1884\n')
    monkeypatch.setenv("ANJU_MQTT__PORT", "1885")
    settings = load(file)
    assert (settings.mqtt.host, settings.mqtt.port) == ("broker.example", 1885)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANJU_MQTT__USERNAME", "anju")
    monkeypatch.setenv("ANJU_MQTT__PASSWORD", "hush")
    monkeypatch.setenv("ANJU_RECORDS__URL", "postgresql+psycopg://anju:hush@db/anju")
    settings = load()
    assert "hush" not in repr(settings) + settings.model_dump_json()
    assert settings.records_url == "postgresql+psycopg://anju:hush@db/anju"


def test_an_empty_address_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANJU_NOTIFY__BASE_URL", "")
    assert load().notify.base_url is None


def test_voices_have_the_relay_of_the_settings_and_none_where_they_are_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANJU_VOICE__TURN_URL", "")
    monkeypatch.setenv("ANJU_VOICE__TURN_SECRET", "")
    assert ice(load()) == IceSettings()
    monkeypatch.setenv("ANJU_VOICE__STUN", '["stun:relay.example:3478"]')
    monkeypatch.setenv("ANJU_VOICE__TURN_URL", "turn:relay.example:3478")
    monkeypatch.setenv("ANJU_VOICE__TURN_SECRET", "hush")
    settings = load()
    assert ice(settings) == IceSettings(("stun:relay.example:3478",), "turn:relay.example:3478", "hush")
    assert "hush" not in repr(settings)
