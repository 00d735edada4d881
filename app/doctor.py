"""``anju doctor``: what is wrong with an installation, and what to type.

Each check looks at one thing and changes nothing: no file, key or table is made, none is mended. A check that cannot
look says so, and the others go on.
"""

import asyncio
import ctypes
import os
import resource
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from alerts.dispatch.plan import Plan, people_targets, reaches_people
from app import heartbeat, rights, wiring
from app.channels import Channels
from app.code_lists import required_lists
from app.disk import space_of, warn_below
from app.emergency_plan import read_emergency_plan
from app.metrics import PARTS
from app.plan_source import read_plan
from app.settings import Settings
from core.clock import Clock
from core.observations import PAYLOAD_LIMIT_BYTES
from emergency.ladder import unreached
from ingest.broker_link import tls_context
from storage.damage import require_known, require_sound
from storage.journal.sealing import is_sealed_journal
from storage.journal.sqlite import SqliteJournal
from storage.records import RecordsAdapter

_ANSWER_SECONDS = 5.0
_SLICE_SECONDS = 0.2
_FEW_DESCRIPTORS = 4_096
_EXPIRES_SOON = timedelta(days=30)
_TIME_ERROR = 5
"""`ntp_adjtime(3)`: the clock is not synchronised."""
_TIMEX_BYTES = 512
_CLOCK_TOLERANCE = timedelta(seconds=10)
"""Clocks that are slewed, and processes that read theirs a little later, differ by less."""


