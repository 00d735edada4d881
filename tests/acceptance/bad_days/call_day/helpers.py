"""Who helps on the day of calls: staff at the desk, people who were told and answer by their link, who ends a call."""

import random
import threading
import time
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.acceptance.bad_days.call_day.board import Board, Working
from tests.acceptance.bad_days.call_day.callers import RESET, Callers
from tests.acceptance.bad_days.call_day.plans import DIALLED_STEP, RECEIVERS, STAFF, STEPS
from tests.acceptance.bad_days.call_day.records import Act

IDLE_SECONDS = 0.05
RESET_EVERY_SECONDS = 3.0
_MINUTE, _HOUR = 60.0, 3_600.0
ACTS = {
    "answer": 14,
    "dispatch": 12,
    "on-the-way": 12,
    "cannot-come": 8,
    "on-site": 5,
    "not-on-site": 3,
    "freed": 2,
    "dialled": 4,
    "note": 4,
    "abandon": 1,
    "close": 1,
    "end the alarm": 2,
    "by the link": 9,
    "a resident": 16,
}


class Helpers:
    """Works on open calls, one act at a time and many threads at once."""

    def __init__(self, board: Board, callers: Callers) -> None:
        self._board = board
        self._callers = callers
        self._staff = {name: board.estate.client(name) for name in STAFF}
        self._people = board.estate.client()
        self._locks = {name: threading.Lock() for name in (*STAFF, *RECEIVERS)}
        self._reset_at: dict[str, float] = {}

    def run(self, ending: threading.Event) -> None:
        """Work until ``ending`` is set."""
        while not ending.is_set():
            working = self._board.due()
            if working is None:
                ending.wait(IDLE_SECONDS)
            elif working.left > 0 and not self._board.evening.is_set():
                working.left -= 1
                self._act(working)
            else:
                self._end(working)

    def _act(self, working: Working) -> None:
        chance = working.chance
        (name,) = chance.choices(list(ACTS), list(ACTS.values()))
        if name == "a resident":
            self._callers.resident_acts(working)
        elif name == "by the link":
            self._by_link(working)
        elif name == "end the alarm":
            self._reset(working)
        else:
            act = self._do(working, name, self._said(working, name), chance.choice(STAFF))
            if name == "cannot-come" and chance.random() < 0.4:
                self._do(working, name, act.said, chance.choice(STAFF))

    def _said(self, working: Working, name: str) -> dict[str, Any]:
        chance, call = working.chance, working.call
        somebody = chance.choice(RECEIVERS)
        if name == "dispatch":
            through = {"step": chance.choice(STEPS)} if chance.random() < 0.5 else {}
            return {"name": somebody, **through}
        if name == "on-the-way":
            return {"name": somebody, **self._arrival(chance)}
        if name == "cannot-come":
            holders = [call["answered_by"], (call["responder"] or {}).get("name", ""), *call["further"], somebody]
            return {"name": chance.choice([holder for holder in holders if holder]), "reason": "away"}
        if name == "dialled":
            return {"step": DIALLED_STEP, "answer": chance.choice(("on our way", "engaged"))}
        if name == "note":
            return {"text": chance.choice(("door is stuck", "talked to them"))}
        if name == "close":
            return {"cause": "drill" if call["drill"] else "human"}
        return {"people": 1} if name == "freed" else {}

    def _arrival(self, chance: random.Random) -> dict[str, str]:
        """Sensible, far, absurd and past: whatever people type."""
        at = chance.choice((5 * _MINUTE, -_MINUTE, -_HOUR, 40 * _MINUTE, 3 * 24 * _HOUR))
        shown = datetime.fromtimestamp(self._board.estate.wall() + at, UTC).isoformat()
        given: list[dict[str, str]] = [{}, {"arrives_in": "1m"}, {"arrives_in": "20m"}, {"arrives_in": "12h"}]
        return chance.choice([*given, {"arrives_at": shown}, {"arrives_at": shown}])

    def _do(self, working: Working, name: str, said: dict[str, Any], actor: str) -> Act:
        url, body = f"/emergency-calls/{working.id}/{name}", said or None
        with self._locks[actor]:
            client: httpx.Client = self._staff[actor]
            act = self._board.act(lambda: client.post(url, json=body), working.id, name, actor, said)
        if act.done:
            working.ended_at = time.time() if act.answer["state"] == "closed" else None
        return act

    def _by_link(self, working: Working) -> None:
        links = dict(self._board.day.links.get(working.id, {}))
        if not links:
            return
        person, chance = working.chance.choice(sorted(links)), working.chance
        answer = chance.choice(("on-the-way", "on-the-way", "cannot-come", "on-site"))
        form = {"answer": answer, "minutes": chance.choice(("", "5", "30"))}
        with self._locks[person]:
            self._board.act(lambda: self._reply(links[person], form), working.id, f"link {answer}", person, form)

    def _reply(self, link: str, form: dict[str, str]) -> httpx.Response:
        """Return what the page says of an answer: a redirect names it, and is turned into a status."""
        replied = self._people.post(link, data=form)
        said = replied.headers.get("location", "").rpartition("said=")[2]
        statuses = {"refused": 409, "away": 503}
        return httpx.Response(statuses.get(said, 200)) if replied.status_code == 303 else replied

    def _reset(self, working: Working) -> None:
        if working.spot.lift:
            self._reset_at[working.spot.key] = time.time()
            self._callers.lift_says(working.spot, RESET)

    def _end(self, working: Working) -> None:
        """Bring a call to its end: one act of those that are left, until it is closed."""
        call, actor = working.call, working.chance.choice(STAFF)
        stamps = call["stamps"]
        if stamps["answered"] is None and call["state"] == "ringing":
            self._do(working, "answer", {}, actor)
        if not call["drill"] and call["alarm"] and stamps["alarm_ended"] is None:
            if time.time() - self._reset_at.get(working.spot.key, 0.0) > RESET_EVERY_SECONDS:
                self._reset(working)
            return
        if working.chance.random() < 0.5 and call["state"] not in ("freed", "abandoned"):
            self._do(working, "on-site", {"name": "wei"}, actor)
            self._do(working, "freed", {"people": 1}, actor)
        self._do(working, "close", {"cause": "drill" if call["drill"] else "other"}, actor)

    def close(self) -> None:
        """Close the connections."""
        for client in (self._people, *self._staff.values()):
            client.close()
