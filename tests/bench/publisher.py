"""The load, in a process of its own: `python -m tests.bench.publisher PORT COUNT RATE LIFTS`; RATE 0 is full speed.

Everything is encoded before it says ``ready`` and waits for a line on standard input; at the end it prints one line of
JSON: messages sent and acknowledged, and how long that took.
"""

import json
import sys
import time
from datetime import timedelta

from core.clock import SystemClock
from tests.bench.fleet import readings
from tests.bench.mqtt import Publisher, publish_packet

WINDOW = 2_000
_PIECE = 200
# Device times run ahead of the clock by less than the five minutes at which they would be clamped.
_STEP = timedelta(milliseconds=100)


def main() -> None:
    """Encode, wait for the word, publish, report."""
    port, count, rate, lifts = map(int, sys.argv[1:5])
    step = timedelta(seconds=lifts / rate) if rate else _STEP
    messages = readings(count, lifts, SystemClock().now(), step)
    packets = [publish_packet(topic, payload, number) for number, (topic, payload) in enumerate(messages)]
    payload_bytes = sum(map(len, packets)) // max(1, len(packets))
    publisher = Publisher(port, f"bench-load-{rate}-{count}")
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    cpu = time.process_time()
    _publish(publisher, packets, rate, began)
    publisher.wait_for_room(0)
    said = {
        "sent": publisher.sent,
        "acknowledged": publisher.acknowledged,
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - cpu,
        "packet_bytes": payload_bytes,
    }
    publisher.close()
    print(json.dumps(said), flush=True)


def _publish(publisher: Publisher, packets: list[bytes], rate: int, began: float) -> None:
    # Paced: a piece every 10 ms, so that the load is even and the publisher itself costs little.
    piece = max(1, rate // 100) if rate else _PIECE
    for start in range(0, len(packets), piece):
        if rate:
            time.sleep(max(0.0, began + start / rate - time.monotonic()))
        publisher.send(packets[start : start + piece])
        publisher.wait_for_room(WINDOW)


if __name__ == "__main__":
    main()
