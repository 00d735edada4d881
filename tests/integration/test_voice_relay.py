"""The voice's messages through a real server: who gets in, what is passed on, when it ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from websockets.exceptions import InvalidStatus

from api.voice import BURST_MESSAGES, WAITING_LIMIT
from tests.integration.voice_world import CALL, RESIDENT, STAFF, TOKEN, PageSocket, VoiceWorld, page
from tests.integration.web_server import serving


@pytest.fixture
def world() -> VoiceWorld:
    return VoiceWorld()


@pytest.fixture
async def host(world: VoiceWorld) -> AsyncIterator[str]:
    async with serving(world.application()) as address:
        yield address


@contextlib.asynccontextmanager
async def _both(host: str) -> AsyncIterator[tuple[PageSocket, PageSocket, str]]:
    """The resident and Lan in a round."""
    async with page(host, f"{RESIDENT}?client=phone") as resident, page(host, f"{STAFF}?as=lan&client=desk") as lan:
        for one in (resident, lan):
            assert (await one.hear())["type"] == "hello"
            await one.say(type="ready")
        begun = await resident.hear()
        assert await lan.hear() == begun
        yield resident, lan, begun["round"]


async def test_offer_answer_and_candidates_reach_the_other_side(host: str) -> None:
    async with _both(host) as (resident, lan, named):
        await resident.say(type="offer", round=named, sdp="v=0")
        assert await lan.hear() == {"type": "offer", "round": named, "sdp": "v=0"}
        await lan.say(type="answer", round=named, sdp="v=1")
        assert await resident.hear() == {"type": "answer", "round": named, "sdp": "v=1"}
        await lan.say(type="candidate", round=named, candidate={"candidate": "c", "sdpMid": "0"})
        assert (await resident.hear())["candidate"] == {"candidate": "c", "sdpMid": "0"}


async def test_hello_carries_the_servers_with_credentials_that_run_out(host: str) -> None:
    async with page(host, RESIDENT) as resident:
        stun, turn = (await resident.hear())["ice"]
    assert stun == {"urls": ["stun:127.0.0.1:3478"]}
    assert turn["username"] == "1767268800:resident"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param(STAFF, 4401, id="staff without a name"),
        pytest.param(f"{STAFF.replace('call-1', 'call-2')}?as=lan", 4404, id="staff, no such call"),
        pytest.param(RESIDENT.replace("call-1", "call-2"), 4404, id="resident, no such call"),
        pytest.param(RESIDENT.replace(TOKEN, "unknown"), 4404, id="resident, no such code on a wall"),
        pytest.param(RESIDENT.replace(TOKEN, "next"), 4404, id="resident, the code of another place"),
    ],
)
async def test_who_is_turned_away(host: str, path: str, code: int) -> None:
    async with page(host, path) as stranger:
        assert await stranger.closed() == code


async def test_a_page_of_another_site_is_not_even_heard(host: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with page(host, f"{STAFF}?as=lan", origin="https://evil.example"):
            pass
    async with page(host, f"{STAFF}?as=lan", origin=f"http://{host}") as lan:
        assert (await lan.hear())["type"] == "hello"


async def test_a_closed_call_has_no_voice(host: str, world: VoiceWorld) -> None:
    world.close()
    async with page(host, RESIDENT) as resident:
        assert await resident.closed() == 4410


async def test_while_the_records_are_away_nobody_comes_in_and_nobody_is_cut_off(host: str, world: VoiceWorld) -> None:
    async with _both(host) as (resident, lan, named):
        world.away = True
        async with page(host, RESIDENT) as late:
            assert await late.closed() == 1013
        await resident.say(type="offer", round=named, sdp="v=0")
        assert (await lan.hear())["type"] == "offer"


async def test_the_voice_ends_with_the_call(host: str, world: VoiceWorld) -> None:
    async with _both(host) as (resident, lan, _):
        world.close()
        assert await resident.hear() == await lan.hear() == {"type": "bye", "reason": "closed", "by": ""}
        assert await resident.closed() == await lan.closed() == 4410


async def test_a_colleague_takes_over(host: str) -> None:
    async with _both(host) as (resident, lan, named):
        async with page(host, f"{STAFF}?as=wei") as wei:
            assert await wei.hear() == {"type": "busy", "by": "lan"}
            assert await wei.closed() == 4409
        async with page(host, f"{STAFF}?as=wei&take_over=1") as wei:
            assert (await wei.hear())["other"] is True
            assert await lan.hear() == {"type": "bye", "reason": "taken_over", "by": "wei"}
            await wei.say(type="ready")
            assert (await resident.hear())["round"] != named


async def test_a_second_page_waits_and_is_let_in_when_the_first_one_is_asked_to_wait(
    host: str, world: VoiceWorld
) -> None:
    async with _both(host) as (resident, lan, named), page(host, f"{RESIDENT}?client=other") as other:
        assert await other.hear() == {"type": "wait"}
        assert await lan.hear() == {"type": "waiting", "count": 1}
        await other.say(type="ready")
        await other.say(type="offer", round=named, sdp="v=9")
        await resident.say(type="offer", round=named, sdp="v=0")
        assert await lan.hear() == {"type": "offer", "round": named, "sdp": "v=0"}
        assert world.exchange.hand_on(CALL) == 1
        assert await resident.hear() == {"type": "wait"}
        assert (await other.hear())["type"] == "hello"
        assert await lan.hear() == {"type": "waiting", "count": 1}
        await other.say(type="ready")
        assert (await lan.hear())["round"] == (await other.hear())["round"] != named
    assert world.exchange.hand_on("nobody's") is None


async def test_a_newcomer_from_elsewhere_waits_where_staff_see_it_though_one_network_took_all_places(
    host: str, world: VoiceWorld
) -> None:
    async with _both(host) as (resident, lan, _), contextlib.AsyncExitStack() as pages:
        player = [
            await pages.enter_async_context(page(host, f"{RESIDENT}?client=player-{number}"))
            for number in range(WAITING_LIMIT)
        ]
        for number, one in enumerate(player, 1):
            assert await one.hear() == {"type": "wait"}
            assert await lan.hear() == {"type": "waiting", "count": number}
        trapped = await pages.enter_async_context(page(host, f"{RESIDENT}?client=trapped", source="127.0.0.2"))
        assert await trapped.hear() == {"type": "wait"}
        assert await player[0].hear() == {"type": "bye", "reason": "displaced", "by": ""}
        assert await player[0].closed() == 1013
        again = await pages.enter_async_context(page(host, f"{RESIDENT}?client=player-0"))
        assert await player[1].hear() == {"type": "bye", "reason": "displaced", "by": ""}
        for _ in range(3):
            world.exchange.hand_on(CALL)
        assert (await trapped.hear())["type"] == "hello"
        assert await resident.hear() == await again.hear() == {"type": "wait"}


async def test_a_page_that_broke_off_comes_again_before_a_stranger(host: str) -> None:
    async with _both(host) as (resident, lan, named):
        resident.connection.transport.abort()
        assert await lan.hear() == {"type": "bye", "reason": "lost", "by": ""}
        async with page(host, f"{RESIDENT}?client=other") as other, page(host, f"{RESIDENT}?client=phone") as again:
            assert await other.hear() == {"type": "wait"}
            assert (await again.hear())["type"] == "hello"
            await again.say(type="ready", round=named)
            assert [(await lan.hear())["type"] for _ in range(2)] == ["waiting", "ready"]


async def test_a_room_is_forgotten_when_nobody_comes_again(
    host: str, world: VoiceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.voice.GRACE_SECONDS", 0.0)
    async with page(host, RESIDENT) as resident:
        await resident.hear()
    async with asyncio.timeout(5):
        while world.exchange.rooms:
            await asyncio.sleep(0.01)


async def test_a_socket_that_breaks_is_noticed_and_comes_again_into_the_round(host: str) -> None:
    async with _both(host) as (resident, lan, named):
        lan.connection.transport.abort()
        assert await resident.hear() == {"type": "bye", "reason": "lost", "by": "lan"}
        async with page(host, f"{STAFF}?as=lan&client=desk") as again:
            await again.hear()
            await again.say(type="ready", round=named)
            assert await resident.hear() == {"type": "ready", "round": named}


@pytest.mark.parametrize(
    "text",
    [pytest.param("nonsense", id="no message"), pytest.param("x" * 20_000, id="too long")],
)
async def test_nonsense_ends_the_connection(host: str, text: str) -> None:
    async with page(host, RESIDENT) as resident:
        await resident.connection.send(text)
        assert await resident.closed() == 1008


async def test_bytes_end_the_connection(host: str, world: VoiceWorld) -> None:
    async with page(host, RESIDENT) as resident:
        await resident.connection.send(b"{}")
        await resident.closed()
    assert world.exchange.connections == 0


async def test_a_flood_ends_the_connection(host: str) -> None:
    async with page(host, RESIDENT) as resident:
        for _ in range(BURST_MESSAGES + 20):
            await resident.say(type="candidate", round="")
        assert await resident.closed() == 1008


async def test_a_room_is_gone_with_its_last_page(host: str, world: VoiceWorld) -> None:
    async with _both(host) as (resident, _, named):
        await resident.say(type="bye")
        assert await resident.closed() == 4409
    async with _both(host) as (_, _, another):
        assert another.split("-")[0] != named.split("-")[0]
