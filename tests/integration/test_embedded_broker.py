"""The Mosquitto that `anju run` brings along."""

import socket
from pathlib import Path

from app import broker
from tests.acceptance.running import wait_until
from tests.servers.mosquitto import CONNACK_ACCEPTED, CONNECT, DISCONNECT
from tests.servers.plugin import required_program
from tests.servers.running import free_port


def _knock(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(CONNECT)
        assert connection.recv(len(CONNACK_ACCEPTED)) == CONNACK_ACCEPTED
        connection.sendall(DISCONNECT)


async def test_its_log_is_bounded_and_goes_on_and_its_files_are_private(tmp_path: Path) -> None:
    folder, port = tmp_path / "mosquitto", free_port()
    log = folder / "mosquitto.log"
    async with broker.mosquitto(str(required_program("mosquitto")), folder, "127.0.0.1", port):
        wait_until(lambda: "running" in log.read_text(), log.read_text)
        said = log.read_text()
        broker.bound_log(log, len(said) + 1)
        assert log.read_text() == said
        broker.bound_log(log, len(said))
        assert log.read_bytes() == b""
        assert said.endswith(log.with_name("mosquitto.log.1").read_text())
        _knock(port)
        wait_until(lambda: "New client connected" in log.read_text(), log.read_text)
        assert "\x00" not in log.read_text()
        assert folder.stat().st_mode & 0o077 == 0
