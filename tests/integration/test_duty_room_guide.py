"""The requests of the duty-room guide, in order, against the API over a real records database."""

import json
import re
import shlex
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from alerts.model import Commit, DeviceSighting, Reason, Severity, Transition, TransitionKind
from alerts.packs import builtin_pack, builtin_rules
from api.app import create_app
from api.quality import AlarmQuality
from storage.records import AlertRecordsAdapter, RecordsDatabase
from tests.integration.api_records import over_records
from tests.unit.api.twins import START
from tests.unit.api.world import LIFT, RIGHT, TOKEN, empty_world

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "run-the-duty-room.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PACK = [rule.id for rule in builtin_rules()]
_REASON = Reason("all_of", "轿厢有人，门关闭", "somebody is in the car, the door is closed")


class Request(NamedTuple):
    """One request of the guide."""

    method: str
    path: str
    body: str | None


def requests() -> Iterator[str]:
    """Yield the commands of the guide that ask the API."""
    text = GUIDE.read_text(encoding="utf-8")
    for block in _BLOCK.findall(text):
        yield from re.findall(r"^api \".*?(?=^api |\Z)", block, re.MULTILINE | re.DOTALL)


def read(command: str, names: dict[str, str]) -> Request:
    """Return what ``curl`` would send, with the names of the shell filled in."""
    filled = re.sub(r"\$([A-Z]+)", lambda found: names[found[1]], command.replace("\\\n", " "))
    _, path, *options = shlex.split(filled)
    chosen = dict(zip(options[::2], options[1::2], strict=True))
    body = chosen.pop("-d", None)
    method = chosen.pop("-X", "GET" if body is None else "POST")
    assert not chosen, command
    return Request(method, path, body)


def _step(alert: str, kind: TransitionKind, *, latching: bool) -> Transition:
    return Transition(
        alert, f"rule-{alert}", Severity.MAJOR, LIFT, kind, START, START, _REASON, 5, "困人", "trapped", latching
    )


async def _happened(database: RecordsDatabase) -> None:
    """One alert fires, another is over and latched."""
    firing, resolved = TransitionKind.FIRING, TransitionKind.RESOLVED
    steps = [_step("open", firing, latching=False)]
    steps += [_step("latched", kind, latching=True) for kind in (firing, resolved)]
    await AlertRecordsAdapter(database).commit(
        Commit(5, 0, {}, steps, [], [DeviceSighting(LIFT, START, True, None, b"{}")])
    )


@pytest.fixture
async def client(records_database: RecordsDatabase) -> AsyncIterator[httpx.AsyncClient]:
    await _happened(records_database)
    world = empty_world()
    world.people.rules.builtin = dict(zip(_PACK, builtin_pack().written, strict=True))
    transport = httpx.ASGITransport(create_app(over_records(world, records_database)))
    headers = {**RIGHT, "Content-Type": "application/json"}
    async with httpx.AsyncClient(transport=transport, base_url="http://anju", headers=headers) as opened:
        yield opened


LATER = {
    # What one answer names for the requests after it.
    "/silences": "SILENCE",
    "/maintenance": "MAINTENANCE",
}


async def test_every_request_of_the_guide_works_as_it_stands(client: httpx.AsyncClient) -> None:
    names = {"TOKEN": TOKEN, "ALERT": "open", "LATCHED": "latched"}
    asked = [await ask(client, command, names) for command in requests()]
    assert len(asked) > 30
    assert {method for method, _ in asked} == {"GET", "POST", "PUT", "DELETE"}


async def test_what_the_guide_does_is_done(client: httpx.AsyncClient) -> None:
    names = {"TOKEN": TOKEN, "ALERT": "open", "LATCHED": "latched"}
    for command in requests():
        await ask(client, command, names)
    alert = (await client.get("/api/v1/alerts/open")).json()
    assert (alert["acknowledged_by"], alert["assigned_to"], alert["false_alarm_by"]) == ("lan", "wang", None)
    assert [step["kind"] for step in alert["timeline"]] == [
        "firing",
        "acknowledged",
        "commented",
        "commented",
        "assigned",
        "commented",
        "marked_false",
        "commented",
        "unmarked_false",
        "shelved",
        "unshelved",
    ]
    assert (await client.get("/api/v1/alerts/latched")).json()["reset_by"] == "lan"
    for over in ("silences", "maintenance", "shelved"):
        [kept] = (await client.get(f"/api/v1/{over}", params={"ended": "true"})).json()["items"]
        assert (kept["author"], kept["ended_by"], kept["in_force"]) == ("lan", "lan", False)
    [lift] = (await client.get("/api/v1/devices?building=3&tag=old")).json()["items"]
    assert lift["name"] == {"zh": "3 号楼电梯", "en": "lift of block 3"}
    rule = (await client.get("/api/v1/rules/people-sensor-stuck")).json()
    assert [(one["enabled"], one["author"]) for one in rule["history"]] == [(True, "lan"), (False, "lan")]


async def ask(client: httpx.AsyncClient, command: str, names: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """Send what ``command`` sends; what it makes is known by name from then on."""
    method, path, body = read(command, names)
    answer = await client.request(method, f"/api/v1{path}", content=body)
    assert answer.status_code < 300, f"{command}: {answer.text}"
    shown = json.loads(answer.text)
    if method == "POST" and path in LATER:
        names[LATER[path]] = shown["id"]
    return method, shown


def test_the_guide_defines_every_figure_of_alarm_quality() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    rows = "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`(\w+)`", rows))
    assert named | {"since", "until", "alarms", "days", "unacknowledged"} == set(AlarmQuality.model_fields)
