"""Mosquitto in a folder of its own, saving its store as often as it can."""

import os
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from tests.servers.places import Address
from tests.servers.running import POLL_SECONDS, Server, ServerError

# CONNECT, MQTT 3.1.1, clean session, keep-alive 5 s, empty client id; the answer wanted is CONNACK, accepted.
CONNECT = bytes.fromhex("100c00044d515454040200050000")
CONNACK_ACCEPTED = bytes.fromhex("20020000")
DISCONNECT = bytes.fromhex("e000")

# Mosquitto's store is a snapshot of everything, written and synced at the end of the network round that changed it, and
# the PUBACK leaves earlier in that round. So with these settings a SIGKILL right after a PUBACK costs exactly the
# message just acknowledged (seen in every one of 11 trials of 1 to 20,000 messages); what came before it survives.
# No setting of Mosquitto 2.0 closes that window; `save` closes it for a test.
CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_on_changes {autosave}
autosave_interval {interval}
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 1000
log_dest stderr
log_timestamp_format %Y-%m-%dT%H:%M:%S
"""
SNAPSHOT_DEADLINE_SECONDS = 30.0


class Mosquitto(Server):
    """A broker at `url`, anonymous; `extra_lines` go to the end of its configuration.

    With `save_every_change` the whole store is written after every change: about 900 queued messages of 200 bytes a
    second while the queue is short, 300 at 5,000 queued, 90 at 20,000. Without it only `save` and `stop` write, at
    full speed, and `kill` loses everything since.
    """

    name = "mosquitto"

    def __init__(self, program: Path, extra_lines: Sequence[str] = (), *, save_every_change: bool = True) -> None:
        super().__init__(program)
        self.extra_lines = tuple(extra_lines)
        self.save_every_change = save_every_change

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"

    @property
    def address(self) -> Address:
        return Address(self.url)

    @property
    def store(self) -> Path:
        """The snapshot file; missing until the first save."""
        return self.folder / "mosquitto.db"

    def command(self) -> Sequence[str]:
        return [str(self.program), "-c", str(self.folder / "mosquitto.conf")]

    def prepare(self) -> None:
        autosave = "true" if self.save_every_change else "false"
        text = CONFIGURATION.format(
            port=self.port, folder=self.folder, autosave=autosave, interval=int(self.save_every_change)
        )
        # As root it would become the user mosquitto, who may not write here.
        user = ["user root"] if os.geteuid() == 0 else []
        lines = [text, *user, *self.extra_lines]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1.0) as connection:
                connection.sendall(CONNECT)
                accepted = connection.recv(len(CONNACK_ACCEPTED)) == CONNACK_ACCEPTED
                connection.sendall(DISCONNECT)
                return accepted
        except OSError:
            return False

    def save(self) -> None:
        """Write the snapshot now and return once it is on disk: what is queued before survives `kill`."""
        if not self.running or self._child is None:
            raise ServerError("mosquitto is down, there is nothing to save")
        before = self._snapshot()
        self._child.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + SNAPSHOT_DEADLINE_SECONDS
        while self._snapshot() == before:
            if time.monotonic() > deadline:
                raise ServerError(self.with_log("did not write its store"))
            time.sleep(POLL_SECONDS)

    def _snapshot(self) -> tuple[int, int] | None:
        # A snapshot is a new file renamed over the old one, complete and synced before the rename.
        try:
            stat = self.store.stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_mtime_ns
