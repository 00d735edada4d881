"""From the call that publishes to the event on the live stream, under a steady load."""

import json
import socket
import threading
import time
from dataclasses import dataclass
from statistics import median, quantiles

from core.clock import SystemClock
from tests.bench.fleet import forced_open
from tests.bench.mqtt import Publisher, publish_packet
from tests.bench.running import Load, Plant, wait_until

LOAD_PER_SECOND = 500
# Not a multiple of any pause in the product, so that publishing falls on every place between two polls.
_EVERY_SECONDS = 0.0473
_WAIT_SECONDS = 30.0
_HEAD_START_SECONDS = 1.0


@dataclass(frozen=True)
class Latency:
    """Milliseconds of every alert, sorted; ``missing`` counts those that never came."""

    title: str
    milliseconds: list[float]
    missing: int

    def lines(self) -> list[str]:
        """Return the figures for people."""
        sample = self.milliseconds
        if len(sample) < 2:
            return [f"{self.title}: LOST: no events came"]
        said = [
            f"{self.title}: {len(sample)} alerts at {LOAD_PER_SECOND} messages/s",
            f"  publish to live stream: median {median(sample):.1f} ms, "
            f"p99 {quantiles(sample, n=100, method='inclusive')[98]:.1f} ms, most {sample[-1]:.1f} ms",
        ]
        return said + ([f"  LOST: {self.missing} alerts never came"] if self.missing else [])


class Listener:
    """A client of the live stream on a bare socket; notes when the *firing* of each device arrived."""

    def __init__(self, plant: Plant) -> None:
        self._socket = socket.create_connection(("127.0.0.1", plant.api_port), timeout=_WAIT_SECONDS)
        self._socket.sendall(
            b"GET /api/v1/stream HTTP/1.0\r\nHost: bench\r\nAuthorization: Bearer " + plant.token.encode() + b"\r\n\r\n"
        )
        self.heard: dict[str, float] = {}
        self.listening = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="stream listener", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        rest = b""
        while chunk := self._receive():
            now = time.monotonic()
            rest += chunk
            *lines, rest = rest.split(b"\n")
            for line in lines:
                self._take(line.strip(), now)

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(65_536)
        except OSError:
            return b""

    def _take(self, line: bytes, now: float) -> None:
        if line.startswith(b"retry:"):
            self.listening.set()
        elif line.startswith(b"data:"):
            transition = json.loads(line[5:])
            if transition["kind"] == "firing":
                self.heard[transition["device"]["device"]] = now

    def close(self) -> None:
        """End the stream and the thread."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


def measure(plant: Plant, title: str, *, alerts: int, gates: str, lifts: int) -> Latency:
    """Force ``alerts`` gates open, each once, named ``gates``-0 and on, and time their alerts."""
    seconds = alerts * _EVERY_SECONDS + 2 * _HEAD_START_SECONDS
    load = Load(plant.broker, count=int(seconds * LOAD_PER_SECOND), rate=LOAD_PER_SECOND, lifts=lifts)
    listener = Listener(plant)
    try:
        if not listener.listening.wait(_WAIT_SECONDS):
            raise TimeoutError("the live stream did not begin")
        load.begin()
        time.sleep(_HEAD_START_SECONDS)
        published = _publish(plant, alerts, gates)
        _wait_for_all(listener, published)
        load.end()
    finally:
        listener.close()
    heard = {device: at for device, at in listener.heard.items() if device in published}
    took = sorted((at - published[device]) * 1_000 for device, at in heard.items())
    return Latency(title, took, len(published) - len(took))


def _publish(plant: Plant, alerts: int, gates: str) -> dict[str, float]:
    publisher = Publisher(plant.broker.port, f"bench-{gates}")
    published: dict[str, float] = {}
    for number in range(alerts):
        device = f"{gates}-{number}"
        topic, payload = forced_open(device, SystemClock().now())
        packet = publish_packet(topic, payload, number)
        published[device] = time.monotonic()
        publisher.send([packet])
        publisher.wait_for_room(0)
        time.sleep(max(0.0, published[device] + _EVERY_SECONDS - time.monotonic()))
    publisher.close()
    return published


def _wait_for_all(listener: Listener, published: dict[str, float]) -> None:
    try:
        wait_until(lambda: published.keys() <= listener.heard.keys(), _WAIT_SECONDS, "the last alert")
    except TimeoutError:
        return  # What is missing is counted and told.
