"""Somebody has the code from the wall and means harm: five attacks over HTTP on running parts, and who is trapped."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.acceptance.running import wait_until
from tests.acceptance.test_emergency import Estate, estate
from tests.servers.mosquitto import Mosquitto
from tests.servers.plugin import required_program

JSON = {"Accept": "application/json"}
PLAYER, TRAPPED = "198.51.100.7", "203.0.113.9"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """The running parts; each attack has a lift of its own."""
    program = required_program("mosquitto")
    with (
        Mosquitto(program, save_every_change=False) as broker,
        estate(tmp_path_factory.mktemp("estate"), broker.port) as running,
    ):
        yield running


class Wall:
    """The code at one lift, as those see it who stand before it."""

    def __init__(self, here: Estate, lift: str) -> None:
        self.here = here
        self.point = here.staff.post("/call-points", json={"lift": f"willow-court/elevator/{lift}"}).json()
        self.path: str = self.point["path"]
        self.host = str(here.staff.base_url.copy_with(path="/"))

    @contextmanager
    def phone(self, address: str, *, scans: bool = True) -> Iterator[httpx.Client]:
        """A phone at ``address``, which a proxy on this machine tells; it has scanned the code."""
        headers = {**JSON, "X-Forwarded-For": address}
        with httpx.Client(base_url=self.host, headers=headers, timeout=30, trust_env=False) as phone:
            if scans:
                assert phone.get(self.path, headers={"Accept": "text/html"}).status_code == 200
            yield phone

    def tap(self, phone: httpx.Client) -> dict[str, Any]:
        answer = phone.post(f"{self.path}/calls")
        assert answer.status_code in (200, 201), answer.text
        told: dict[str, Any] = answer.json()
        return told

    def take_back(self, phone: httpx.Client, call: str) -> dict[str, Any]:
        answer = phone.post(f"{self.path}/calls/{call}/abandon")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def kinds(self, call: str) -> list[str]:
        """What stands in the history of a call."""
        events = self.here.staff.get(f"/emergency-calls/{call}/events").raise_for_status().json()["items"]
        return [event["kind"] for event in events]

    def pages(self, call: str) -> list[tuple[str, str, str]]:
        """Whom the call was told to: receiver, kind, and how delivering stands."""
        shown = self.here.staff.get(f"/emergency-calls/{call}").raise_for_status().json()
        return [(page["receiver"], page["kind"], page["status"]) for page in shown["pages"]]

    def is_heard(self, call: str) -> None:
        """Return once the first person of the ladder has it."""
        wait_until(lambda: ("guard", "call", "delivered") in self.pages(call), lambda: f"{self.pages(call)}", 15)


@pytest.mark.parametrize("address", [TRAPPED, PLAYER], ids=["elsewhere", "behind the same address"])
def test_taps_and_take_backs_keep_nobody_out(here: Estate, address: str) -> None:
    wall = Wall(here, f"played-with-{address[:3]}")
    with wall.phone(PLAYER) as player, wall.phone(address) as trapped:
        played = ""
        for _ in range(13):
            played = wall.tap(player)["id"]
            assert wall.take_back(player, played)["state"] == "abandoned"
            here.does(played, "close", cause="false_alarm").raise_for_status()
        call = wall.tap(trapped)
        assert (call["state"], call["id"] != played) == ("ringing", True)
        wall.is_heard(call["id"])
        assert wall.take_back(player, call["id"])["state"] == "ringing"
    shown = here.staff.get(f"/emergency-calls/{call['id']}").json()["taken_back_before"]
    # The cases follow one another from one address.
    assert shown["code"] == 13
    assert (shown["network"] >= 13, shown["phone"]) == (address == PLAYER, 0)


def test_a_revoked_code_raises_nothing_and_the_new_one_does(here: Estate) -> None:
    wall = Wall(here, "abused")
    with wall.phone(PLAYER) as player, wall.phone(TRAPPED) as trapped:
        renewed = here.staff.post(f"/call-points/{wall.point['id']}/rotate", json={"grace_days": 0}).json()
        page = player.get(wall.path, headers={"Accept": "text/html"})
        assert (page.status_code, player.post(f"{wall.path}/calls").status_code) == (410, 410)
        assert 'href="tel:96333"' in page.text
        assert here.staff.get("/emergency-calls", params={"lift": wall.point["lift"]}).json()["items"] == []
        wall.path = renewed["path"]
        wall.is_heard(wall.tap(trapped)["id"])


def test_take_backs_of_somebody_elses_call_are_one_event_and_stop_nothing(here: Estate) -> None:
    wall = Wall(here, "taken-back")
    with wall.phone(TRAPPED) as trapped, wall.phone(PLAYER) as player:
        call = wall.tap(trapped)["id"]
        assert wall.tap(player)["id"] == call
        for _ in range(300):
            assert wall.take_back(player, call)["state"] in ("ringing", "answered")
        assert (wall.kinds(call).count("abandoned"), wall.kinds(call).count("joined")) == (1, 1)
        wall.is_heard(call)
        # And it climbs on.
        wait_until(lambda: ("manager", "call", "delivered") in wall.pages(call), lambda: f"{wall.pages(call)}", 15)


def test_taps_on_an_answered_call_page_for_another_phone_only(here: Estate) -> None:
    wall = Wall(here, "answered")
    with wall.phone(PLAYER) as player, wall.phone(TRAPPED) as trapped:
        call = wall.tap(player)["id"]
        here.does(call, "answer").raise_for_status()
        before = len(wall.pages(call))
        for _ in range(60):
            wall.tap(player)
        assert len(wall.pages(call)) == before
        assert wall.tap(trapped)["id"] == call
        assert [kind for _, kind, _ in wall.pages(call)[before:]] == ["again"]
        for _ in range(60):
            player.cookies.clear()
            wall.tap(player)
            trapped.cookies.clear()
            trapped.get(wall.path)
            wall.tap(trapped)
        assert len(wall.pages(call)) == before + 1
        assert wall.kinds(call).count("joined") < 50


def test_a_stranger_does_not_take_the_place_of_who_is_trapped_in_the_voice(here: Estate) -> None:
    wall = Wall(here, "talked")
    with wall.phone(TRAPPED) as trapped, wall.phone(PLAYER) as player:
        call = wall.tap(trapped)["id"]
        wall.tap(player)
        voice = f"{wall.path}/calls/{call}/voice?client=page"
        with _socket(wall, voice, trapped) as victim:
            assert _hear(victim)["type"] == "hello"
            with _socket(wall, f"/api/v1/emergency-calls/{call}/voice", here.staff) as staff:
                assert _hear(staff)["other"] is True
                for one in (victim, staff):
                    one.send(json.dumps({"type": "ready"}))
                named = _hear(victim)["round"]
                assert _hear(staff)["round"] == named
                with _socket(wall, voice, player) as stranger:
                    assert _hear(stranger) == {"type": "wait"}
                    assert _hear(staff) == {"type": "waiting", "count": 1}
                    stranger.send(json.dumps({"type": "offer", "round": named, "sdp": "v=6"}))
                    victim.send(json.dumps({"type": "offer", "round": named, "sdp": "v=0"}))
                    assert _hear(staff)["sdp"] == "v=0"
                    handed = here.staff.post(f"/emergency-calls/{call}/voice/hand-on")
                    assert (handed.status_code, handed.json()) == (200, {"waiting": 1})
                    assert (_hear(victim)["type"], _hear(stranger)["type"]) == ("wait", "hello")
                nobody = here.staff.post("/emergency-calls/nobody/voice/hand-on")
                assert nobody.status_code == 404
        wall.is_heard(call)


@contextmanager
def _socket(wall: Wall, path: str, by: httpx.Client) -> Iterator[Connection]:
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in by.cookies.jar)
    headers = {"Cookie": cookies, "Authorization": by.headers.get("Authorization", "")}
    with connect(f"ws{wall.host[4:-1]}{path}", additional_headers=headers, proxy=None) as socket:
        yield socket


def _hear(socket: Connection) -> dict[str, Any]:
    heard: dict[str, Any] = json.loads(socket.recv(timeout=20))
    return heard