class Grade(StrEnum):
    """How a finding is to be taken."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """What a check found; ``way_out`` says what to do, empty where all is well."""

    check: str
    grade: Grade
    text: str
    way_out: str = ""


Check = Callable[[Settings, Clock], Awaitable[Iterator[Finding]]]


async def examine(settings: Settings, clock: Clock) -> list[Finding]:
    """Run all checks, in the order in which one depends on another. Never raises."""
    found: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            async with asyncio.timeout(4 * _ANSWER_SECONDS):
                found += [replace(each, check=name) for each in await check(settings, clock)]
        except TimeoutError as error:
            found.append(Finding(name, Grade.BAD, str(error) or "no answer in time"))
        except Exception as error:  # noqa: BLE001 - a check's border: it must not hide what the others find
            found.append(Finding(name, Grade.BAD, str(error) or repr(error)))
    return found


def _good(text: str) -> Finding:
    return Finding("", Grade.GOOD, text)


def _warning(text: str, way_out: str) -> Finding:
    return Finding("", Grade.WARNING, text, way_out)


def _bad(text: str, way_out: str) -> Finding:
    return Finding("", Grade.BAD, text, way_out)


async def _clock(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    return iter([_synchronised(), _good(f"community's zone: {settings.time.zone}")])


def _synchronised() -> Finding:
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        state = -1
    if state == _TIME_ERROR:
        return _warning("not synchronised", "start chrony or systemd-timesyncd: timedatectl set-ntp true")
    return _good("synchronised") if state >= 0 else _warning("the kernel does not say", "timedatectl")


async def _disk(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    return _of_disk(settings)


def _of_disk(settings: Settings) -> Iterator[Finding]:
    if not settings.var.exists():
        yield _warning(f"{settings.var} does not exist yet", "anju run, or set ANJU_VAR")
        return
    space = space_of(settings.var)
    text = f"{space.free / 2**30:.1f} of {space.total / 2**30:.1f} GiB free under {settings.var}"
    if space.free < warn_below(space, settings.disk):
        yield _bad(text, "make room, or enlarge the disk")
    elif space.few_inodes:
        yield _bad(f"{space.free_inodes} inodes free under {settings.var}", "delete files that nobody needs")
    else:
        yield _good(text)


async def _rights(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    return iter([_of_rights(settings.var)])


def _of_rights(folder: Path) -> Finding:
    if not folder.exists():
        return _warning(f"{folder} does not exist yet", "anju run, or set ANJU_VAR")
    # Root may look as well; then all should belong to whoever has the folder.
    owner = os.geteuid() or folder.lstat().st_uid
    found = list(rights.entries(folder))
    for path, said in found:
        if said.st_uid != owner:
            return _bad(f"{path} belongs to another user", f"chown -R {owner} {folder}")
    for path, said in found:
        if rights.is_open(said):
            return _bad(f"{path} is open to other users", f"chmod -R go-rwx {folder}")
    return _good(f"{folder} and what is in it belong to one user alone")


async def _descriptors(_settings: Settings, _clock: Clock) -> Iterator[Finding]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _FEW_DESCRIPTORS:
        return iter([_warning(f"at most {hard} open files", "LimitNOFILE=65536 in the systemd unit, or ulimit -Hn")])
    return iter([_good(f"at most {'any number of' if hard == resource.RLIM_INFINITY else hard} open files")])


async def _journal(settings: Settings, clock: Clock) -> Iterator[Finding]:
    return await asyncio.to_thread(_of_journal, settings, clock)


def _of_journal(settings: Settings, clock: Clock) -> Iterator[Finding]:
    path, key = settings.journal_path, settings.journal_key_path
    require_known(path, "journal")
    if not path.exists():
        return iter([_warning(f"{path} does not exist yet", "anju run, or anju ingest")])
    if not path.stat().st_size:  # To open it would make a new journal of it.
        return iter(
            [_bad(f"{path} is empty", "restore a backup, or delete it to begin with a new journal and records")]
        )
    # A missing key is made by whoever asks for it, unless the journal is sealed: then it is refused in words.
    seal = wiring.journal_seal(settings) if key.exists() or is_sealed_journal(path) else None
    journal = SqliteJournal(path, seal=seal)
    journal.open(appending=False)
    try:
        last, readers = journal.last_position(), journal.positions()
        newest = journal.read(last - 1, 1)  # Shows whether the key at hand is the journal's.
    finally:
        journal.close()
    behind = ", ".join(f"{name} {last - position} behind" for name, position in sorted(readers.items()))
    ahead = newest[0].received_at - clock.now() if newest else timedelta(0)
    if ahead > _CLOCK_TOLERANCE:
        text = f"the newest message came at {newest[0].received_at:%Y-%m-%d %H:%M:%S} UTC, which is yet to come"
        return iter([_bad(text, "set this machine's clock: timedatectl set-ntp true")])
    return iter([_good(f"reaches position {last}; {behind or 'no reader yet'}")])


async def _records(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    path = settings.records_path
    if path is not None:
        await asyncio.to_thread(require_sound, path, "records")
        if not path.exists():
            return iter([_warning(f"{path} does not exist yet", "anju run, or anju alerts")])
    database = wiring.records(settings)
    try:
        await database.open()
        position = await RecordsAdapter(database).alert_position()
    finally:
        await database.close()
    return iter([_good(f"answer; alerts are decided up to position {position}")])


async def _telemetry(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    if settings.telemetry.store == "embedded":
        await asyncio.to_thread(require_known, settings.telemetry_path, "telemetry")
    if settings.telemetry.store == "embedded" and not settings.telemetry_path.exists():
        return iter([_warning(f"{settings.telemetry_path} does not exist yet", "anju run, or anju ingest")])
    store = wiring.telemetry(settings)
    try:
        await store.ping()
    finally:
        await store.close()
    return iter([_good("InfluxDB answers" if settings.telemetry.store == "influx" else "the file can be used")])


async def _broker(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    return await asyncio.to_thread(_of_broker, settings)


def _of_broker(settings: Settings) -> Iterator[Finding]:
    mqtt = settings.mqtt
    where = f"{mqtt.host}:{mqtt.port}"
    client = paho.Client(CallbackAPIVersion.VERSION2, "anju-doctor", protocol=MQTTProtocolVersion.MQTTv5)
    said: list[tuple[Any, Any]] = []
    client.on_connect = lambda _client, _user, _flags, reason, properties: said.append((reason, properties))
    if mqtt.username is not None:
        client.username_pw_set(mqtt.username, mqtt.password.get_secret_value() if mqtt.password else None)
    if mqtt.tls:
        client.tls_set_context(tls_context(wiring.session_settings(settings)))
    client.connect_timeout = _ANSWER_SECONDS
    try:
        if mqtt.tls:  # First, because paho leaves the socket of a failed handshake open.
            _peer_certificate(settings)
        client.connect(mqtt.host, mqtt.port)
    except OSError as error:
        return iter([_bad(f"{where}: {error}", "start the broker, or set ANJU_MQTT__HOST and ANJU_MQTT__PORT")])
    end = time.monotonic() + _ANSWER_SECONDS
    while not said and time.monotonic() < end and client.loop(timeout=_SLICE_SECONDS) == paho.MQTT_ERR_SUCCESS:
        pass
    client.disconnect()
    if not said or said[0][0].is_failure:
        reason = said[0][0] if said else "no answer"
        return iter([_bad(f"{where}: {reason}", "set ANJU_MQTT__USERNAME and ANJU_MQTT__PASSWORD")])
    return _of_limits(where, said[0][1])


def _of_limits(where: str, properties: Any) -> Iterator[Finding]:
    """Judge what a broker says of itself in CONNACK (MQTT 5.0, 3.2.2.3); one that says nothing has no limit."""
    yield _good(f"{where} lets us in")
    packet = getattr(properties, "MaximumPacketSize", None)
    if packet is None:
        yield _warning(f"{where} takes packets of any size", "set max_packet_size in mosquitto.conf")
    elif packet < PAYLOAD_LIMIT_BYTES:
        yield _bad(f"{where} takes {packet} bytes a packet", f"let max_packet_size be {PAYLOAD_LIMIT_BYTES} at least")
    if getattr(properties, "MaximumQoS", 2) < 1:
        yield _bad(f"{where} takes QoS 0 only: messages can be lost", "use a broker with QoS 1")
    if getattr(properties, "RetainAvailable", 1) == 0:
        yield _warning(f"{where} retains nothing", "presence is then known only from the next message on")


async def _port(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    where = f"{settings.api.host}:{settings.api.port}"
    address = httpx.URL(scheme="http", host=settings.api.host, port=settings.api.port, path="/healthz")
    try:
        async with httpx.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False) as client:
            answer = await client.get(address)
    except httpx.HTTPError:
        with socket.socket(socket.AF_INET6 if ":" in settings.api.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.api.host, settings.api.port))
            except OSError as error:
                return iter([_bad(f"{where}: {error.strerror}", "ANJU_API__PORT sets another port")])
        return iter([_warning(f"nobody answers at {where}", "anju run, or anju api")])
    if "version" not in answer.text:
        return iter([_bad(f"another program answers at {where}", "ANJU_API__PORT sets another port")])
    return iter([_good(f"Anju answers at {where}")])


async def _certificates(settings: Settings, clock: Clock) -> Iterator[Finding]:
    mqtt = settings.mqtt
    if not mqtt.tls:
        return iter([_good("the broker is reached without TLS")])
    try:
        certificate = await asyncio.to_thread(_peer_certificate, settings)
    except ssl.SSLCertVerificationError as error:
        way_out = "renew it, or let ANJU_MQTT__CA_FILE name its authority"
        return iter([_bad(f"the broker's: {error.verify_message}", way_out)])
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    text = f"the broker's is valid until {until:%Y-%m-%d}"
    return iter([_good(text) if until - clock.now() > _EXPIRES_SOON else _warning(text, "renew it")])


def _peer_certificate(settings: Settings) -> dict[str, Any]:
    """Return the broker's certificate, once its authority, name and time are seen to be right. Raises `OSError`."""
    context, where = tls_context(wiring.session_settings(settings)), (settings.mqtt.host, settings.mqtt.port)
    with (
        socket.create_connection(where, timeout=_ANSWER_SECONDS) as connection,
        context.wrap_socket(connection, server_hostname=settings.mqtt.host) as secured,
    ):
        return dict(secured.getpeercert() or {})


