"""The stream of packets: cut anywhere, nothing is lost, changed or put out of order."""

import struct
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.observations import PAYLOAD_LIMIT_BYTES
from ingest.packets import LONGEST_BYTES, MalformedStream, PacketSplitter, Publish

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
    # `MalformedStream` is its way to say so.
    with suppress(MalformedStream):
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


def fed(splitter: PacketSplitter, stream: bytes) -> list[Publish]:
    """Feed in pieces as a socket gives them; what is for paho must be nothing."""
    found: list[Publish] = []
    for at in range(0, len(stream), 65_536):
        publishes, others = splitter.feed(stream[at : at + 65_536])
        assert others == b""
        found += publishes
        assert len(splitter._incomplete) <= LONGEST_BYTES + 65_536
    return found


@pytest.mark.parametrize("size", [LONGEST_BYTES - 1_000, LONGEST_BYTES + 1, 5 * LONGEST_BYTES])
@pytest.mark.parametrize("properties", [None, b"abc"], ids=["3.1.1", "5"])
def test_a_message_that_is_too_long_is_cut_and_the_next_ones_are_not(size: int, properties: bytes | None) -> None:
    before, huge, after = (b"t", b"1", 7), (b"t" * 300, b"x" * size, 8), (b"t", b"2", 9)
    stream = b"".join(publish(message, properties=properties) for message in (before, huge, after))
    first, cut, last = fed(PacketSplitter(version_5=properties is not None), stream)
    assert (first, last) == (before, after)
    assert (cut[0], cut[2]) == (huge[0], huge[2])
    assert huge[1].startswith(cut[1])
    assert len(cut[1]) == size if size < LONGEST_BYTES else PAYLOAD_LIMIT_BYTES < len(cut[1]) < LONGEST_BYTES


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"\x90\xff\xff\xff\x7f\x00", id="SUBACK"),
        pytest.param(b"\x34\xff\xff\xff\x7f\x00\x01a\x00\x01", id="QoS 2"),
    ],
)
def test_another_packet_that_is_too_long_makes_no_sense(head: bytes) -> None:
    with pytest.raises(MalformedStream):
        fed(PacketSplitter(version_5=False), head + bytes(LONGEST_BYTES))
