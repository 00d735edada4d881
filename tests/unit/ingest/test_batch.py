"""The messages in hand."""

from datetime import UTC, datetime, timedelta

import pytest

from core.observations import PAYLOAD_LIMIT_BYTES
from ingest.batch import Batch, digest_of, incoming

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
AHEAD = timedelta(hours=-2)


def test_what_the_broker_sends_again_is_dropped_and_qos_0_is_kept() -> None:
    batch = Batch()
    batch.add([(b"t", b"first", 7), (b"t", b"once", 0), (b"t", b"second", 8)], NOW, AHEAD)
    assert batch.drop_unacknowledged() == 2
    messages, mids = batch.head(10)
    assert [message.payload for message in messages] == [b"once"]
    assert [(message.received_at, message.wall_ahead) for message in messages] == [(NOW, -7_200_000_000)]
    assert mids == [0], "no identifier of the old connection is left"


def test_the_head_goes_in_order() -> None:
    batch = Batch()
    batch.add([(b"t", b"%d" % number, number) for number in (1, 2, 3)], NOW, AHEAD)
    messages, mids = batch.head(2)
    assert ([message.payload for message in messages], mids) == ([b"1", b"2"], [1, 2])
    batch.drop_head(2)
    assert batch.head(2)[1] == [3]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param((b"a", b"b"), (b"a", b"c"), id="payload"),
        pytest.param((b"a", b"b"), (b"c", b"b"), id="topic"),
        pytest.param((b"a", b"bc"), (b"ab", b"c"), id="where the topic ends"),
    ],
)
def test_digests_tell_messages_apart(one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> None:
    assert digest_of(*one) != digest_of(*other)


def test_the_digest_is_a_fixed_signed_64_bit_number() -> None:
    digests = [digest_of(b"t", b"%d" % number) for number in range(64)]
    assert min(digests) < 0 < max(digests)
    assert all(-(2**63) <= digest < 2**63 for digest in digests)
    # Journals on disk hold it: a change would make every redelivered message a new one.
    assert digest_of(b"anju/v1/a/gate/b/event", b"{}") == -1918012679653993851


def test_only_what_is_beyond_the_limit_is_cut() -> None:
    exact = incoming(b"t", b"x" * PAYLOAD_LIMIT_BYTES, NOW)
    beyond = incoming(b"t", b"x" * (PAYLOAD_LIMIT_BYTES + 1), NOW)
    assert (len(exact.payload), exact.size) == (PAYLOAD_LIMIT_BYTES, PAYLOAD_LIMIT_BYTES)
    assert (len(beyond.payload), beyond.size) == (PAYLOAD_LIMIT_BYTES, PAYLOAD_LIMIT_BYTES + 1)


def test_a_topic_that_is_no_utf_8_shows_its_bytes() -> None:
    assert incoming(b"anju/\xff", b"", NOW).topic == r"anju/\xff"
