"""Which adapter stands behind which port: everything is put together here and nowhere else."""

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import TypedDict
from zoneinfo import ZoneInfo

from alerts.notify.confirming import ConfirmLinks
from alerts.scheduling import Budget, Budgets
from alerts.unknown_devices import UnknownLimits
from api.voice_ice import IceSettings
from app import rights
from app.disk import DiskWatch, floor_of
from app.last_good import LastGood
from app.rule_source import RuleSource
from app.settings import Settings
from core import configuration
from core.clock import Clock
from core.errors import StartupError
from emergency.tokens import PointTokens
from ingest.decoders.native import NativeDecoder
from ingest.session import SessionSettings
from ingest.writer_state import WriterSettings
from simulators.link import BrokerAddress
from storage import damage
from storage.journal.sealing import Seal, is_sealed_journal
from storage.journal.sqlite import SqliteJournal
from storage.records import GoodConfigurationsAdapter, RecordsDatabase, RuleBookAdapter
from storage.reserve import Floor
from storage.telemetry.embedded import EmbeddedTelemetry
from storage.telemetry.influx import InfluxTelemetry
from storage.telemetry.influx_backup import InfluxBackup

_KEY_BYTES = 32
INFLUX_FILL_BELOW = 2_000
INFLUX_FILL_TIME = timedelta(milliseconds=200)


def require_writable(folder: Path) -> None:
    """Create ``folder`` where needed; raises `StartupError` in one line when nothing can be written there."""
    probe = folder / f".writable-{os.getpid()}"
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StartupError(
            f"folder {folder} cannot be written: {error.strerror}; set ANJU_VAR to one that can"
        ) from None


def prepare_folder(settings: Settings) -> None:
    """Make the folder `var` ready for a part: there, writable and private, with the databases that lie elsewhere.

    Raises `StartupError`.
    """
    require_writable(settings.var)
    rights.mend_folder(settings.var)
    for path in (settings.journal_path, settings.telemetry_path, settings.records_path):
        if path is not None and settings.var not in path.parents:
            rights.mend_database(path)


def journal(settings: Settings, *, appending: bool) -> SqliteJournal:
    """Return the journal, opened. Raises `StartupError` where it is not the one that was here, and what it raises."""
    damage.require_known(settings.journal_path, "journal")
    opened = SqliteJournal(
        settings.journal_path,
        remembered=settings.journal.remembered,
        floor=_floor(settings, settings.journal_path) if appending else None,
        seal=journal_seal(settings),
    )
    opened.open(appending=appending)
    if appending:
        damage.mark(settings.journal_path)
    return opened


def journal_seal(settings: Settings) -> Seal:
    """Return what seals and opens the journal's messages; its key is made at the first start, and never again.

    Raises `StartupError` where the key is missing beside a journal that was sealed with one.
    """
    path = settings.journal_key_path
    if not path.exists() and is_sealed_journal(settings.journal_path):
        raise StartupError(
            f"key file {path} is missing, and journal {settings.journal_path} is sealed with it: bring it back; if it "
            f"is lost, `anju journal rescue --without-key {settings.journal_path}` goes on with a new journal and "
            f"keeps this one beside it"
        )
    return Seal(_kept_key(path))


def _floor(settings: Settings, path: Path) -> Floor:
    return floor_of(path.parent, settings.disk)


def disk_watch(settings: Settings, *, messages: bool = False, records: bool = False) -> DiskWatch:
    """Return the watch over the disks of the folder `var`, of journal and telemetry, of records that are a file."""
    folders, reserved = list[Path](), list[Path]()
    if messages:
        folders.append(settings.journal_path.parent)
        reserved.append(settings.journal_path)
        if settings.telemetry.store == "embedded":
            folders.append(settings.telemetry_path.parent)
    if records and (path := settings.records_path) is not None:
        folders.append(path.parent)
        reserved.append(path)
    return DiskWatch(settings, folders, reserved)


def telemetry(settings: Settings) -> InfluxTelemetry | EmbeddedTelemetry:
    """Return the telemetry store that the settings choose; it connects when first used."""
    if settings.telemetry.store == "embedded":
        return EmbeddedTelemetry(settings.telemetry_path, _floor(settings, settings.telemetry_path))
    return InfluxTelemetry(**_bucket(settings), retention=settings.retention)


def influx_backup(settings: Settings) -> InfluxBackup:
    """Return what copies the bucket of the settings and brings it back."""
    return InfluxBackup(**_bucket(settings))


class _Bucket(TypedDict):
    url: str
    token: str
    org: str
    bucket: str


def _bucket(settings: Settings) -> _Bucket:
    influx = settings.influx
    token = influx.token.get_secret_value() if influx.token else ""
    return _Bucket(url=influx.url, token=token, org=influx.org, bucket=influx.bucket)


def ice(settings: Settings) -> IceSettings:
    """Return the servers by which voices find a way between networks."""
    voice = settings.voice
    secret = voice.turn_secret.get_secret_value() if voice.turn_secret else ""
    return IceSettings(tuple(voice.stun), voice.turn_url or "", secret)


