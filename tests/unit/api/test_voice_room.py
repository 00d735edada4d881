"""Who may say what in a voice's room; its credentials, its bounds."""

from datetime import UTC, datetime
from typing import Literal

import pytest
from starlette.datastructures import Headers

from api.routes.voice import is_welcome
from api.voice import (
    BURST_MESSAGES,
    GRACE_SECONDS,
    MESSAGE_LIMIT_BYTES,
    WAITING_LIMIT,
    Busy,
    Bye,
    Candidate,
    Hello,
    IceServer,
    Peer,
    Post,
    Rate,
    Room,
    Said,
    Side,
    Wait,
    Waiting,
    read,
    written,
)
from api.voice_ice import IceSettings, ice_servers, turn_credentials

RESIDENT = Peer("r1", Side.RESIDENT, "phone", "")
LAN = Peer("s1", Side.STAFF, "desk-of-lan", "lan")
STRANGER = Peer("r2", Side.RESIDENT, "stranger", "")
WEI = Peer("s2", Side.STAFF, "desk-of-wei", "wei")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def _talking() -> Room:
    """A room in which the resident and Lan are in the round e-1."""
    room = Room("e")
    room.join(RESIDENT, 0)
    room.join(LAN, 0)
    room.say("r1", Said("ready"))
    room.say("s1", Said("ready"))
    return room


def test_a_round_begins_when_both_are_ready_whoever_was_first() -> None:
    room = Room("e")
    assert room.join(LAN, 0) == [Post("s1", Hello(Side.STAFF, (), other=False))]
    assert room.say("s1", Said("ready", microphone="granted")) == []
    assert room.join(RESIDENT, 0) == [Post("r1", Hello(Side.RESIDENT, (), other=True))]
    assert room.say("r1", Said("ready", microphone="refused")) == [
        Post("r1", Said("ready", "e-1", microphone="granted")),
        Post("s1", Said("ready", "e-1", microphone="refused")),
    ]


@pytest.mark.parametrize(
    ("sender", "kind", "named", "passed"),
    [
        pytest.param("r1", "offer", "e-1", True, id="the resident offers"),
        pytest.param("s1", "offer", "e-1", False, id="staff never offers, so there is no glare"),
        pytest.param("s1", "answer", "e-1", True, id="staff answers"),
        pytest.param("r1", "answer", "e-1", False, id="the resident never answers"),
        pytest.param("r1", "candidate", "e-1", True, id="a candidate of the resident"),
        pytest.param("s1", "candidate", "e-1", True, id="a candidate of staff"),
        pytest.param("r1", "offer", "e-0", False, id="an offer of a former round"),
        pytest.param("r1", "offer", "", False, id="an offer of no round"),
        pytest.param("x9", "offer", "e-1", False, id="somebody who is not in the room"),
    ],
)
def test_what_is_passed_on(
    sender: str, kind: Literal["offer", "answer", "candidate"], named: str, *, passed: bool
) -> None:
    said = Said(kind, named, sdp="v=0")
    to = "s1" if sender == "r1" else "r1"
    assert _talking().say(sender, said) == ([Post(to, said)] if passed else [])


def test_nothing_is_passed_on_before_a_round() -> None:
    room = Room("e")
    room.join(RESIDENT, 0)
    room.join(LAN, 0)
    assert room.say("r1", Said("offer", "", sdp="v=0")) == []


def test_staff_asks_for_fresh_candidates_within_the_round() -> None:
    wish = Said("ready", "e-1", restart=True)
    assert _talking().say("s1", wish) == [Post("r1", wish)]


def test_ready_without_the_round_begins_the_next_one() -> None:
    posts = _talking().say("r1", Said("ready"))
    assert [post.message.round for post in posts if isinstance(post.message, Said)] == ["e-2", "e-2"]


def test_a_second_colleague_is_told_who_talks_and_may_take_over() -> None:
    room = _talking()
    assert room.join(WEI, 0) == [Post("s2", Busy("lan"), closes=True)]
    assert room.say("s2", Said("ready")) == []
    assert room.join(WEI, 0, take_over=True) == [
        Post("s1", Bye("taken_over", "wei"), closes=True),
        Post("s2", Hello(Side.STAFF, (), other=True)),
    ]
    assert [post.to for post in room.say("s2", Said("ready"))] == ["s2", "r1"]
    assert room.say("s1", Said("answer", "e-2", sdp="v=0")) == []


