"""What stories of emergency calls need: `anju run` on a machine that can be suspended, staff, residents, receivers."""

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPConnection
from math import ceil
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.publish as mqtt_publish

from core.clock import SystemClock
from storage.records import RecordsDatabase, TokensAdapter, upgrade
from tests.acceptance.call_centre import call_centre
from tests.acceptance.running import Anju, wait_until
from tests.integration.webhook_receiver import SECRET, WebhookReceiver
from tests.servers.faketime import SuspendedMachine
from tests.servers.running import free_port

STAFF = ("li", "wang", "zhang")
STEPS = ("property", "maintainer", "station")
"""Each step of the ladder has one receiver, of the same name."""
MINUTE = 60
STEP_WAIT, ANSWERED_WAIT, DISPATCH_WAIT = 2 * MINUTE, 4 * MINUTE, 3 * MINUTE
RESCUE = 30 * MINUTE
LATE_AGAIN = timedelta(minutes=5)
# Nothing but people's own calls is told to them within the story of a day.
NOTIFY = """\
version: 1
zone: UTC
receivers:
{receivers}
policies: [{{name: nobody, steps: [{{after: 30d, notify: ["receiver:station"]}}]}}]
routes: [{{policy: nobody}}]
"""
RECEIVER = '  - {{name: {name}, webhook: {{url: "{url}", secret: "${{CALL_SECRET}}"}}}}'
CONTACT = '  - {{name: {name}, title: {{zh: {name}, en: {name}}}, tell: ["receiver:{name}"]}}'
STEP = "      - {{name: {name}, title: {{zh: {name}, en: {name}}}, roles: [{name}], wait: {wait}s}}"
EMERGENCY = """\
version: 1
contacts:
{contacts}
ladders:
  - name: lift
    answered_wait: {answered}s
    dispatch_wait: {dispatched}s
    steps:
{steps}
communities: [{{community: "*", ladder: lift, roles: {{}}}}]
"""


def instant(text: str) -> datetime:
    """Return an instant of the API."""
    return datetime.fromisoformat(text)