async def _plans(settings: Settings, clock: Clock) -> Iterator[Finding]:
    await asyncio.to_thread(required_lists, settings.codes.files)
    await wiring.rule_source(settings, None).load()
    plan = await asyncio.to_thread(read_plan, settings.notify.plan)
    Channels(settings, clock, os.environ).of(plan)
    return _of_plans(settings, plan)


def _of_plans(settings: Settings, plan: Plan) -> Iterator[Finding]:
    calls = read_emergency_plan(settings.emergency.plan, plan)
    yield _good("code lists, rules, notification plan and emergency plan can be used")
    if not reaches_people(plan):
        yield _bad(
            "alerts and calls reach no person, only topics and webhooks",
            "write a plan with a messenger, mail or SMS: docs/how-to/notify-people.md",
        )
    for each in unreached(calls, people_targets(plan)):
        yield _warning(f"of calls, {each} reaches no person", "docs/how-to/emergency-calls.md")
    if not any(contact.phone for contact in calls.contacts):
        yield _warning("no contact of the emergency plan has a phone", "docs/how-to/emergency-calls.md")


async def _parts(settings: Settings, clock: Clock) -> Iterator[Finding]:
    return _of_parts(settings, clock)


def _of_parts(settings: Settings, clock: Clock) -> Iterator[Finding]:
    for part in PARTS:
        said = heartbeat.read(settings.var, part, clock.steady())
        if said.status == "up":
            yield _good(f"{part}: {said.detail}")
        elif said.status == "down":
            yield _warning(said.detail, f"anju run, or anju {part}")
        else:
            yield _warning(f"{part}: {said.detail}", "look into its log")
        for name, problem in said.problems.items():
            yield _bad(f"{part}: {name}: {problem}", "")


CHECKS: dict[str, Check] = {
    "file rights": _rights,
    "disk": _disk,
    "clock": _clock,
    "descriptors": _descriptors,
    "journal": _journal,
    "records": _records,
    "telemetry": _telemetry,
    "broker": _broker,
    "port": _port,
    "certificates": _certificates,
    "plans": _plans,
    "parts": _parts,
}
