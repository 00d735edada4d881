"""1,150 half-open HTTP connections under `ulimit -n 1024`: nothing ends, and a forced gate is still an alert."""

import contextlib
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from core.clock import SystemClock
from tests.acceptance.running import Anju, wait_until
from tests.servers.running import free_port

DESCRIPTORS = 1_024
CONNECTIONS = 1_150
HALF = b"GET /healthz HTTP/1.1\r\nHost: anju\r\n"
PAUSE_SECONDS = 0.1
# 100 places an address: so many addresses could take more than all descriptors.
ADDRESSES = [f"127.0.0.{last}" for last in range(2, 22)]


class Attack:
    """Holds half-open connections from many addresses and opens each anew as soon as it is closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._hold, name="attack")
        self._connections: list[socket.socket] = []
        self.opened = 0

    def __enter__(self) -> "Attack":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        for connection in self._connections:
            connection.close()

    def _hold(self) -> None:
        while not self._ending.is_set():
            self._connections = [each for each in self._connections if not self._is_over(each)]
            while len(self._connections) < CONNECTIONS and not self._ending.is_set():
                self._connections.append(self._open())
            time.sleep(PAUSE_SECONDS)

    def _open(self) -> socket.socket:
        host = ADDRESSES[self.opened % len(ADDRESSES)]
        connection = socket.create_connection(("127.0.0.1", self._port), 10, source_address=(host, 0))
        with contextlib.suppress(OSError):
            connection.sendall(HALF)
        connection.setblocking(False)
        self.opened += 1
        return connection

    @staticmethod
    def _is_over(connection: socket.socket) -> bool:
        try:
            over = not connection.recv(1_000)
        except BlockingIOError:
            return False
        except OSError:
            over = True
        if over:
            connection.close()
        return over


@pytest.fixture
def enough_descriptors() -> Iterator[None]:
    """Descriptors for the attacker, who is this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2 * CONNECTIONS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * CONNECTIONS, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def _gateway(port: int) -> Iterator[Client]:
    """Connect before the attack: paho waits by ``select``, which takes no descriptor above 1,023."""
    gateway = Client(CallbackAPIVersion.VERSION2)
    gateway.connect("127.0.0.1", port)
    gateway.loop_start()
    try:
        yield gateway
    finally:
        gateway.disconnect()
        gateway.loop_stop()


def _force_gate(gateway: Client, device: str) -> None:
    topic, at = f"anju/v1/xingfu/gate/{device}/event", SystemClock().now().isoformat()
    published = gateway.publish(topic, f'{{"at":"{at}","type":"forced_open"}}', qos=1)
    published.wait_for_publish(30)
    assert published.is_published()


def _metric(client: httpx.Client, name: str) -> float:
    found = re.search(rf"^anju_api_{name} (\S+)$", client.get("/metrics").raise_for_status().text, re.MULTILINE)
    return float(found[1]) if found else -1.0


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("enough_descriptors")
def test_half_open_connections_end_nothing_and_delay_no_alert(tmp_path: Path) -> None:
    settings = {"ANJU_API__PORT": free_port(), "ANJU_MQTT__PORT": free_port()}
    limited = ("/bin/sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh")
    with Anju("run", tmp_path / "var", settings, prefix=limited) as app:
        wait_until(lambda: "Ctrl-C stops it" in app.output(), app.tail)
        found = re.search(r"token +(\S+)  \(shown only now\)", app.output())
        assert found, app.tail()
        url, port = f"http://127.0.0.1:{settings['ANJU_API__PORT']}", int(str(settings["ANJU_MQTT__PORT"]))
        right = {"Authorization": f"Bearer {found[1]}"}
        with (
            httpx.Client(base_url=url, headers=right, timeout=30, trust_env=False) as client,
            _gateway(port) as gateway,
        ):
            with Attack(int(str(settings["ANJU_API__PORT"]))) as attack:
                wait_until(lambda: attack.opened >= CONNECTIONS, lambda: f"{attack.opened} opened; {app.tail()}")
                wait_until(lambda: _metric(client, "http_connections_evicted_total") > 0, app.tail)
                _force_gate(gateway, "gate-1")
                wait_until(lambda: "xingfu/gate/gate-1" in client.get("/api/v1/alerts").text, app.tail)
                ready = client.get("/readyz")
                assert ready.status_code == 200
                told = ready.json()["components"]["api"]["detail"]
                assert re.search(r"descriptors: \d+ 个 HTTP 连接已占满.* / all \d+ places for HTTP", told), told
                wait_until(lambda: '"descriptors-low"' in client.get("/api/v1/alerts").text, app.tail)
            wait_until(lambda: _metric(client, "http_connections") < 10, app.tail)
            _force_gate(gateway, "gate-2")
            wait_until(lambda: "xingfu/gate/gate-2" in client.get("/api/v1/alerts").text, app.tail)
        assert app.stop() == 0
        assert "Traceback" not in app.output()
        assert app.output().count("http.") < 20
