"""The two configurations of Mosquitto that Anju brings limit senders alike."""

from pathlib import Path

import pytest

from app.broker import CONFIGURATION
from core.observations import PAYLOAD_LIMIT_BYTES

SHIPPED = (Path(__file__).parents[3] / "deploy" / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
# Header, topic and properties, as topics of ours can be.
_AROUND_PAYLOAD_BYTES = 1_024


def values(text: str) -> dict[str, str]:
    lines = (line.partition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in lines if value}


@pytest.mark.parametrize(
    "name",
    [
        "autosave_interval",
        "max_queued_messages",
        "max_queued_bytes",
        "max_inflight_messages",
        "max_packet_size",
        "memory_limit",
        "max_connections",
        "persistent_client_expiration",
        "persistence",
        "set_tcp_nodelay",
    ],
)
def test_they_agree(name: str) -> None:
    assert values(CONFIGURATION)[name] == values(SHIPPED)[name]


def test_a_payload_just_over_our_limit_reaches_quarantine_and_the_queue_fits_into_the_heap() -> None:
    shipped = {name: int(value) for name, value in values(SHIPPED).items() if value.isdigit()}
    assert PAYLOAD_LIMIT_BYTES + _AROUND_PAYLOAD_BYTES < shipped["max_packet_size"] < 2 * PAYLOAD_LIMIT_BYTES
    # Half a kilobyte for each message beside its payload.
    assert shipped["max_queued_bytes"] + 512 * shipped["max_queued_messages"] < shipped["memory_limit"]
