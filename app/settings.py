"""Every setting, one tree by concern; read from the environment (``ANJU_MQTT__HOST``) and, below it, a TOML file."""

import os
from collections.abc import Iterable, Sequence
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from core.errors import StartupError

PREFIX = "ANJU_"
_NOT_SETTINGS = ("ANJU_CONFIG", "ANJU_TEST_", "ANJU_TOKEN")

Port = Annotated[int, Field(ge=1, le=65_535)]


def _none_if_empty(value: object) -> object:
    """Compose files pass on an empty value for what is not set."""
    return None if value == "" else value


class Section(BaseModel):
    """A part of the tree: a key it does not know is an error, not a typo that silently does nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MqttSettings(Section):
    """The broker Anju listens to."""

    host: str = Field("127.0.0.1", description="Broker's host name or address")
    port: Port = Field(1883, description="Broker's port")
    protocol: Literal["3.1.1", "5"] = Field("3.1.1", description="MQTT version; 5 adds the receive maximum")
    client_id: str = Field("anju-ingest", min_length=1, max_length=64, description="Fixed: the session hangs on it")
    username: str | None = Field(None, description="User name, where the broker asks for one")
    password: SecretStr | None = Field(None, description="Password of that user")
    tls: bool = Field(False, description="Speak TLS")
    ca_file: Path | None = Field(None, description="Certificates to trust, in place of the system's")
    cert_file: Path | None = Field(None, description="Our certificate, where the broker asks for one")
    key_file: Path | None = Field(None, description="Key of that certificate")
    keepalive_seconds: int = Field(30, ge=5, le=3_600, description="Keep-alive told to the broker")
    receive_maximum: int = Field(1_000, ge=1, le=65_535, description="Unacknowledged messages at once (MQTT 5)")
    session_expiry_days: float = Field(7, gt=0, le=365, description="How long the broker keeps our session (MQTT 5)")
    silence_seconds: float | None = Field(300, ge=5, description="Reconnect after hearing nothing for this long")
    startup_seconds: float = Field(15, gt=0, le=600, description="How long a start waits for the broker")

    @model_validator(mode="after")
    def _complete(self) -> "MqttSettings":
        if self.password is not None and self.username is None:
            raise ValueError("password is set but username is not")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        return self


class BrokerSettings(Section):
    """The broker that ``anju run`` starts by itself."""

    embedded: Literal["auto", "mosquitto", "amqtt", "none"] = Field(
        "auto", description="auto: Mosquitto if it is on the PATH, else amqtt in the process; none: use mqtt.host"
    )


class JournalSettings(Section):
    """The durable log of messages."""

    path: Path | None = Field(None, description="File; default journal.sqlite in the folder var")
    key_file: Path | None = Field(
        None, description="Key that messages are sealed with, made at the first start; default journal.key in var"
    )
    max_age_days: float = Field(7, gt=0, le=3_650, description="Read entries older than this are trimmed")
    max_bytes: int = Field(2 * 1024**3, ge=1024**2, description="Read entries beyond this size are trimmed")
    linger_milliseconds: float = Field(5, ge=0, le=10, description="How long a group commit waits for company")
    remembered: int = Field(200_000, ge=1_000, le=10_000_000, description="Messages in which duplicates are found")


class DiskSettings(Section):
    """How much room must be free on the disks Anju writes to (decision 0014)."""

    warn_percent: float = Field(10, ge=0, le=50, description="People are told when less than this share is free")
    warn_mib: int = Field(4_096, ge=0, description="… but never while this much is free: about two days' messages")
    floor_percent: float = Field(5, ge=0, le=50, description="Below this share only the records may grow (full)")
    floor_mib: int = Field(256, ge=0, description="… but never while this much is free")
    reserve_mib: int = Field(
        16,
        ge=1,
        le=1_024,
        description="Room kept inside journal and records each, and once as a file; at most 1/32 of the disk",
    )


class TelemetrySettings(Section):
    """Where signals are kept."""

    store: Literal["embedded", "influx"] = Field("embedded", description="Embedded SQLite file, or InfluxDB 2.x")
    path: Path | None = Field(None, description="File of the embedded store; default telemetry.sqlite in var")
    retention_days: float = Field(400, gt=0, le=36_500, description="How long points are kept")


class InfluxSettings(Section):
    """The InfluxDB 2.x server, where telemetry.store is influx."""

    url: str = Field("http://127.0.0.1:8086", pattern=r"^https?://", description="Address of the server")
    token: SecretStr | None = Field(None, description="API token that may read and write the bucket")
    org: str = Field("anju", min_length=1, description="Organisation")
    bucket: str = Field("anju", min_length=1, description="Bucket")


class RecordsSettings(Section):
    """Devices, alerts and tokens."""

    url: SecretStr | None = Field(
        None, description="postgresql+psycopg://user:password@host/name; default records.sqlite in var"
    )


class RulesSettings(Section):
    """Which rules are in force."""

    builtin: bool = Field(True, description="Use the built-in pack")
    files: list[Path] = Field([], description="Further rule files, YAML, or folders of them")


class CodesSettings(Section):
    """What the codes of lifts mean, beside the lists that come with Anju."""

    files: list[Path] = Field([], description="Code lists of the site, YAML, or folders of them; read at the start")


class DevicesSettings(Section):
    """How many devices that nobody registered are remembered (decision 0016)."""

    unknown_per_community: int = Field(
        2_000, ge=20, le=100_000, description="In one community; the one unheard for longest is forgotten for a new one"
    )
    unknown_elsewhere: int = Field(
        10_000, ge=20, le=100_000, description="In all communities without a registered device together"
    )


class FloodSettings(Section):
    """How much of one sender is decided at once; what is beyond it is kept and decided later (decision 0011)."""

    device_rate: float = Field(
        50,
        ge=1,
        le=100_000,
        description="Of one device, a second; a message counts 1, each 512 bytes 1, an event 5 more",
    )
    device_burst: float = Field(500, ge=50, le=1_000_000, description="… and together, after a while of saying little")
    community_rate: float = Field(5_000, ge=50, le=1_000_000, description="Of all devices of a community, a second")
    community_burst: float = Field(50_000, ge=500, le=10_000_000, description="… and together")


class NotifySettings(Section):
    """Who is told of alerts, and how."""

    plan: Path | None = Field(None, description="Plan of receivers, rota, ladder and routes, YAML; default built in")
    base_url: str | None = Field(
        None, pattern=r"^https?://", description="Where people reach Anju: links in messages begin with it"
    )
    keep_days: float = Field(90, ge=1, le=3_650, description="Notifications finished longer ago than this are deleted")

    @field_validator("base_url", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return _none_if_empty(value)


class EmergencySettings(Section):
    """Who is called for help."""

    plan: Path | None = Field(None, description="Plan of contacts, ladders and communities, YAML; default built in")


class VoiceSettings(Section):
    """How a resident's browser and the duty desk find a way to each other; nothing is needed within one network."""

    stun: list[str] = Field([], description='Servers that tell a browser its outer address: ["stun:turn.example:3478"]')
    turn_url: str | None = Field(
        None, pattern=r"^turns?:[^\s]+$", description="Server that relays audio where there is no direct way"
    )
    turn_secret: SecretStr | None = Field(None, description="Secret shared with it (coturn's static-auth-secret)")

    @field_validator("stun")
    @classmethod
    def _addresses(cls, stun: list[str]) -> list[str]:
        for address in stun:
            if not address.startswith(("stun:", "stuns:")):
                raise ValueError(f"{address!r} is no STUN server; expected stun:host:port")
        return stun

    @field_validator("turn_url", "turn_secret", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return _none_if_empty(value)

    @model_validator(mode="after")
    def _complete(self) -> "VoiceSettings":
        if (self.turn_url is None) != (self.turn_secret is None):
            raise ValueError("turn_url and turn_secret go together")
        return self


class TimeSettings(Section):
    """How far device clocks are believed (decision 0003)."""

    zone: str = Field("Asia/Shanghai", description="Zone in which naive device times are read")
    future_limit_seconds: float = Field(300, ge=0, le=86_400, description="Further ahead than this is clamped")
    late_after_seconds: float = Field(300, ge=1, le=86_400, description="Older than this on arrival is history only")

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{zone!r} is no time zone; expected a name such as Asia/Shanghai") from error
        return zone


class ApiSettings(Section):
    """The HTTP API."""

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: Port = Field(8000, description="Port to listen on")
    max_connections: int = Field(
        1_000, ge=16, le=60_000, description="Connections at once; fewer where the limit of open files leaves fewer"
    )
    max_connections_per_address: int = Field(
        100, ge=4, le=60_000, description="Of them for one IPv4 address or IPv6 /64; behind a proxy: requests at once"
    )
    trusted_proxies: list[str] | None = Field(
        None,
        description="Addresses or networks of reverse proxies: believed in X-Forwarded-For, and under the limit for all"
        " connections only; default what FORWARDED_ALLOW_IPS says, else this machine",
    )
    header_timeout_seconds: float = Field(10, ge=1, le=120, description="A request's header must be complete by then")
    body_timeout_seconds: float = Field(30, ge=1, le=600, description="A request's body must be complete by then")
    write_timeout_seconds: float = Field(
        30, ge=1, le=600, description="A client that takes nothing of an answer for this long is cut off"
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: list[str] | None) -> list[str] | None:
        for proxy in proxies or []:
            if proxy != "*":
                try:
                    ip_network(proxy, strict=False)
                except ValueError as error:
                    raise ValueError(f"{proxy!r} is no address; expected one such as 10.0.0.5 or 10.0.0.0/8") from error
        return proxies

    @property
    def proxies(self) -> list[str]:
        """The reverse proxies in force."""
        if self.trusted_proxies is not None:
            return self.trusted_proxies
        named = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
        return [host.strip() for host in named.split(",") if host.strip()]


class LogSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level written")
    format: Literal["console", "json"] = Field("console", description="For people, or one JSON object a line")


class Settings(BaseSettings):
    """The whole tree. Built once, by `load`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    var: Path = Field(Path("var"), description="Folder for everything Anju keeps by itself")
    mqtt: MqttSettings = MqttSettings()
    broker: BrokerSettings = BrokerSettings()
    journal: JournalSettings = JournalSettings()
    disk: DiskSettings = DiskSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    influx: InfluxSettings = InfluxSettings()
    records: RecordsSettings = RecordsSettings()
    rules: RulesSettings = RulesSettings()
    codes: CodesSettings = CodesSettings()
    devices: DevicesSettings = DevicesSettings()
    floods: FloodSettings = FloodSettings()
    notify: NotifySettings = NotifySettings()
    emergency: EmergencySettings = EmergencySettings()
    voice: VoiceSettings = VoiceSettings()
    time: TimeSettings = TimeSettings()
    api: ApiSettings = ApiSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _influx_token(self) -> "Settings":
        if self.telemetry.store == "influx" and self.influx.token is None:
            raise ValueError("telemetry.store is influx, which needs influx.token (ANJU_INFLUX__TOKEN)")
        return self

    @property
    def journal_path(self) -> Path:
        return self.journal.path or self.var / "journal.sqlite"

    @property
    def journal_key_path(self) -> Path:
        return self.journal.key_file or self.var / "journal.key"

    @property
    def telemetry_path(self) -> Path:
        return self.telemetry.path or self.var / "telemetry.sqlite"

    @property
    def records_path(self) -> Path | None:
        """The file of the records; `None` where a server keeps them."""
        scheme, _, path = self.records_url.partition(":///")
        return Path(path.partition("?")[0]) if scheme.startswith("sqlite") else None

    @property
    def records_url(self) -> str:
        if self.records.url is not None:
            return self.records.url.get_secret_value()
        return f"sqlite+aiosqlite:///{(self.var / 'records.sqlite').absolute()}"

    @property
    def journal_age(self) -> timedelta:
        return timedelta(days=self.journal.max_age_days)

    @property
    def outbox_keep(self) -> timedelta:
        return timedelta(days=self.notify.keep_days)

    @property
    def retention(self) -> timedelta:
        return timedelta(days=self.telemetry.retention_days)


def load(config: Path | None = None) -> Settings:
    """Return the settings in force; raises `StartupError` that names every wrong one and its bounds."""
    config = config or (Path(os.environ["ANJU_CONFIG"]) if os.environ.get("ANJU_CONFIG") else None)
    _refuse_unknown_variables()

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a .env file is for compose to read
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            file = (TomlConfigSettingsSource(settings_cls, config),) if config else ()
            return (init_settings, env_settings, *file)

    try:
        if config is not None and not config.is_file():
            raise StartupError(f"configuration file {config} {'is no file' if config.exists() else 'does not exist'}")
        return FromFile()
    except ValidationError as error:
        raise StartupError("; ".join(map(_say, error.errors(include_url=False)))) from None
    except (OSError, ValueError) as error:
        raise StartupError(f"configuration file {config}: {error}") from None
    except RecursionError:
        raise StartupError(f"configuration file {config}: nested too deeply; expected sections of settings") from None


def _refuse_unknown_variables() -> None:
    for name in os.environ:
        first = name.removeprefix(PREFIX).split("__")[0].lower()
        if name.startswith(PREFIX) and not name.startswith(_NOT_SETTINGS) and first not in Settings.model_fields:
            known = f"{PREFIX}{_nearest(first, Settings.model_fields).upper()}"
            meant = f"; did you mean {name.replace(name.split('__')[0], known, 1)}?" if known != PREFIX else ""
            raise StartupError(f"environment variable {name}: no such setting{meant}; expected one of {_sections()}")


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return the name that ``name`` is most likely a slip of; empty where none is near."""
    return next(iter(get_close_matches(name, list(known), n=1)), "")


def _meant(place: Sequence[str | int]) -> str:
    """Return a hint for the unknown setting at ``place``."""
    *around, name = map(str, place)
    model: Any = Settings
    for part in around:
        model = model.model_fields[part].annotation if part in model.model_fields else None
        if not hasattr(model, "model_fields"):
            return ""
    near = _nearest(name.lower(), model.model_fields)
    return f"; did you mean {'.'.join([*around, near])}?" if near else ""


def _sections() -> str:
    return ", ".join(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)


def _say(error: Any) -> str:
    """Return one error as *where: what (given)*, without ever repeating a secret."""
    place = ".".join(map(str, error["loc"])) or "settings"
    variable = PREFIX + "__".join(str(part).upper() for part in error["loc"])
    secret = any(word in place for word in ("password", "token", "url", "settings")) or isinstance(
        error["input"], dict | Settings
    )
    given = "" if secret else f" (given: {error['input']!r})"
    meant = _meant(error["loc"]) if error["type"] == "extra_forbidden" else ""
    return f"setting {place} [{variable}]: {error['msg']}{given}{meant}"
