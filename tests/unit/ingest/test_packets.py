"""The stream of packets: cut anywhere, nothing is lost, changed or put out of order."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.packets import PacketSplitter, Publish

PINGRESP = b"\xd0\x00"
SUBACK = b"\x90\x03\x00\x01\x01"


def remaining_length(size: int) -> bytes:
    """As MQTT 3.1.1, 2.2.3."""
    encoded = bytearray()
    while True:
        size, digit = divmod(size, 128)
        encoded.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(encoded)


def publish(message: Publish, *, properties: bytes | None = None) -> bytes:
    topic, payload, mid = message
    body = struct.pack("!H", len(topic)) + topic + (mid.to_bytes(2, "big") if mid else b"")
    if properties is not None:
        body += remaining_length(len(properties)) + properties
    body += payload
    return bytes([0x32 if mid else 0x30]) + remaining_length(len(body)) + body


MESSAGES = st.tuples(st.binary(min_size=1, max_size=40), st.binary(max_size=400), st.integers(0, 65_535))


@given(
    messages=st.lists(st.tuples(MESSAGES, st.sampled_from([b"", PINGRESP, SUBACK])), max_size=8),
    properties=st.none() | st.binary(max_size=200),
    cuts=st.lists(st.integers(0, 5_000)),
)
def test_any_cut_of_the_stream_gives_the_same_messages(
    messages: list[tuple[Publish, bytes]], properties: bytes | None, cuts: list[int]
) -> None:
    stream = b"".join(publish(message, properties=properties) + other for message, other in messages)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    splitter = PacketSplitter(version_5=properties is not None)
    found: list[Publish] = []
    others = b""
    for begin, end in pairwise(places):
        publishes, other = splitter.feed(stream[begin:end])
        found += publishes
        others += other
    assert found == [message for message, _ in messages]
    assert others == b"".join(other for _, other in messages)


@given(chunks=st.lists(st.binary(max_size=300), max_size=10), version_5=st.booleans())
def test_no_bytes_make_it_fail(chunks: list[bytes], version_5: bool) -> None:
    splitter = PacketSplitter(version_5=version_5)
    for chunk in chunks:
        splitter.feed(chunk)


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"\x34\x07\x00\x01t\x00\x05ab", id="QoS 2"),
        pytest.param(b"\x36\x07\x00\x01t\x00\x05ab", id="QoS 3"),
        pytest.param(b"\x32\x03\x00\x09t", id="topic longer than the packet"),
        pytest.param(b"\x32\x03\x00\x01t", id="no packet identifier"),
        pytest.param(b"\x30\x01\x00", id="no topic"),
        pytest.param(b"\x30\xff\xff\xff\xff\xff", id="five bytes of length"),
    ],
)
def test_what_makes_no_sense_is_left_to_paho(packet: bytes) -> None:
    assert PacketSplitter(version_5=False).feed(packet) == ([], packet)


def test_properties_longer_than_the_packet_are_left_to_paho() -> None:
    packet = b"\x32\x06\x00\x01t\x00\x05\x7f"
    assert PacketSplitter(version_5=True).feed(packet) == ([], packet)
