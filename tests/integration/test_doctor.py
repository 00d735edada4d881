"""``anju doctor`` on installations that are not there, broken or open: it answers, and changes nothing."""

import ctypes
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app import doctor, heartbeat, wiring
from app.doctor import Finding, Grade, examine
from app.opening import open_records
from app.settings import Settings
from app.steady_clock import read_clock
from core.clock import Clock, ManualClock, SystemClock
from core.observations import PAYLOAD_LIMIT_BYTES, Incoming
from tests.acceptance.running import COMMAND, ROOT, environment
from tests.contract.records_cases import START
from tests.integration.test_broker_limits import LOGINS, broker
from tests.servers.plugin import MakeMosquitto
from tests.servers.running import free_port
from tests.servers.small_disk import small_disk


def settings_of(var: Path, **others: object) -> Settings:
    return Settings.model_validate({"var": var, **others})


async def found_by(settings: Settings, clock: Clock | None = None) -> dict[str, Finding]:
    """The worst finding of each check."""
    worst: dict[str, Finding] = {}
    for each in await examine(settings, clock or read_clock(settings.var)):
        ranks = list(Grade)
        if each.check not in worst or ranks.index(each.grade) > ranks.index(worst[each.check].grade):
            worst[each.check] = each
    return worst


@pytest.fixture
def nobody_answers() -> Iterator[int]:
    """A port at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def elsewhere(nobody_answers: int) -> dict[str, object]:
    return {"mqtt": {"port": nobody_answers}, "api": {"port": nobody_answers}}


async def installed(settings: Settings) -> None:
    """An installation that has received one message."""
    settings.var.mkdir(mode=0o700)
    journal = wiring.journal(settings, appending=True)
    journal.append([Incoming("a/b", b"x", 1, START, digest=1)])
    journal.close()
    database = wiring.records(settings)
    await open_records(database, settings)
    await database.close()
    for path in settings.var.iterdir():
        path.chmod(0o600)


def everything_in(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in folder.rglob("*")
    }


async def test_it_makes_nothing_where_there_is_nothing(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    found = await found_by(settings)
    assert set(found) == set(doctor.CHECKS)
    assert found["journal"].grade is Grade.WARNING
    assert found["broker"].grade is Grade.BAD
    assert list(tmp_path.iterdir()) == []


async def test_it_changes_nothing_of_an_installation(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    before = everything_in(tmp_path)
    found = await found_by(settings)
    assert (found["file rights"].grade, found["journal"].grade, found["records"].grade) == (Grade.GOOD,) * 3
    assert everything_in(tmp_path) == before


async def test_an_emptied_journal_stays_empty(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    settings.journal_path.write_bytes(b"")
    found = await found_by(settings)
    assert (found["journal"].grade, "is empty" in found["journal"].text) == (Grade.BAD, True)
    assert settings.journal_path.stat().st_size == 0


async def test_a_lost_key_is_told_and_no_other_one_is_made(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    settings.journal_key_path.unlink()
    found = await found_by(settings)
    assert (found["journal"].grade, "is missing" in found["journal"].text) == (Grade.BAD, True)
    assert not settings.journal_key_path.exists()


async def test_a_wrong_key_is_told(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    settings.journal_key_path.write_bytes(os.urandom(32))
    assert "sealed with key" in (await found_by(settings))["journal"].text


async def test_damaged_records_are_told_with_the_way_out(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    path = settings.var / "records.sqlite"
    content = bytearray(path.read_bytes())
    content[8_192:16_384] = bytes(8_192)
    path.write_bytes(content)
    found = (await found_by(settings))["records"]
    assert (found.grade, "anju records rescue" in found.text) == (Grade.BAD, True)


async def test_files_that_are_open_to_others_are_told_and_links_are_not(
    tmp_path: Path, elsewhere: dict[str, object]
) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    (settings.var / "link").symlink_to(settings.journal_path)
    assert (await found_by(settings))["file rights"].grade is Grade.GOOD
    settings.journal_path.chmod(0o640)
    found = (await found_by(settings))["file rights"]
    assert (found.grade, found.way_out) == (Grade.BAD, f"chmod -R go-rwx {settings.var}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
async def test_root_is_not_told_to_take_the_folder_from_its_user(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    for path in (settings.var, *settings.var.iterdir()):
        os.chown(path, 4_321, 4_321)
    assert (await found_by(settings))["file rights"].grade is Grade.GOOD
    os.chown(settings.journal_path, 0, 0)
    assert (await found_by(settings))["file rights"].way_out == f"chown -R 4321 {settings.var}"


@pytest.mark.parametrize("host", ["::1", "::", "no such host", ""])
async def test_any_address_is_examined(tmp_path: Path, nobody_answers: int, host: str) -> None:
    settings = settings_of(tmp_path / "var", mqtt={"port": nobody_answers}, api={"host": host, "port": nobody_answers})
    found = await found_by(settings)
    assert set(found) == set(doctor.CHECKS)
    assert found["port"].grade is not Grade.GOOD
    assert "Invalid" not in found["port"].text


async def test_what_a_check_fails_of_hides_no_other(
    tmp_path: Path, elsewhere: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_settings: object, _clock: object) -> Iterator[Finding]:
        raise ZeroDivisionError("a fault")

    monkeypatch.setitem(doctor.CHECKS, "disk", fails)
    found = await found_by(settings_of(tmp_path / "var", **elsewhere))
    assert set(found) == set(doctor.CHECKS)
    assert (found["disk"].grade, found["disk"].text) == (Grade.BAD, "a fault")


async def test_a_broker_that_never_answers_is_not_waited_for(
    tmp_path: Path, nobody_answers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = settings_of(tmp_path / "var", mqtt={"port": port}, api={"port": nobody_answers})
        assert (await found_by(settings))["broker"].text == f"127.0.0.1:{port}: no answer"


@pytest.mark.parametrize(
    ("kernel_says", "grade", "said"),
    [(0, Grade.GOOD, "synchronised"), (5, Grade.WARNING, "not synchronised"), (-1, Grade.WARNING, "does not say")],
    ids=["synchronised", "not synchronised", "unknown"],
)
async def test_a_clock_that_nobody_sets_is_told(
    tmp_path: Path,
    elsewhere: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    kernel_says: int,
    grade: Grade,
    said: str,
) -> None:
    class Kernel:
        def adjtimex(self, _asked: object) -> int:
            return kernel_says

    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Kernel())
    found = (await found_by(settings_of(tmp_path / "var", **elsewhere)))["clock"]
    assert (found.grade, said in found.text) == (grade, True)


async def test_a_clock_that_is_behind_what_was_received_is_wrong(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    found = (await found_by(settings, ManualClock(START - timedelta(days=1))))["journal"]
    assert (found.grade, "yet to come" in found.text) == (Grade.BAD, True)
    assert (await found_by(settings, ManualClock(START - timedelta(seconds=1))))["journal"].grade is Grade.GOOD


@pytest.mark.parametrize(
    ("inodes", "leaving", "said"), [(0, 1024 * 1024, "GiB free"), (100, None, "inodes free")], ids=["room", "inodes"]
)
async def test_a_disk_that_is_nearly_full_is_told(
    tmp_path: Path, elsewhere: dict[str, object], inodes: int, leaving: int | None, said: str
) -> None:
    with small_disk(tmp_path / "disk", "48m", inodes=inodes) as disk:
        settings = settings_of(disk.folder, **elsewhere)
        if leaving is None:
            with suppress(OSError):
                for number in range(inodes):
                    (disk.folder / str(number)).touch()
        else:
            assert (await found_by(settings))["disk"].grade is Grade.GOOD
            disk.fill(leaving=leaving)
        found = (await found_by(settings))["disk"]
    assert (found.grade, said in found.text, found.way_out != "") == (Grade.BAD, True, True)


BROKERS = {
    "packets are too small": (["max_packet_size 20000"], Grade.BAD, "20000 bytes a packet"),
    "packets of any size": ([], Grade.WARNING, "packets of any size"),
    "messages can be lost": (["max_qos 0", "max_packet_size 100000"], Grade.BAD, "QoS 0 only"),
    "nothing is retained": (["retain_available false", "max_packet_size 100000"], Grade.WARNING, "retains nothing"),
    "as Anju wants it": ([f"max_packet_size {PAYLOAD_LIMIT_BYTES + 8_192}"], Grade.GOOD, "lets us in"),
}


@pytest.mark.parametrize(("lines", "grade", "said"), BROKERS.values(), ids=BROKERS)
async def test_what_a_broker_limits_is_told(
    tmp_path: Path, nobody_answers: int, make_mosquitto: MakeMosquitto, lines: list[str], grade: Grade, said: str
) -> None:
    broker = make_mosquitto(lines)
    settings = settings_of(tmp_path / "var", mqtt={"port": broker.port}, api={"port": nobody_answers})
    found = (await found_by(settings))["broker"]
    assert (found.grade, said in found.text) == (grade, True), found
    assert bool(found.way_out) == (grade is not Grade.GOOD)


async def test_a_broker_that_wants_another_password_is_told(tmp_path: Path, nobody_answers: int) -> None:
    with broker(tmp_path) as server:
        others = {"api": {"port": nobody_answers}}
        settings = settings_of(tmp_path / "var", mqtt={"port": server.port}, **others)
        found = (await found_by(settings))["broker"]
        login = {"username": "anju", "password": LOGINS["anju"]}
        settings = settings_of(tmp_path / "var", mqtt={"port": server.port, **login}, **others)
        assert (await found_by(settings))["broker"].grade is Grade.GOOD
    assert (found.grade, "Not authorized" in found.text) == (Grade.BAD, True), found
    assert found.way_out == "set ANJU_MQTT__USERNAME and ANJU_MQTT__PASSWORD"


VALID_FOR = {
    "expired": (timedelta(days=-1), Grade.BAD, "expired"),
    "expires soon": (timedelta(days=10), Grade.WARNING, "is valid until"),
    "valid": (timedelta(days=90), Grade.GOOD, "is valid until"),
}


@pytest.mark.parametrize(("left", "grade", "said"), VALID_FOR.values(), ids=VALID_FOR)
async def test_a_certificate_that_expires_is_told(
    tmp_path: Path, nobody_answers: int, make_mosquitto: MakeMosquitto, left: timedelta, grade: Grade, said: str
) -> None:
    certificate, key = certified(tmp_path, SystemClock().now() + left)
    port = free_port()
    make_mosquitto([f"listener {port} 127.0.0.1", f"certfile {certificate}", f"keyfile {key}"])
    mqtt = {"host": "localhost", "port": port, "tls": True, "ca_file": certificate}
    found = (await found_by(settings_of(tmp_path / "var", mqtt=mqtt, api={"port": nobody_answers})))["certificates"]
    assert (found.grade, said in found.text) == (grade, True), found
    assert bool(found.way_out) == (grade is not Grade.GOOD)


def certified(folder: Path, until: datetime) -> tuple[Path, Path]:
    """Make a certificate for localhost that is its own authority; return where it and its key are."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "server.pem", folder / "server.key"
    paths[0].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return paths


