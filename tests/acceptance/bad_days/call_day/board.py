"""Which calls are open, as the API lists them once a second, and where nobody calls at the moment."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.acceptance.bad_days.call_day.estate import Estate
from tests.acceptance.bad_days.call_day.plans import COMMUNITIES
from tests.acceptance.bad_days.call_day.records import BUSY_SECONDS, Act, Json

LIFTS, ENTRANCES = 60, 6
MOST_OPEN = 40
LOOK_SECONDS = 1.0
LISTED = 100
# A press that was never taken would keep its place for ever; the checks of the day name it.
_RAISING_SECONDS = 60.0
_AGAIN_SECONDS = 0.3
_LONG_SHARE = 0.07


@dataclass(frozen=True)
class Spot:
    """A lift, or an entrance, with the page behind its code."""

    key: str
    lift: str
    community: str
    point: str
    path: str


@dataclass
class Working:
    """A call that is worked on: how many acts are left before it is brought to its end, and when the next one is."""

    call: Json
    spot: Spot
    chance: random.Random
    left: int
    next_at: float
    alone: bool = False
    """Nobody does anything about it until the evening."""
    ended_at: float | None = None
    """When it was closed, by the answer."""
    pages: list[str] = field(default_factory=list)
    """The cookies of the residents who tapped."""

    @property
    def id(self) -> str:
        return str(self.call["id"])

    def look(self, call: Json, began: float) -> None:
        """Take how it stands now; one that was closed, and is open long after, is worked on again."""
        self.call = call
        if self.ended_at is not None and began > self.ended_at + BUSY_SECONDS:
            self.ended_at = None


def insist(send: Callable[[], httpx.Response]) -> tuple[httpx.Response, bool]:
    """Send until it is answered; also return whether an attempt before that one may have been carried out."""
    lost = False
    while True:
        try:
            answer = send()
        except httpx.TransportError:
            lost = True
        else:
            if answer.status_code < 500 and answer.status_code != 429:
                return answer, lost
            lost = True
        time.sleep(_AGAIN_SECONDS)  # As an app does that has lost its connection.


def content(answer: httpx.Response) -> Json:
    """Return the JSON object of an answer, empty where it is none."""
    if "json" not in answer.headers.get("content-type", ""):
        return {}
    found: Json = answer.json()
    return found


class Board:
    """Shared by all threads."""

    def __init__(self, estate: Estate, seed: int) -> None:
        self.estate = estate
        self.day = estate.day
        self.seed = seed
        self.open: dict[str, Working] = {}
        self.known: set[str] = set()
        self.spots: dict[str, Spot] = {}
        self.evening = threading.Event()
        """From now on everything is brought to its end."""
        self._raising: dict[str, float] = {}
        self._pages: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def put_codes(self) -> None:
        """Make the call points."""
        with self.estate.client("li") as client:
            for number in range(LIFTS + ENTRANCES):
                community = COMMUNITIES[number % len(COMMUNITIES)]
                lift = f"{community}/elevator/lift-{number:02}" if number < LIFTS else ""
                told: Json = {"lift": lift} if lift else {"community": community, "name_en": f"gate {number}"}
                point = client.post("/call-points", json=told).raise_for_status().json()
                key = lift or f"{community}/point/{point['id']}"
                self.spots[key] = Spot(key, lift, community, point["id"], point["path"])

    def run(self, ending: threading.Event) -> None:
        """Look until ``ending`` is set."""
        with self.estate.client("li") as client:
            while not ending.wait(LOOK_SECONDS):
                self.look(client)

    def look(self, client: httpx.Client) -> None:
        """Ask once which calls are open."""
        began = time.time()
        try:
            listed = client.get("/emergency-calls", params={"open": True, "limit": LISTED})
        except httpx.TransportError:
            return
        if listed.status_code == 503:
            return
        calls: list[Json] = listed.raise_for_status().json()["items"]
        assert len(calls) < LISTED, "more calls are open than are looked at"
        self.day.look(began, calls)
        with self._lock:
            self._take_over(calls, began)

    def _take_over(self, calls: list[Json], began: float) -> None:
        ids = {call["id"] for call in calls}
        for gone in [each for each in self.open if each not in ids]:
            del self.open[gone]
        for call in calls:
            key = key_of(call)
            if self._raising.get(key, began) < began:
                del self._raising[key]
            if call["id"] in self.open:
                self.open[call["id"]].look(call, began)
            else:
                self.open[call["id"]] = self._begun(call, key)
                self.known.add(call["id"])
        self._raising = {key: at for key, at in self._raising.items() if began - at < _RAISING_SECONDS}

    def _begun(self, call: Json, key: str) -> Working:
        chance = random.Random(f"{self.seed} {call['number']}")
        alone = chance.random() < 0.03 and sum(each.alone for each in self.open.values()) < 6
        return Working(
            call=call,
            spot=self.spots[key],
            chance=chance,
            left=chance.randrange(1, 9),
            next_at=time.time() + chance.expovariate(0.3),
            alone=alone,
            pages=self._pages.pop(key, []),
        )

    def free_spot(self, chance: random.Random) -> Spot | None:
        """Take a place at which no call is open, unless enough are open everywhere."""
        with self._lock:
            busy = {each.spot.key for each in self.open.values()} | self._raising.keys()
            free = [spot for key, spot in self.spots.items() if key not in busy]
            if len(busy) >= MOST_OPEN or not free:
                return None
            spot = chance.choice(free)
            self._raising[spot.key] = time.time()
            return spot

    def remember_page(self, spot: Spot, cookie: str) -> None:
        """Keep the cookie of the resident who is about to tap at ``spot``."""
        with self._lock:
            self._pages[spot.key] = [cookie]

    def due(self) -> Working | None:
        """Return a call whose next act is due, and put it off for a while."""
        now = time.time()
        with self._lock:
            for each in sorted(self.open.values(), key=lambda working: working.next_at):
                if each.ended_at is not None or (each.alone and not self.evening.is_set()):
                    continue
                if each.next_at > now:
                    return None
                each.next_at = now + self._pause(each)
                return each
        return None

    def _pause(self, working: Working) -> float:
        """Return how long nobody does anything about the call: now and then longer than people may be waited for."""
        if working.left <= 0 or self.evening.is_set():
            return 0.5
        chance = working.chance
        return chance.uniform(14.0, 22.0) if chance.random() < _LONG_SHARE else min(chance.expovariate(0.45), 12.0)

    def act(
        self,
        send: Callable[[], httpx.Response],
        call: str,
        name: str,
        actor: str,
        said: dict[str, Any],
    ) -> Act:
        """Do something until it is answered, and record it."""
        began = time.time()
        answer, lost = insist(send)
        return self.day.add(Act(call, name, actor, began, time.time(), answer.status_code, lost, said, content(answer)))


def key_of(call: Json) -> str:
    """Return the place of a call; one is open there at a time, and a drill beside it."""
    place = call["place"]
    return str(place["lift"] or f"{place['community']}/point/{place['point']}")