@dataclass
class Estate:
    """What runs. ``desk`` is a second API on the same folder, for whoever acts while ``run`` is halted."""

    machine: SuspendedMachine
    run: Anju
    desk: Anju
    receiver: WebhookReceiver
    broker: int
    apis: tuple[httpx.Client, httpx.Client]
    """Of ``run`` and of ``desk``."""
    tokens: dict[str, str]
    is_halted: bool = False

    @property
    def api(self) -> httpx.Client:
        """The API that answers now."""
        return self.apis[self.is_halted]

    @property
    def now(self) -> datetime:
        """The wall clock of the machine."""
        return SystemClock().now() + timedelta(seconds=self.machine.ahead)

    def lift_says(self, lift: str, event: str) -> None:
        """Publish an event of a lift."""
        payload = json.dumps({"at": self.now.isoformat(), "type": event})
        mqtt_publish.single(f"anju/v1/{lift}/event", payload, qos=1, port=self.broker, hostname="127.0.0.1")

    def read(self, path: str, **params: str) -> dict[str, Any]:
        """Return what the API says."""
        answer: dict[str, Any] = self.api.get(path, params=params).raise_for_status().json()
        return answer

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Halt `anju run`, which alone lets time act on calls, outside any transaction of its own."""
        pid = self._pid
        try:
            wait_until(self._halt, lambda: f"no moment without a transaction; {self.run.tail()}")
            self.is_halted = True
            yield
        finally:
            self.is_halted = False
            with suppress(ProcessLookupError):  # It ended meanwhile, which the test tells of itself.
                os.kill(pid, signal.SIGCONT)

    @property
    def _pid(self) -> int:
        assert self.run.pid is not None, self.run.tail()
        return self.run.pid

    def _halt(self) -> bool:
        os.kill(self._pid, signal.SIGSTOP)
        wait_until(self._is_halted, lambda: "it takes no SIGSTOP")
        records = sqlite3.connect(self.run.var / "records.sqlite", timeout=0, isolation_level=None)
        with closing(records), suppress(sqlite3.OperationalError):
            records.execute("BEGIN IMMEDIATE")
            return True
        os.kill(self._pid, signal.SIGCONT)
        return False

    def _is_halted(self) -> bool:
        with suppress(FileNotFoundError, ProcessLookupError):  # A thread that ends meanwhile.
            states = [path.read_text() for path in Path(f"/proc/{self._pid}/task").glob("*/stat")]
            return all(state.rpartition(")")[2].split()[0] == "T" for state in states)
        return False


@contextmanager
def estate(folder: Path) -> Iterator[Estate]:
    """Run everything until the block ends."""
    var, machine = folder / "var", SuspendedMachine(folder)
    tokens = asyncio.run(_tokens(var))
    with ExitStack() as stack:
        receiver = stack.enter_context(call_centre())
        ports = [free_port(), free_port()]
        settings = {**_settings(folder, receiver.url), **machine.environment}
        api, second = (stack.enter_context(_client(port, tokens["li"])) for port in ports)
        run = stack.enter_context(Anju("run", var, {**settings, "ANJU_API__PORT": ports[0]}, "--no-demo"))
        wait_until(lambda: _answers(run, api), run.tail)
        wait_until(lambda: "Ctrl-C stops it" in run.output(), run.tail)
        # One after the other: who finds a new database busy sleeps, which libfaketime refuses.
        desk = stack.enter_context(Anju("api", var, {**settings, "ANJU_API__PORT": ports[1]}))
        wait_until(lambda: _answers(desk, second), desk.tail)
        broker = int(str(settings["ANJU_MQTT__PORT"]))
        yield Estate(machine, run, desk, receiver, broker, (api, second), tokens)


def _settings(folder: Path, url: str) -> dict[str, object]:
    receivers, contacts = ("\n".join(line.format(name=name, url=url) for name in STEPS) for line in (RECEIVER, CONTACT))
    steps = "\n".join(STEP.format(name=name, wait=STEP_WAIT) for name in STEPS)
    plan = EMERGENCY.format(contacts=contacts, steps=steps, answered=ANSWERED_WAIT, dispatched=DISPATCH_WAIT)
    (folder / "notify.yaml").write_text(NOTIFY.format(receivers=receivers), encoding="utf-8")
    (folder / "emergency.yaml").write_text(plan, encoding="utf-8")
    return {
        "ANJU_MQTT__PORT": free_port(),
        "ANJU_NOTIFY__PLAN": folder / "notify.yaml",
        "ANJU_EMERGENCY__PLAN": folder / "emergency.yaml",
        "ANJU_TIME__ZONE": "UTC",
        "CALL_SECRET": SECRET,
    }


async def _tokens(var: Path) -> dict[str, str]:
    var.mkdir()
    url = f"sqlite+aiosqlite:///{var / 'records.sqlite'}"
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    tokens = {name: await TokensAdapter(database).add(name, SystemClock().now()) for name in STAFF}
    await database.close()
    return tokens


def _client(port: int, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=20, trust_env=False)


def _answers(part: Anju, api: httpx.Client) -> bool:
    assert part.running, part.tail()
    with suppress(httpx.TransportError):
        return api.get("/emergency-calls").status_code == 200
    return False


class Story:
    """One call at a lift of its own: who does what, how much time passes, what the API says, who was told."""

    def __init__(self, here: Estate, lift: str) -> None:
        self.here = here
        self.lift = lift if "/" in lift else f"willow-court/elevator/{lift}"
        self.id = ""
        self._phones: dict[str, httpx.Client] = {}
        point = here.api.post("/call-points", json={"lift": self.lift}).raise_for_status().json()
        self._page = str(here.api.base_url.copy_with(path=point["path"]))

    def tap(self, resident: str) -> None:
        """``resident`` taps the page behind the lift's code, on a phone of their own."""
        phone = self._phones.get(resident)
        if phone is None:
            phone = self._phones[resident] = httpx.Client(timeout=20, trust_env=False)
            assert phone.get(self._page, headers={"Accept": "text/html"}).status_code == 200
        self.id = phone.post(f"{self._page}/calls", headers=_JSON).raise_for_status().json()["id"]

    def take_back(self, resident: str) -> None:
        """``resident`` takes it back on the same page."""
        self._phones[resident].post(f"{self._page}/calls/{self.id}/abandon", headers=_JSON).raise_for_status()

    def seen_by(self, resident: str) -> dict[str, Any]:
        """What the page of ``resident`` shows."""
        shown: dict[str, Any] = self._phones[resident].get(f"{self._page}/calls/{self.id}", headers=_JSON).json()
        return shown

    def press(self) -> None:
        """The button in the car is pressed; returns once that stands in a call."""
        before = self._presses()
        self.here.lift_says(self.lift, "alarm_pressed")
        wait_until(lambda: self._presses() > before, self.here.run.tail)

    def does(self, who: str, act: str, **body: object) -> httpx.Response:
        """Somebody of the staff does something to the call."""
        return self.here.api.post(self._path(act), json=body, headers=self.headers_of(who))

    def done(self, who: str, act: str, **body: object) -> dict[str, Any]:
        """The same, which has to be taken; returns the call as it stands then."""
        answer = self.does(who, act, **body)
        assert answer.status_code == 200, answer.text
        call: dict[str, Any] = answer.json()
        return call

    def does_unheard(self, who: str, act: str, kind: str, **body: object) -> None:
        """The same, hanging up before the answer; returns once ``kind`` stands in the history."""
        url = self.here.api.base_url
        with closing(HTTPConnection(url.host, url.port, timeout=20)) as connection:
            headers = {**self.headers_of(who), "Content-Type": "application/json"}
            connection.request("POST", f"{url.path.rstrip('/')}{self._path(act)}", json.dumps(body), headers)
        wait_until(lambda: kind in self.kinds(), self.here.run.tail)

    def headers_of(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.here.tokens[who]}"}

    def shown(self) -> dict[str, Any]:
        """The call as the API shows it."""
        return self.here.read(self._path())

    def history(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.here.read(self._path("events"))["items"]
        return items

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.history()]

    def instants(self, kind: str) -> list[datetime]:
        """When something of ``kind`` happened."""
        return [instant(event["at"]) for event in self.history() if event["kind"] == kind]

    def sleep(self, seconds: float) -> None:
        """Let time pass, and return once all that it brought has been done."""
        self.here.machine.sleep(ceil(seconds))
        wait_until(self._is_caught_up, lambda: f"{self.shown()}\n{self.here.run.tail()}")

    def sleep_until(self, text: str) -> None:
        """Let time pass until just behind an instant of the API."""
        self.sleep((instant(text) - self.here.now).total_seconds() + 1)

    def documents(self) -> list[dict[str, Any]]:
        """Every page of the call that its receiver got, each once, in the order in which they were decided."""
        wait_until(self._all_arrived, lambda: f"{self._undelivered()}\n{self.here.run.tail()}")
        return sorted(self._arrived(), key=lambda document: str(document["at"]))

    def told(self) -> list[tuple[str, str]]:
        """Receiver and kind of `documents`."""
        return [(document["receiver"], document["call"]["kind"]) for document in self.documents()]

    def news(self, of: Callable[[], object]) -> list[tuple[str, str]]:
        """What is told because of ``of``, sorted."""
        before = {document["id"] for document in self.documents()}
        of()
        after = [document for document in self.documents() if document["id"] not in before]
        return sorted((document["receiver"], document["call"]["kind"]) for document in after)

    def waits_at_most(self, most: timedelta = LATE_AGAIN) -> None:
        """Somebody is responsible, and something happens by itself within ``most``."""
        call = self.shown()
        left = instant(call["responsible"]["until"]) - self.here.now
        assert timedelta(0) < left <= most + timedelta(seconds=1), call["responsible"]

    def end(self) -> None:
        """End the call, so that the time of other stories does nothing to it."""
        if not self.id or not (call := self.shown())["open"]:
            return
        self.done("li", "freed")
        if call["alarm"]:
            self.here.lift_says(self.lift, "alarm_reset")
            wait_until(lambda: self.shown()["stamps"]["alarm_ended"] is not None, self.here.run.tail)
        self.done("li", "close", cause="other")

    def close_phones(self) -> None:
        for phone in self._phones.values():
            phone.close()

    def _path(self, *parts: str) -> str:
        return "/".join(("/emergency-calls", self.id, *parts))

    def _presses(self) -> int:
        calls = self.here.read("/emergency-calls", lift=self.lift)["items"]
        if not calls:
            return 0
        self.id = calls[0]["id"]
        return len([event for event in self.history() if event["facts"].get("source") == "car_button"])

    def _is_caught_up(self) -> bool:
        call = self.shown()
        due: Sequence[str | None] = (call["responsible"]["until"], *self._clock_due(call))
        return all(at is None or instant(at) > self.here.now for at in due)

    def _clock_due(self, call: dict[str, Any]) -> Iterator[str | None]:
        if call["ladder"]["climb_at"] is not None:
            yield None if call["stamps"]["half_time"] else call["rescue"]["half_at"]
            yield None if call["stamps"]["overdue"] else call["rescue"]["by"]

    def _arrived(self) -> list[dict[str, Any]]:
        found = {str(request.document["id"]): request.document for request in tuple(self.here.receiver.requests)}
        return [each for each in found.values() if (each.get("call") or {}).get("id") == self.id]

    def _undelivered(self) -> list[dict[str, Any]]:
        return [page for page in self.shown()["pages"] if page["status"] != "delivered"]

    def _all_arrived(self) -> bool:
        pages = self.shown()["pages"]
        delivered = all(page["status"] == "delivered" for page in pages)
        return delivered and len(pages) == len(self._arrived())


_JSON = {"Accept": "application/json"}
