"""Being let in: credentials, subscriptions, TLS, a broker that is not there, and a process that is killed."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.errors import StartupError
from ingest.session import MqttSession, SessionStatus
from tests.integration.session_driving import DEADLINE_SECONDS, TestJournal, publish, session, settings, until
from tests.servers.mosquitto import Mosquitto
from tests.servers.plugin import MakeMosquitto, required_program
from tests.servers.running import free_port

TOPIC = "anju/v1/demo/gate/gate-1/event"
LOGIN = {"username": "anju", "password": "right"}
_ids = count()


@pytest.fixture
def journal() -> TestJournal:
    return TestJournal()


@pytest.fixture
def client_id() -> str:
    return f"anju-access-{next(_ids)}"


class GuardedMosquitto(Mosquitto):
    """One that refuses the anonymous question whether it is up."""

    def answers(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=1.0).close()
        except OSError:
            return False
        return True


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[int]:
    """The port of a broker that wants a password."""
    passwords = tmp_path / "passwords"
    passwords.write_text(f"{LOGIN['username']}:{LOGIN['password']}\n")
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, env={"PATH": "/usr/bin:/usr/sbin:/usr/local/bin"})
    lines = ["allow_anonymous false", f"password_file {passwords}"]
    with GuardedMosquitto(required_program("mosquitto"), lines, save_every_change=False) as broker:
        yield broker.port


@pytest.mark.parametrize(
    ("protocol", "password", "reason"),
    [("3.1.1", "wrong", "Not authorized"), ("5", "wrong", "Not authorized"), ("3.1.1", None, "Not authorized")],
)
def test_a_wrong_password_is_refused_with_the_reason_and_tried_again(
    guarded: int, journal: TestJournal, client_id: str, protocol: str, password: str | None, reason: str
) -> None:
    wanted = settings(guarded, client_id, protocol=protocol, username="anju", password=password)
    with session(wanted, journal) as running:
        state = running.wait_ready(DEADLINE_SECONDS)
        assert (state.status, state.detail) == (SessionStatus.REFUSED, reason)
        assert running.stats.connections == 0


def test_the_right_password_is_let_in_and_never_shown(guarded: int, journal: TestJournal, client_id: str) -> None:
    wanted = settings(guarded, client_id, **LOGIN)
    assert LOGIN["password"] not in repr(wanted)
    with session(wanted, journal) as running:
        assert running.wait_ready(DEADLINE_SECONDS).status is SessionStatus.CONNECTED
        publish(guarded, [b"{}"], TOPIC, login=LOGIN)
        until(lambda: running.stats.acked == 1, "the message")


def test_a_broker_that_is_not_there_is_named_and_tried_again(
    make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str
) -> None:
    broker = make_mosquitto(save_every_change=False)
    broker.stop()
    with session(settings(broker.port, client_id), journal) as running:
        until(lambda: running.state.status is SessionStatus.UNREACHABLE, "the failure")
        assert "refused" in running.wait_ready(0).detail
        broker.start()
        assert running.wait_ready(DEADLINE_SECONDS).status is SessionStatus.CONNECTED


def test_a_refused_subscription_is_no_quiet_connection(
    make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str, tmp_path: Path
) -> None:
    plugin = next(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"), None)
    if plugin is None:
        pytest.skip("needs mosquitto_dynamic_security.so, which Debian's mosquitto package carries")
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    rules = tmp_path / "access.json"
    rules.write_text(json.dumps({"defaultACLAccess": access, "clients": [], "groups": [], "roles": []}))
    broker = make_mosquitto([f"plugin {plugin}", f"plugin_opt_config_file {rules}"], save_every_change=False)
    with session(settings(broker.port, client_id, protocol="5"), journal) as running:
        state = running.wait_ready(DEADLINE_SECONDS)
        assert state.status is SessionStatus.REFUSED
        assert state.detail == "subscription refused: anju/v1/#: Not authorized"


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with a throwaway authority (ca.pem) and a server's certificate by it for 127.0.0.1."""
    tmp_path.chmod(0o755)
    subject = ["-subj", "/CN=Anju test authority"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(tmp_path, "req", "-x509", *key, *subject, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(tmp_path, "req", *key, "-subj", "/CN=broker", "-keyout", "server.key", "-out", "server.csr")
    (tmp_path / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
    openssl(tmp_path, "x509", "-req", "-in", "server.csr", *signed, "-out", "server.pem")
    (tmp_path / "server.key").chmod(0o644)
    return tmp_path


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def tls_port(make_mosquitto: MakeMosquitto, certificates: Path) -> int:
    port = free_port()
    files = [f"certfile {certificates / 'server.pem'}", f"keyfile {certificates / 'server.key'}"]
    make_mosquitto([f"listener {port} 127.0.0.1", *files], save_every_change=False)
    return port


def test_tls_carries_a_flood_and_large_messages(
    tls_port: int, certificates: Path, journal: TestJournal, client_id: str
) -> None:
    wanted = settings(tls_port, client_id, tls=True, ca_file=certificates / "ca.pem")
    large = [b"%d" % number + b"x" * 50_000 for number in range(20)]
    small = [b"%d" % number for number in range(1_200)]
    with session(wanted, journal) as running:
        assert running.wait_ready(DEADLINE_SECONDS).status is SessionStatus.CONNECTED
        publish(tls_port, [*small, *large], TOPIC, ca_file=str(certificates / "ca.pem"))
        until(lambda: running.stats.acked == 1_220, "everything")
    assert journal.payloads() == [*small, *large]


def test_a_broker_with_a_strange_certificate_is_not_talked_to(
    tls_port: int, journal: TestJournal, client_id: str
) -> None:
    with session(settings(tls_port, client_id, tls=True), journal) as running:
        until(lambda: running.state.status is SessionStatus.UNREACHABLE, "the failure")
        assert "CERTIFICATE_VERIFY_FAILED" in running.state.detail


def test_a_ca_file_of_no_use_ends_the_start(journal: TestJournal, client_id: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    running = MqttSession(settings(1, client_id, tls=True, ca_file=missing), journal.append, SystemClock())
    running.start()
    state = running.wait_ready(DEADLINE_SECONDS)
    assert state.status is SessionStatus.FAILED
    assert str(missing) in state.detail
    with pytest.raises(StartupError):
        running.failure.result(DEADLINE_SECONDS)


# Its log goes to standard error: between a line of the log and its line end, "ready" would be lost in that line.
CHILD = """
import structlog
import sys
from core.clock import SystemClock
from ingest.session import MqttSession
from tests.integration.session_driving import settings

def append(messages):
    with open(sys.argv[3], "ab") as kept:
        kept.write(b"".join(message.payload + b"\\n" for message in messages))
    if int(messages[-1].payload) > 300:
        sys.stdin.read()
    return 1

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
session = MqttSession(settings(int(sys.argv[1]), sys.argv[2]), append, SystemClock())
session.start()
session.wait_ready(20)
print("ready", flush=True)
session.failure.result()
"""


def test_what_a_killed_process_had_not_acknowledged_comes_again(
    make_mosquitto: MakeMosquitto, journal: TestJournal, client_id: str, tmp_path: Path
) -> None:
    port = make_mosquitto(save_every_change=False).port
    kept = tmp_path / "kept"
    arguments = [sys.executable, "-c", CHILD, str(port), client_id, str(kept)]
    everything = [b"%d" % number for number in range(2_000)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            assert b"ready\n" in iter(child.stdout.readline, b"")
            publish(port, everything, TOPIC)
            # It hangs inside an append that has stored its messages: the instant at which most can go wrong.
            until(lambda: kept.exists() and int(kept.read_bytes().split()[-1]) > 300, "the child's append")
        finally:
            child.kill()
    stored = kept.read_bytes().split()
    with session(settings(port, client_id), journal) as running:
        until(lambda: set(stored) | set(journal.payloads()) >= set(everything), "the rest")
        assert stored[-1] in journal.payloads(), "stored but not acknowledged: it comes again"
        assert running.stats.acked