def test_a_lost_connection_comes_again_into_the_same_round() -> None:
    room = _talking()
    assert room.leave("s1", 0) == [Post("r1", Bye("lost", "lan"))]
    again = Peer("s9", Side.STAFF, LAN.client, "lan")
    room.join(again, 0)
    mended = Said("ready", "e-1", microphone="granted")
    assert room.say("s9", mended) == [Post("r1", mended)]


def test_a_page_that_comes_again_before_its_loss_was_noticed_replaces_itself() -> None:
    room = _talking()
    again = Peer("s9", Side.STAFF, LAN.client, "lan")
    assert room.join(again, 0)[0] == Post("s1", Bye("replaced", "lan"), closes=True)
    assert room.leave("s1", 0) == []
    assert not room.empty


def test_a_stranger_does_not_take_the_residents_seat_and_staff_see_that_somebody_waits() -> None:
    room = _talking()
    assert room.join(STRANGER, 0) == [Post("r2", Wait()), Post("s1", Waiting(1))]
    assert room.say("r2", Said("ready")) == []
    assert room.say("r2", Said("offer", "e-1", sdp="v=0")) == []
    assert room.say("r1", Said("offer", "e-1", sdp="v=0")) == [Post("s1", Said("offer", "e-1", sdp="v=0"))]
    assert room.join(WEI, 0, take_over=True)[-1] == Post("s2", Waiting(1))
    assert room.leave("r2", 1) == [Post("s2", Waiting(0))]


def test_staff_hand_the_seat_on_and_back() -> None:
    room = _talking()
    assert room.hand_on() == []
    room.join(STRANGER, 0)
    assert room.hand_on() == [
        Post("r1", Wait()),
        Post("r2", Hello(Side.RESIDENT, (), other=True)),
        Post("s1", Waiting(1)),
    ]
    assert room.say("r1", Said("offer", "e-1", sdp="v=0")) == []
    assert [post.to for post in room.say("r2", Said("ready"))] == ["r2", "s1"]
    assert [post.to for post in room.hand_on()] == ["r2", "r1", "s1"]
    assert room.say("r2", Said("offer", "e-2", sdp="v=0")) == []


@pytest.mark.parametrize(
    ("seconds", "first"), [(GRACE_SECONDS - 1, "phone"), (GRACE_SECONDS, "stranger")], ids=["soon", "too late"]
)
@pytest.mark.parametrize("came", [0, 5, GRACE_SECONDS], ids=["waits already", "comes meanwhile", "comes at its end"])
def test_who_drops_out_is_waited_for(seconds: float, first: str, came: float) -> None:
    room = _talking()
    if came < GRACE_SECONDS:
        room.join(STRANGER, 0) if came == 0 else None
        room.leave("r1", 0)
        if came:
            assert room.join(STRANGER, came)[0] == Post("r2", Wait())
    else:
        room.leave("r1", 0)
    assert room.pass_time(GRACE_SECONDS - 0.1) == []
    again = Peer("r9", Side.RESIDENT, RESIDENT.client, "")
    if first == "phone":
        assert room.join(again, seconds)[0] == Post("r9", Hello(Side.RESIDENT, (), other=True))
        assert room.say("r9", Said("ready", "e-1")) == [Post("s1", Said("ready", "e-1"))]
        return
    if came == GRACE_SECONDS:
        assert room.join(STRANGER, came)[0] == Post("r2", Hello(Side.RESIDENT, (), other=True))
    assert Post("r9", Wait()) in room.join(again, seconds)
    assert room.say("r9", Said("ready", "e-1")) == []


def test_a_stranger_who_comes_at_the_end_of_the_grace_does_not_pass_those_who_wait() -> None:
    room = _talking()
    room.join(STRANGER, 0)
    room.leave("r1", 0)
    late = Peer("r5", Side.RESIDENT, "late", "")
    posts = room.join(late, GRACE_SECONDS + 1)
    assert [(post.to, type(post.message)) for post in posts if post.to != "s1"] == [("r2", Hello), ("r5", Wait)]


