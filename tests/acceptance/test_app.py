"""`anju run` as a newcomer meets it: the demo raises an alert, Ctrl-C stops it, a second start carries on, refusals."""

import contextlib
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.running import COMMAND, ROOT, Anju, environment, wait_until
from tests.servers.mosquitto import Mosquitto
from tests.servers.plugin import required_program
from tests.servers.running import free_port

ALERT_DEADLINE_SECONDS = 60.0
START_DEADLINE_SECONDS = 60.0


@pytest.fixture
def settings() -> dict[str, object]:
    """Free ports for the API and for the broker that the run brings along."""
    return {"ANJU_API__PORT": free_port(), "ANJU_MQTT__PORT": free_port()}


def _client(settings: dict[str, object], token: str) -> httpx.Client:
    url = f"http://127.0.0.1:{settings['ANJU_API__PORT']}/api/v1"
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10, trust_env=False)


def _greeted(app: Anju, times: int) -> bool:
    assert app.running, app.tail()
    return app.output().count("Ctrl-C stops it") == times


def _start_and_greet(app: Anju, times: int) -> None:
    wait_until(lambda: _greeted(app, times), app.tail, START_DEADLINE_SECONDS)


def _token(app: Anju) -> str:
    found = re.search(r"token +(\S+)  \(shown only now\)", app.output())
    assert found, app.tail()
    return found[1]


def _first_firing(client: httpx.Client) -> str:
    """Listen to the live stream from its beginning and return the id of the first alert that fires."""
    with client.stream("GET", "/stream", params={"after": 0}, timeout=ALERT_DEADLINE_SECONDS) as stream:
        assert stream.status_code == 200
        for line in stream.iter_lines():
            if line.startswith("data:") and '"kind":"firing"' in line:
                found = re.search(r'"alert_id":"([^"]+)"', line)
                assert found
                return found[1]
    raise AssertionError("the stream ended before an alert fired")


def _received(client: httpx.Client) -> int:
    answer = client.get("/ledger").raise_for_status()
    return int(sum(row["received"] for row in answer.json()["days"]))


@pytest.mark.timeout(240)
def test_demo_raises_an_alert_and_a_second_start_carries_on(tmp_path: Path, settings: dict[str, object]) -> None:
    with Anju("run", tmp_path / "var", settings) as app:
        _start_and_greet(app, 1)
        token = _token(app)
        with _client(settings, token) as client:
            alert = _first_firing(client)
            assert alert in client.get("/alerts").raise_for_status().text
            received = _received(client)
        assert received > 0
        assert app.stop(signal.SIGINT) == 0, app.tail()
        assert "Traceback" not in app.output()
        app.start()
        _start_and_greet(app, 2)
        assert "as shown at the first start" in app.output()
        with _client(settings, token) as client:
            assert client.get(f"/alerts/{alert}").status_code == 200
            wait_until(lambda: _received(client) > received, lambda: f"{_received(client)} received")
        assert app.stop(signal.SIGTERM) == 0, app.tail()


def _refusal(var: Path, settings: dict[str, object]) -> str:
    """Run `anju run`, which must end by itself with an exit code other than 0, and return its one line."""
    ended = subprocess.run(
        [*COMMAND, "run"],
        cwd=ROOT,
        env=environment(var, {**settings, "ANJU_LOG__LEVEL": "error"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_DEADLINE_SECONDS,
        check=False,
    )
    assert ended.returncode != 0
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("anju: ")
    return lines[0]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


@pytest.mark.parametrize("setting", ["ANJU_API__PORT", "ANJU_MQTT__PORT"])
def test_port_taken(tmp_path: Path, settings: dict[str, object], taken_port: int, setting: str) -> None:
    line = _refusal(tmp_path / "var", {**settings, setting: taken_port})
    assert str(taken_port) in line
    assert setting in line  # The way out.


def test_folder_that_cannot_be_written(tmp_path: Path, settings: dict[str, object]) -> None:
    # A file in the folder's place: permissions alone would not stop root.
    (tmp_path / "var").write_text("not a folder")
    line = _refusal(tmp_path / "var", settings)
    assert "cannot be written" in line
    assert "ANJU_VAR" in line


class RefusingMosquitto(Mosquitto):
    """Asks for a password and knows nobody."""

    def answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=1):
            return True
        return False


def test_broker_that_refuses(tmp_path: Path, settings: dict[str, object]) -> None:
    with RefusingMosquitto(required_program("mosquitto"), ["allow_anonymous false"]) as broker:
        outside = {"ANJU_BROKER__EMBEDDED": "none", "ANJU_MQTT__PORT": broker.port}
        line = _refusal(tmp_path / "var", {**settings, **outside})
    assert str(broker.port) in line
    assert "authori" in line.lower()


@pytest.mark.parametrize("part", ["run", "alerts", "api"])
def test_a_start_that_waits_for_its_database_can_be_stopped(
    part: str, tmp_path: Path, settings: dict[str, object]
) -> None:
    nobody = f"postgresql+psycopg://anju@127.0.0.1:{free_port()}/anju"
    with Anju(part, tmp_path / "var", {**settings, "ANJU_RECORDS__URL": nobody}) as waiting:
        wait_until(lambda: "records.unavailable" in waiting.output(), waiting.tail)
        assert waiting.stop(signal.SIGTERM) == 0, waiting.tail()
        assert waiting.output().count("records.unavailable") == 1
        assert "Traceback" not in waiting.output()
