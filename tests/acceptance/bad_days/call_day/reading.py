"""What Anju tells of the day when it is over: calls with their pages and histories, notifications, alerts, figures."""

from collections import defaultdict
from collections.abc import Iterator

import httpx

from tests.acceptance.bad_days.call_day.history import Event, Story
from tests.acceptance.bad_days.call_day.records import Act, Day, Json

_PAGE = 100


def items(client: httpx.Client, path: str, **asked: object) -> Iterator[Json]:
    """Yield all items of a list, page by page."""
    params: dict[str, str] = {name: str(value) for name, value in asked.items()} | {"limit": str(_PAGE)}
    while True:
        found = client.get(path, params=params).raise_for_status().json()
        yield from found["items"]
        if not found.get("next_cursor"):
            return
        params["cursor"] = found["next_cursor"]


def stories(client: httpx.Client, day: Day) -> list[Story]:
    """Return every call of the day, with its history and what was done to it."""
    acts = defaultdict[str, list[Act]](list)
    for act in day.acts:
        acts[act.call].append(act)
    found = []
    for listed in items(client, "/emergency-calls"):
        call = client.get(f"/emergency-calls/{listed['id']}").raise_for_status().json()
        history = client.get(f"/emergency-calls/{listed['id']}/events").raise_for_status().json()["items"]
        found.append(Story(call, [_event(each, day) for each in history], acts[call["id"]]))
    return found


def _event(shown: Json, day: Day) -> Event:
    at, ahead = day.back(shown["at"]), day.ahead(shown["at"])
    return Event(shown["kind"], at, ahead, shown["actor"], shown["facts"], shown["number"])