def test_who_hangs_up_leaves_the_seat_to_the_next_one() -> None:
    room = _talking()
    room.join(STRANGER, 0)
    posts = room.say("r1", Said("bye"))
    assert [(post.to, type(post.message)) for post in posts] == [
        ("s1", Bye), ("r1", Bye), ("r2", Hello), ("s1", Waiting),
    ]  # fmt: skip
    assert room.say("r2", Said("bye"))[-1] == Post("r2", Bye("left"), closes=True)
    assert not room.empty


def test_the_line_is_bounded_and_a_page_stands_in_it_once() -> None:
    room = _talking()
    for number in range(WAITING_LIMIT):
        room.join(Peer(f"w{number}", Side.RESIDENT, f"page {number}", ""), 0)
    again = Peer("w9", Side.RESIDENT, "page 0", "")
    assert room.join(again, 0) == [Post("w0", Bye("replaced"), closes=True), Post("w9", Wait())]
    assert room.waiting == WAITING_LIMIT
    assert room.leave("w0", 0) == []
    assert room.hand_on()[1].to == "w9"


@pytest.mark.parametrize(
    ("networks", "newcomer", "displaced"),
    [
        pytest.param("AAAA", "B", 0, id="a newcomer from elsewhere"),
        pytest.param("AAAB", "B", 0, id="a second one from there"),
        pytest.param("AABB", "C", 0, id="two networks with as many"),
        pytest.param("BAAC", "C", 1, id="never the only one of a network while another has two"),
        pytest.param("BAAA", "A", 1, id="a network with the most displaces its own"),
        pytest.param("BACD", "A", 1, id="a network that waits already displaces its own"),
        pytest.param("AAAA", "A", 0, id="one network, as behind a carrier's NAT"),
        pytest.param("ABCD", "E", 0, id="each from elsewhere"),
    ],
)
def test_a_newcomer_gets_a_waiting_place_when_all_are_taken(networks: str, newcomer: str, displaced: int) -> None:
    room = _talking()
    for number, network in enumerate(networks):
        room.join(Peer(f"w{number}", Side.RESIDENT, f"page {number}", "", network=network), 0)
    posts = room.join(Peer("w9", Side.RESIDENT, "trapped", "", network=newcomer), 0)
    assert posts == [Post(f"w{displaced}", Bye("displaced"), closes=True), Post("w9", Wait())]
    assert room.waiting == WAITING_LIMIT
    assert room.leave(f"w{displaced}", 0) == []
    let_in = [room.hand_on()[1].to for _ in range(WAITING_LIMIT + 1)]
    assert let_in == [*(f"w{number}" for number in range(4) if number != displaced), "w9", "r1"]


def test_who_floods_a_room_from_one_network_displaces_neither_the_seat_nor_another_network() -> None:
    room = _talking()
    trapped = Peer("w0", Side.RESIDENT, "trapped", "", network="B")
    room.join(trapped, 0)
    gone = [
        post.to
        for number in range(1, 50)
        for post in room.join(Peer(f"w{number}", Side.RESIDENT, f"page {number}", "", network="A"), 0)
        if isinstance(post.message, Bye)
    ]
    assert gone == [f"w{number}" for number in range(1, 47)]
    assert [post.to for post in room.hand_on()[:2]] == ["r1", "w0"]


def test_a_room_is_kept_for_who_dropped_out_and_forgotten_after_that() -> None:
    room = Room("e")
    room.join(RESIDENT, 0)
    room.leave("r1", 0)
    assert not room.empty
    assert room.pass_time(GRACE_SECONDS) == []
    assert room.empty


def test_a_round_of_another_room_is_not_believed() -> None:
    room = Room("f")
    room.join(RESIDENT, 0)
    room.join(LAN, 0)
    room.say("r1", Said("ready", "e-1"))
    assert {post.message.round for post in room.say("s1", Said("ready", "e-1")) if isinstance(post.message, Said)} == {
        "f-1"
    }


def test_hanging_up_ends_the_round_and_the_other_may_stay() -> None:
    room = _talking()
    assert room.say("s1", Said("bye")) == [Post("r1", Bye("left", "lan")), Post("s1", Bye("left"), closes=True)]
    room.join(LAN, 0)
    assert len(room.say("s1", Said("ready", "e-1"))) == 2


