"""Who calls for help on the day of calls: residents, apps, buttons in cars, trapped passengers, staff by hand."""

import random
import threading
import time
from collections.abc import Callable

from core.devices import Channel, DeviceKey
from tests.acceptance.bad_days.call_day.board import Board, Spot, Working
from tests.acceptance.bad_days.call_day.plans import STAFF
from tests.acceptance.bad_days.call_day.records import Act, Said
from tests.acceptance.bad_days.chaos.load import Devices

RAISED_EVERY_SECONDS = 0.25
_WORDS = "abcdefghijklmnopqrstuvwxyz0123456789"
PRESS, TRAPPED, RESET = "alarm_pressed", "fault_raised", "alarm_reset"
_CODE = {"source": "gbt24476-2017", "code": "93"}


def word(chance: random.Random, length: int = 22) -> str:
    """Draw a cookie, or a key."""
    return "".join(chance.choice(_WORDS) for _ in range(length))


class Callers:
    """Raises calls, and asks again where one is open. Each method may be used by many threads."""

    def __init__(self, board: Board, devices: Devices) -> None:
        self._board = board
        self._devices = devices
        self._client = board.estate.client()
        self._staff = {name: board.estate.client(name) for name in STAFF}
        self._locks = {name: threading.Lock() for name in STAFF}
        self.raised = 0

    def run(self, calls: int, ending: threading.Event) -> None:
        """Raise ``calls`` calls, each where none is open, or as many as there is time for before ``ending``."""
        chance = random.Random(f"{self._board.seed} callers")
        while self.raised < calls and not ending.wait(RAISED_EVERY_SECONDS * chance.uniform(0.2, 1.8)):
            spot = self._board.free_spot(chance)
            if spot is not None:
                self.raised += 1
                self._raise(spot, chance)

    def _raise(self, spot: Spot, chance: random.Random) -> None:
        cookie = word(chance)
        ways: dict[Callable[[], object], int] = {
            lambda: self._first_tap(spot, cookie, word(chance)): 40,
            lambda: self.ask(spot, "app", chance): 15,
            lambda: self.ask(spot, "staff", chance): 10,
            lambda: self.drill(spot, chance): 6,
        }
        if spot.lift:
            ways |= {lambda: self.lift_says(spot, PRESS): 20, lambda: self.lift_says(spot, TRAPPED): 9}
        (way,) = chance.choices(list(ways), list(ways.values()))
        way()

    def _first_tap(self, spot: Spot, cookie: str, key: str) -> None:
        self._board.remember_page(spot, cookie)
        self.tap(spot, cookie, key)

    def tap(self, spot: Spot, cookie: str, key: str) -> Act:
        """Tap in the page behind the code of ``spot``."""
        headers = {**_page(cookie), "Idempotency-Key": key}
        act = self._board.act(
            lambda: self._client.post(f"{spot.path}/calls", headers=headers), "", "tap", cookie, {"spot": spot.key}
        )
        assert act.done, f"a tap was refused: {act}"
        act.call = act.answer["id"]
        return act

    def ask(self, spot: Spot, source: str, chance: random.Random) -> Act:
        """Ask for help through the API, for an app or by hand."""
        said = {"source": source, **({"lift": spot.lift} if spot.lift else {"point": spot.point})}
        headers = {"Idempotency-Key": word(chance)}
        return self._asked("/emergency-calls", said, headers, chance)

    def drill(self, spot: Spot, chance: random.Random) -> Act:
        """Begin a drill."""
        return self._asked("/drills", {"lift": spot.lift} if spot.lift else {"point": spot.point}, {}, chance)

    def _asked(self, path: str, said: dict[str, str], headers: dict[str, str], chance: random.Random) -> Act:
        actor = chance.choice(STAFF)
        name = "drill" if path == "/drills" else said["source"]
        with self._locks[actor]:
            client = self._staff[actor]
            act = self._board.act(
                lambda: client.post(path, json=said, headers=headers), "", name, f"asked by {actor}", dict(said)
            )
        assert act.done, f"a call for help was refused: {act}"
        act.call = act.answer["call"]["id"] if name == "drill" else act.answer["id"]
        return act

    def lift_says(self, spot: Spot, event: str) -> None:
        """Have the lift send an event; it counts from when its session with the broker has it."""
        more = _CODE if event == TRAPPED else {}
        self._board.day.said.append(Said(time.time(), spot.lift, event))
        self._devices.send(DeviceKey.from_path(spot.lift), Channel.EVENT, {"type": event, **more})

    def resident_acts(self, working: Working) -> None:
        """Do one thing that residents do where a call is open."""
        chance, spot = working.chance, working.spot
        own = chance.choice(working.pages) if working.pages else ""
        ways: list[Callable[[], object]] = [lambda: self._another_page(working)]
        if spot.lift:
            ways += [lambda: self.lift_says(spot, chance.choice((PRESS, PRESS, TRAPPED)))]
        ways += [lambda: self.ask(spot, "app", chance)]
        if own:
            ways += [
                lambda: self.tap(spot, own, word(chance)),
                lambda: self._of_page(working, own, "abandon", {}),
                lambda: self._of_page(working, own, "abandon", {}),
                lambda: self._of_page(working, own, "details", {"name": "Lin", "people": str(chance.randrange(1, 9))}),
            ]
        chance.choice(ways)()

    def _another_page(self, working: Working) -> None:
        cookie = word(working.chance)
        if not working.call["drill"]:
            working.pages.append(cookie)
            self.tap(working.spot, cookie, word(working.chance))

    def _of_page(self, working: Working, cookie: str, what: str, form: dict[str, str]) -> None:
        path = f"{working.spot.path}/calls/{working.id}/{what}"
        self._board.act(
            lambda: self._client.post(path, headers=_page(cookie), data=form), working.id, f"page {what}", cookie, {}
        )

    def close(self) -> None:
        """Close the connections."""
        for client in (self._client, *self._staff.values()):
            client.close()


def _page(cookie: str) -> dict[str, str]:
    return {"Cookie": f"anju_page={cookie}", "Accept": "application/json"}


def flood_with_taps(callers: Callers, spot: Spot, chance: random.Random, count: int) -> None:
    """Tap ``count`` times at one place, each from a page of its own."""
    for _ in range(count):
        callers.tap(spot, word(chance), word(chance))