@pytest.mark.parametrize("store", ["records", "telemetry"])
async def test_a_database_that_is_away_is_told(
    tmp_path: Path, elsewhere: dict[str, object], nobody_answers: int, store: str
) -> None:
    away = {
        "records": {"records": {"url": f"postgresql+psycopg://anju:x@127.0.0.1:{nobody_answers}/anju"}},
        "telemetry": {
            "telemetry": {"store": "influx"},
            "influx": {"url": f"http://127.0.0.1:{nobody_answers}", "token": "x"},
        },
    }
    found = (await found_by(settings_of(tmp_path / "var", **elsewhere, **away[store])))[store]
    assert (found.grade, found.text != "") == (Grade.BAD, True)


async def test_a_port_that_another_program_has_is_told(
    tmp_path: Path, nobody_answers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as another:
        port = another.getsockname()[1]
        settings = settings_of(tmp_path / "var", mqtt={"port": nobody_answers}, api={"port": port})
        found = (await found_by(settings))["port"]
    assert (found.grade, found.way_out) == (Grade.BAD, "ANJU_API__PORT sets another port")


async def test_a_plan_that_reaches_no_person_is_told(
    tmp_path: Path, elsewhere: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = (await found_by(settings_of(tmp_path / "var", **elsewhere)))["plans"]
    assert (found.grade, "reach no person" in found.text) == (Grade.BAD, True)
    monkeypatch.setenv("LI_URL", "json://127.0.0.1:9/")
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        'version: 1\nzone: Asia/Shanghai\nreceivers: [{name: li, apprise: {url: "${LI_URL}"}}]\n'
        "policies: [{name: all, steps: [{after: 0s, notify: [receiver:li]}]}]\nroutes: [{policy: all}]\n",
        encoding="utf-8",
    )
    settings = settings_of(tmp_path / "var", **elsewhere, notify={"plan": plan})
    assert (await found_by(settings))["plans"].grade is Grade.GOOD
    plan.write_text("version: 1\nroutes: [{policy: nobody}]\n", encoding="utf-8")
    found = (await found_by(settings))["plans"]
    assert (found.grade, "plan.yaml:1" in found.text) == (Grade.BAD, True), found


async def test_a_broken_code_list_is_told(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    codes = tmp_path / "codes.yaml"
    codes.write_text("version: 2\n", encoding="utf-8")
    found = (await found_by(settings_of(tmp_path / "var", **elsewhere, codes={"files": [codes]})))["plans"]
    assert (found.grade, "codes.yaml:1: version" in found.text) == (Grade.BAD, True), found


async def test_what_a_part_says_of_itself_is_told(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings, clock = settings_of(tmp_path / "var", **elsewhere), ManualClock(START)
    for part in ("ingest", "alerts", "api"):
        said = heartbeat.Heartbeat(START, "up", "as ever", steady=START)
        heartbeat.write(heartbeat.path_of(settings.var, part), said)
    assert (await found_by(settings, clock))["parts"].grade is Grade.GOOD
    clock.advance(timedelta(minutes=1))
    assert (await found_by(settings, clock))["parts"].grade is Grade.WARNING
    troubled = heartbeat.Heartbeat(clock.now(), "degraded", "", {}, {"service/deliverer": "a fault"}, clock.steady())
    heartbeat.write(heartbeat.path_of(settings.var, "alerts"), troubled)
    found = (await found_by(settings, clock))["parts"]
    assert (found.grade, found.text) == (Grade.BAD, "alerts: service/deliverer: a fault")


def test_the_command_tells_of_few_descriptors_and_ends_with_one_when_something_is_bad(
    tmp_path: Path, nobody_answers: int
) -> None:
    settings = {"ANJU_MQTT__PORT": nobody_answers, "ANJU_API__PORT": nobody_answers}
    done = subprocess.run(
        ["bash", "-c", 'ulimit -n 1024 && exec "$@"', "few", *COMMAND, "doctor"],
        cwd=ROOT,
        env=environment(tmp_path / "var", settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "anju: something is bad, see above\n")
    assert re.search(r"^warn descriptors: at most 1024 open files\n +→ LimitNOFILE=65536", done.stdout, re.MULTILINE)
    assert re.search(r"^BAD  broker: .*\n +→ start the broker", done.stdout, re.MULTILINE)
    assert not (tmp_path / "var").exists()
