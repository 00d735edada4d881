"""The native decoder: bounds, time, pseudonyms, unknown fields, and that nothing makes it raise."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.devices import Channel, DeviceKey, DeviceKind
from core.observations import Entry, Observation, Rejection, RejectionReason
from core.wire.payloads import GateEvent
from core.wire.topics import build
from ingest.decoders.native import NativeDecoder
from ingest.points import points_of
from tests.unit.ingest.entries import DECODER, KEY, LIFT, RECEIVED_AT, entry

GATE = "anju/v1/demo/gate/gate-1/event"
SHED = "anju/v1/demo/thermal/shed-1/telemetry"
PRESENCE = "anju/v1/demo/gate/gate-1/presence"
ABSURD = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"]


def observed(topic: str, payload: bytes | dict[str, object]) -> Observation:
    outcome = DECODER(entry(topic, payload))
    assert isinstance(outcome, Observation), outcome
    return outcome


def refused(topic: str, payload: bytes | dict[str, object]) -> Rejection:
    outcome = DECODER(entry(topic, payload))
    assert isinstance(outcome, Rejection), outcome
    return outcome


def test_a_payload_longer_than_the_limit_is_told_by_its_full_size() -> None:
    outcome = DECODER(Entry(7, RECEIVED_AT, LIFT, b"{" * 65_536, 70_000))
    assert isinstance(outcome, Rejection)
    assert (outcome.reason, outcome.detail) == (RejectionReason.OVERSIZED, "70000 bytes; at most 65536 are taken")
    assert outcome.excerpt == b"{" * 512


@pytest.mark.parametrize(
    "payload", [b'{"at":"2026-03-01T08:00:00Z","floor":"\xff"}', b'{"at":5,"vendor":"\xed\xa0\x80"}', b"\xfe\xff\x00{"]
)
def test_bytes_that_are_not_utf8(payload: bytes) -> None:
    assert refused(LIFT, payload).reason is RejectionReason.NOT_UTF8


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(b"[" * 60_000, RejectionReason.WRONG_SHAPE, id="deep"),
        pytest.param(b'{"vendor":' * 5_000 + b"1" + b"}" * 5_000, RejectionReason.WRONG_SHAPE, id="deep unknown field"),
        pytest.param(
            b'{"at":"2026-03-01T08:00:00Z","v":' + b"[" * 33 + b"]" * 33 + b"}",
            RejectionReason.WRONG_SHAPE,
            id="deeper than any reader walks",
        ),
        pytest.param(
            b'{"at":"2026-03-01T08:00:00Z","v":' + b"9" * 60_000 + b"}",
            RejectionReason.WRONG_SHAPE,
            id="endless number",
        ),
        pytest.param(b"\xef\xbb\xbf{}", RejectionReason.NOT_JSON, id="byte order mark"),
        pytest.param(b"{}{}", RejectionReason.NOT_JSON, id="two documents"),
    ],
)
def test_hostile_json(payload: bytes, reason: RejectionReason) -> None:
    assert refused(LIFT, payload).reason is reason


@pytest.mark.parametrize(
    ("at", "expected", "late", "skew"),
    [
        pytest.param("2026-03-01T08:00:00Z", "08:00:00", False, None, id="now"),
        pytest.param("2026-03-01T17:00:00+09:00", "08:00:00", False, None, id="another offset"),
        pytest.param("2026-03-01T16:00:00", "08:00:00", False, None, id="no offset: the zone's"),
        pytest.param("2026-03-01T07:55:10Z", "07:55:10", False, None, id="five minutes ago is not late"),
        pytest.param("2026-03-01T07:55:09Z", "07:55:09", True, None, id="a second more is"),
        pytest.param("2026-03-01T08:05:10Z", "08:05:10", False, None, id="five minutes ahead is believed"),
        pytest.param("2026-03-01T08:05:11Z", "08:00:10", False, timedelta(seconds=301), id="a second more is not"),
        pytest.param("2020-01-01T00:00:00Z", None, True, None, id="the oldest plausible instant"),
        pytest.param(
            "1970-01-01T00:00:10Z", "08:00:10", False, datetime(1970, 1, 1, tzinfo=UTC) - RECEIVED_AT.replace(second=0),
            id="a clock that was never set",
        ),
    ],
)  # fmt: skip
def test_the_time_of_a_reading(at: str, expected: str | None, late: bool, skew: timedelta | None) -> None:
    observation = observed(LIFT, {"at": at})
    wanted = datetime.fromisoformat(f"2026-03-01T{expected}+00:00" if expected else at)
    assert (observation.at, observation.late, observation.skew) == (wanted, late, skew)
    assert observation.at.tzinfo is UTC
    assert observation.received_at == RECEIVED_AT


@pytest.mark.parametrize("at", ABSURD)
def test_an_absurd_time_is_clamped_whatever_its_offset(at: str) -> None:
    observation = observed(LIFT, {"at": at})
    assert observation.at == RECEIVED_AT
    assert observation.skew is not None
    assert not observation.late


def test_presence_is_never_late() -> None:
    observation = observed(PRESENCE, {"at": "2026-02-01T00:00:00Z", "status": "online"})
    assert (observation.at, observation.late) == (datetime(2026, 2, 1, tzinfo=UTC), False)


@pytest.mark.parametrize("at", ["2026-02-01T00:00:00Z", "2036-02-01T00:00:00Z", *ABSURD])
def test_a_will_happens_when_it_arrives(at: str) -> None:
    observation = observed(PRESENCE, {"at": at, "status": "offline"})
    assert (observation.at, observation.late, observation.skew) == (RECEIVED_AT, False, None)


def test_a_running_number_keeps_a_burst_of_one_instant_apart() -> None:
    burst = [observed(LIFT, {"at": "2026-03-01T08:00:00Z", "seq": seq}) for seq in range(5_500, 6_500)]
    assert len({observation.sub_microsecond for observation in burst}) == 1_000


def test_without_one_the_content_tells_messages_apart() -> None:
    closed, opened = ({"at": "2026-03-01T08:00:00Z", "type": kind} for kind in ("door_closed", "door_opened"))
    assert observed(GATE, {**closed}).sub_microsecond != observed(GATE, {**opened}).sub_microsecond
    assert observed(GATE, {**closed}).sub_microsecond == observed(GATE, {**closed}).sub_microsecond


def test_what_tells_a_gates_messages_apart_cannot_be_found_without_the_key() -> None:
    swipes = [entry(GATE, {"at": "2026-03-01T08:00:00Z", "type": "granted", "credential": str(n)}) for n in range(50)]
    with_key, with_another = (
        [decoder(swipe).sub_microsecond for swipe in swipes]  # type: ignore[union-attr] # all are sound
        for decoder in (DECODER, NativeDecoder(pseudonym_key=KEY[::-1]))
    )
    assert sum(one == other for one, other in zip(with_key, with_another, strict=True)) < 5


def credential_of(decoder: NativeDecoder, card: str) -> str | None:
    outcome = decoder(entry(GATE, {"at": "2026-03-01T08:00:00Z", "type": "granted", "credential": card}))
    assert isinstance(outcome, Observation)
    assert isinstance(outcome.body, GateEvent)
    return outcome.body.credential


def test_a_credential_becomes_a_pseudonym_that_depends_on_the_key() -> None:
    first = credential_of(DECODER, "card-4711")
    assert first is not None
    assert len(bytes.fromhex(first)) == 8
    assert first == credential_of(DECODER, "card-4711")
    assert first != credential_of(DECODER, "card-4712")
    assert first != credential_of(NativeDecoder(pseudonym_key=KEY[::-1]), "card-4711")


def test_what_a_gateway_adds_about_a_person_is_not_kept() -> None:
    person = {"name": "张三", "cardNo": 4711, "groups": ["residents"]}
    observation = observed(GATE, {"at": "2026-03-01T08:00:00Z", "type": "granted", "person": person, "vip": True})
    (point,) = points_of(observation)
    kept = str(point.values["extra"])
    assert all(word in kept for word in ("name", "cardNo", '"vip":true'))
    assert not any(word in kept for word in ("张三", "4711", "residents"))


@pytest.mark.parametrize(
    "payload",
    [
        b'{"at":5,"credential":"4711"}',
        b'{"credential" : 4711}',
        b'{"credential":"4711',
        b'{"at":' + b" " * 486 + b'5,"credential":"4711"}',
    ],
)
def test_an_excerpt_shows_no_credential(payload: bytes) -> None:
    excerpt = refused(GATE, payload).excerpt
    assert b"credential" in excerpt
    assert b"47" not in excerpt
    assert len(excerpt) <= 512


@pytest.mark.parametrize("length", [0, 15, 65])
def test_a_key_that_would_not_protect_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="expected 16 to 64"):
        NativeDecoder(pseudonym_key=b"k" * length)


def test_a_wide_space_is_a_character_like_another() -> None:
    body = observed(GATE, {"at": "2026-03-01T08:00:00Z", "type": "door_opened", "door": "北\u3000门"}).body
    assert isinstance(body, GateEvent)
    assert body.door == "北\u3000门"


TOPICS = [
    build(DeviceKey("demo", kind, "one"), channel) for kind in DeviceKind for channel in Channel
]  # gate/telemetry among them
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
NEARLY_RIGHT = st.fixed_dictionaries(
    {"at": st.sampled_from(["2026-03-01T08:00:00Z", *ABSURD]) | JSON},
    optional={
        "seq": JSON,
        "type": st.sampled_from(["granted", "fault_raised", "episode_started"]) | JSON,
        "status": st.sampled_from(["online", "offline"]),
        "level": st.just("alarm"),
        "region": st.text(max_size=3),
        "episode": st.text(max_size=3),
        "source": st.text(max_size=3),
        "code": st.integers() | st.text(max_size=3),
        "credential": JSON,
        "regions": st.lists(
            st.fixed_dictionaries({"region": st.text(max_size=3), "maximum_celsius": st.floats()}, optional={"x": JSON})
            | JSON,
            max_size=3,
        ),
        "floor": st.text(max_size=3),
        "vendor": JSON,
    },
).map(msgspec.json.encode)
PAYLOADS = st.binary(max_size=300) | JSON.map(msgspec.json.encode) | NEARLY_RIGHT


@given(topic=st.sampled_from(TOPICS) | st.text(), payload=PAYLOADS)
@example(topic=LIFT, payload=b'{"at":"2026-03-01T08:00:00Z","\\udc00":1}')
@example(topic=SHED, payload=b'{"at":"2026-03-01T08:00:00Z","regions":[{"region":[],"maximum_celsius":1,"x":1}]}')
@example(topic="\ud800", payload=b"{}")
def test_every_entry_ends_as_an_observation_with_points_or_as_a_rejection(topic: str, payload: bytes) -> None:
    outcome = DECODER(entry(topic, payload))
    if isinstance(outcome, Rejection):
        assert outcome.detail
        assert payload or "empty payload" in outcome.detail or outcome.reason is RejectionReason.UNKNOWN_TOPIC
        return
    points = points_of(outcome)
    assert points
    assert all(point.values for point in points)
    # Whatever is kept can be said in UTF-8, and holds no NUL.
    texts = [str(value) for point in points for value in (point.part, *point.values.values())]
    assert b"\x00" not in "".join(texts).encode()
    assert outcome.at.tzinfo is UTC
    assert 0 <= outcome.sub_microsecond < 1_000
