"""A drill, begun and followed over the API as any other client would, and said in plain lines."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from app import drill_words
from core.devices import DeviceKey, DeviceKind
from core.errors import AnjuError, StartupError, TemporaryError

LOOK_SECONDS = 0.5
_API = "/api/v1"
Json = dict[str, Any]


class DrillRefused(AnjuError):
    """The API does not take the drill as it was asked for; the text is what it says."""


def lift_path(lift: str, community: str | None) -> str:
    """Return the path of a lift given as one, or by its name and ``community``; raises `StartupError` for neither."""
    path = lift if "/" in lift or community is None else f"{community}/{DeviceKind.ELEVATOR.value}/{lift}"
    try:
        key = DeviceKey.from_path(path)
    except ValueError:
        key = None
    if key is None or key.kind is not DeviceKind.ELEVATOR or community not in (None, key.community):
        raise StartupError(f"lift {lift!r}: expected community/elevator/device, or a device with --community")
    return path


class Drill:
    """One drill at ``lift``, from its beginning to its end; ``say`` gets each line, ``pause`` waits between two looks.

    The API may be away in between, as in earnest: that is said once, and the drill goes on.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        lift: str,
        say: Callable[[str], None],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._client = client
        self._lift = lift
        self._say = say
        self._pause = pause
        self._away = False
        self._newest = 0
        self._call: Json = {}

    async def run(self) -> None:
        """Begin it and follow it until it is closed; raises `DrillRefused` or, where it cannot begin, `TemporaryError`.

        Cancelled, it says how it stands: the drill itself goes on.
        """
        answer = await self._ask("POST", "/drills", json={"lift": self._lift})
        self._call = answer["call"]
        for line in drill_words.opening(self._call, new=answer["new"]):
            self._say(line)
        closed = False
        try:
            while not closed:
                closed = await self._look()
                if not closed:
                    await self._pause(LOOK_SECONDS)
        finally:
            for line in drill_words.measured(self._call):
                self._say(line)

    async def _look(self) -> bool:
        """Say what is new; tell whether the drill is over."""
        here = f"/emergency-calls/{self._call['id']}"
        try:
            history = await self._ask("GET", f"{here}/events")
            self._call = await self._ask("GET", here)
        except TemporaryError as error:
            if not self._away:
                self._say(f"  {error}")
            self._away = True
            return False
        self._away = False
        for event in history["items"]:
            if event["number"] > self._newest:
                self._newest = event["number"]
                self._say(drill_words.step(event, self._call["stamps"]["raised"]))
        return not self._call["open"]

    async def _ask(self, method: str, path: str, *, json: Mapping[str, str] | None = None) -> Json:
        try:
            answer = await self._client.request(method, f"{_API}{path}", json=json)
        except httpx.TransportError as error:
            raise TemporaryError(f"API at {self._client.base_url}: {error or type(error).__name__}") from error
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise TemporaryError(f"API at {self._client.base_url}: {_detail(answer)}")
        if answer.is_error:
            raise DrillRefused(_detail(answer))
        found: Json = answer.json()
        return {**found, "new": answer.status_code == httpx.codes.CREATED}


def _detail(answer: httpx.Response) -> str:
    """Return what a problem body says, and of each field that is wrong what was expected."""
    try:
        problem: Json = answer.json()
    except ValueError:
        problem = {}
    wrong = [
        f"{each.get('location')}: {each.get('message')}, expected {each.get('expected')}"
        for each in problem.get("errors") or ()
    ]
    said = problem.get("detail") or problem.get("title") or answer.reason_phrase
    return f"{answer.status_code} " + "; ".join([str(said), *wrong])