def writer_settings(settings: Settings) -> WriterSettings:
    """Return how the telemetry writer cuts its batches for the chosen store."""
    if settings.telemetry.store == "embedded":
        return WriterSettings()
    # Every request to InfluxDB costs both sides some milliseconds: fewer and larger ones. Alerts do not wait for them.
    return WriterSettings(fill_below=INFLUX_FILL_BELOW, fill_time=INFLUX_FILL_TIME)


def records(settings: Settings) -> RecordsDatabase:
    """Return the records database, not opened yet."""
    return RecordsDatabase(settings.records_url)


def zone(settings: Settings) -> ZoneInfo:
    """Return the zone of the community."""
    return ZoneInfo(settings.time.zone)


def decoder(settings: Settings) -> NativeDecoder:
    """Return the decoder; both readers of the journal must use one with the same settings."""
    return NativeDecoder(
        zone=zone(settings),
        pseudonym_key=_kept_key(settings.var / "pseudonym.key"),
        future_limit=timedelta(seconds=settings.time.future_limit_seconds),
        late_after=timedelta(seconds=settings.time.late_after_seconds),
    )


def unknown_limits(settings: Settings) -> UnknownLimits:
    """Return how many unregistered devices the engine remembers."""
    return UnknownLimits(settings.devices.unknown_per_community, settings.devices.unknown_elsewhere)


def budgets(settings: Settings) -> Budgets:
    """Return how much of a device and of a community is decided at once."""
    floods = settings.floods
    device = Budget(floods.device_rate, floods.device_burst)
    return Budgets(device, Budget(floods.community_rate, floods.community_burst))


def confirm_links(settings: Settings) -> ConfirmLinks:
    """Return what makes and reads the links of weekly tests; the deliverer and the API must share the folder `var`."""
    return ConfirmLinks(_kept_key(settings.var / "weekly-test.key"), settings.notify.base_url)


def point_tokens(settings: Settings) -> PointTokens:
    """Return what derives the tokens of call points; who prints sheets and who serves pages must share `var`."""
    return PointTokens(_kept_key(settings.var / "call-points.key"))


def _kept_key(path: Path) -> bytes:
    """Return the secret key in ``path``, made at the first start; whoever comes first makes it."""
    try:
        return _read_or_make_key(path)
    except OSError as error:
        raise StartupError(f"key file {path}: {error.strerror}; expected a disk with room that we may write") from None


def _read_or_make_key(path: Path) -> bytes:
    draft = path.with_suffix(f".{os.getpid()}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        try:
            # A link appears whole or not at all, and fails where another part was first.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise StartupError(f"key file {path} holds {len(key)} bytes, expected {_KEY_BYTES}; restore it")
    return key


def rule_source(settings: Settings, database: RecordsDatabase | None, keeping: Clock | None = None) -> RuleSource:
    """Return where the rules come from: built-in pack and files, and before them those kept in ``database``.

    With ``keeping``, what is taken over is kept there for a start with broken files.
    """
    book = None if database is None else RuleBookAdapter(database)
    good = None if database is None else last_good(database, configuration.RULES, keeping)
    return RuleSource(builtin=settings.rules.builtin, paths=settings.rules.files, book=book, last_good=good)


def last_good(database: RecordsDatabase, kind: str, keeping: Clock | None) -> LastGood:
    """Return the last good version of one ``kind`` of configuration; without ``keeping`` it is only read."""
    return LastGood(GoodConfigurationsAdapter(database), kind, keeping)


def session_settings(settings: Settings) -> SessionSettings:
    """Return the MQTT session as the settings want it."""
    mqtt = settings.mqtt
    silence = mqtt.silence_seconds
    return SessionSettings(
        host=mqtt.host,
        port=mqtt.port,
        client_id=mqtt.client_id,
        username=mqtt.username,
        password=mqtt.password.get_secret_value() if mqtt.password else None,
        tls=mqtt.tls,
        ca_file=mqtt.ca_file,
        cert_file=mqtt.cert_file,
        key_file=mqtt.key_file,
        protocol=mqtt.protocol,
        receive_maximum=mqtt.receive_maximum,
        session_expiry=timedelta(days=mqtt.session_expiry_days),
        keepalive_seconds=mqtt.keepalive_seconds,
        linger=timedelta(milliseconds=settings.journal.linger_milliseconds),
        silence_limit=timedelta(seconds=silence) if silence is not None else None,
    )


def simulator_address(settings: Settings) -> BrokerAddress:
    """Return the broker as the simulators reach it: the one Anju listens to."""
    mqtt = settings.mqtt
    return BrokerAddress(
        host=mqtt.host,
        port=mqtt.port,
        username=mqtt.username,
        password=mqtt.password.get_secret_value() if mqtt.password else None,
        tls=mqtt.tls,
        ca_file=str(mqtt.ca_file) if mqtt.ca_file else None,
    )