def test_the_end_of_the_call_sends_everybody_away() -> None:
    room = _talking()
    assert room.end() == [Post("r1", Bye("closed"), closes=True), Post("s1", Bye("closed"), closes=True)]
    assert room.empty


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("{", "not a message", id="not JSON"),
        pytest.param('{"type":"hello"}', "not a message", id="what only the server says"),
        pytest.param('{"type":"ready","round":1}', "not a message", id="a wrong type"),
        pytest.param('{"type":"ready","microphone":"loud"}', "not a message", id="an unknown word"),
        pytest.param('"\ud800"', "not a message", id="a lone surrogate"),
        pytest.param('{"type":"offer","sdp":"' + "x" * MESSAGE_LIMIT_BYTES + '"}', "above 16384 bytes", id="too long"),
    ],
)
def test_what_is_no_message(text: str, why: str) -> None:
    refused = read(text)
    assert isinstance(refused, str)
    assert why in refused


def test_only_what_is_known_is_passed_on() -> None:
    text = (
        '{"type":"candidate","round":"e-1","evil":1,"candidate":{"candidate":"a","sdpMid":"0","sdpMLineIndex":0,"x":1}}'
    )
    said = read(text)
    assert said == Said("candidate", "e-1", candidate=Candidate("a", "0", 0))
    assert written(said) == (
        '{"type":"candidate","round":"e-1","candidate":{"candidate":"a","sdpMid":"0","sdpMLineIndex":0}}'
    )


def test_a_hello_is_written_as_pages_read_it() -> None:
    hello = Hello(Side.STAFF, (IceServer(["stun:a:3478"]),), other=False)
    assert written(hello) == '{"type":"hello","side":"staff","ice":[{"urls":["stun:a:3478"]}],"other":false}'


def test_the_rate_takes_a_burst_and_fills_up_again() -> None:
    rate = Rate(0.0)
    assert all(rate.take(0.0) for _ in range(BURST_MESSAGES))
    assert not rate.take(0.0)
    assert rate.take(0.1)


def test_turn_credentials_are_what_openssl_makes_of_them() -> None:
    """`printf %s 1767225600:resident | openssl dgst -sha1 -hmac 'correct horse' -binary | base64`"""
    assert turn_credentials("correct horse", "resident", NEW_YEAR) == (
        "1767225600:resident",
        "1davos9vYTG2AYd3mGw5M1mc2XQ=",
    )


def test_servers_are_those_of_the_settings() -> None:
    assert ice_servers(IceSettings(), "staff", NEW_YEAR) == ()
    stun, turn = ice_servers(IceSettings(("stun:a:3478",), "turn:a:3478", "correct horse"), "staff", NEW_YEAR)
    assert stun == IceServer(["stun:a:3478"])
    assert turn.urls == ["turn:a:3478"]
    assert turn.username == "1767268800:staff"


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        pytest.param({"Host": "anju:8000"}, True, id="a program"),
        pytest.param({"Origin": "https://anju:8000", "Host": "anju:8000"}, True, id="our own page"),
        pytest.param({"Origin": "https://ANJU", "Host": "anju"}, True, id="in capitals"),
        pytest.param(
            {"Origin": "https://desk.example", "Host": "anju:8000", "X-Forwarded-Host": "desk.example"},
            True,
            id="behind a proxy that tells the name",
        ),
        pytest.param(
            {"Origin": "https://anju", "Host": "x", "Sec-Fetch-Site": "same-origin"}, True, id="says a browser"
        ),
        pytest.param({"Origin": "https://evil.example", "Host": "anju"}, False, id="another site"),
        pytest.param(
            {"Origin": "https://evil.example", "Host": "anju", "X-Forwarded-Host": "desk.example"},
            False,
            id="another site, through the proxy",
        ),
        pytest.param({"Origin": "https://anju:9000", "Host": "anju:8000"}, False, id="another port"),
        pytest.param({"Origin": "null", "Host": "anju"}, False, id="a page without an origin"),
        pytest.param({"Origin": "null", "Host": ""}, False, id="neither has a name"),
        pytest.param({"Origin": "https://behind.example", "Host": "anju"}, True, id="named in the settings"),
    ],
)
def test_only_our_own_pages_connect(headers: dict[str, str], *, taken: bool) -> None:
    assert is_welcome(Headers(headers), frozenset({"https://behind.example"})) is taken
