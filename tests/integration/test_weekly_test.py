"""The weekly test from the outbox to the list of who owes an answer, by the link that people really get."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
from pydantic import SecretStr

from alerts.dispatch.model import Intent, Purpose
from alerts.dispatch.plan_loading import load_plan
from alerts.model import Severity
from api.app import create_app
from app import wiring
from app.channels import Channels
from app.settings import NotifySettings, RecordsSettings, Settings
from storage.records import DeskRecordsAdapter, OutboxAdapter, PersonTestsAdapter, RecordsDatabase, upgrade
from tests.contract.records_desk_cases import desk_commit
from tests.integration.webhook_receiver import SECRET, receiving
from tests.unit.api.twins import START
from tests.unit.api.world import RIGHT, dependencies, empty_world

PLAN = """
version: 1
receivers: [{{name: phone, webhook: {{url: "{url}", secret: "${{HOOK_SECRET}}"}}}}]
policies: [{{name: all, steps: [{{after: 0s, notify: [receiver:phone]}}]}}]
routes: [{{policy: all}}]
"""
ADDRESS = "https://anju.example"
WEEKLY = Intent("w", "test-wang", 1, "phone", Purpose.TEST, Severity.INFO, START, 0, "", (), 0, "wang")


async def test_the_link_that_wang_gets_takes_wang_off_the_list(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'records.db'}"
    settings = Settings(
        var=tmp_path, notify=NotifySettings(base_url=ADDRESS), records=RecordsSettings(url=SecretStr(url))
    )
    await upgrade(url)
    database, world = RecordsDatabase(url), empty_world()
    await database.open()
    await DeskRecordsAdapter(database, world.clock).commit(desk_commit(0, 0, intents=[WEEKLY]))
    world.clock.advance(timedelta(hours=25))
    (entry,) = await OutboxAdapter(database, world.clock).due(world.clock.now(), 10)
    async with receiving() as receiver:
        # Deliverer and API are two processes: each reads the key by itself.
        channels = Channels(settings, world.clock, {"HOOK_SECRET": SECRET}, wiring.confirm_links(settings))
        channel = channels.of(load_plan(PLAN.format(url=receiver.url), "plan.yaml"))["phone"]
        await channel.messenger.deliver(entry.intent)
        await channel.messenger.close()
        (request,) = receiver.requests
    link = request.document["confirm"]
    assert link.startswith(f"{ADDRESS}/t/wang.")
    assert link in request.document["words"]["body"]["zh"]
    given = replace(
        dependencies(world), person_tests=PersonTestsAdapter(database), confirm_links=wiring.confirm_links(settings)
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(given)), base_url=ADDRESS) as person:
        assert await owing(person) == ["wang"]
        assert (await person.get(link)).status_code == 200
        assert await owing(person) == ["wang"]
        assert (await person.post(link)).status_code == 200
        assert await owing(person) == []
    await database.close()


async def owing(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get("/api/v1/people", params={"overdue": "true"}, headers=RIGHT)
    return [person["name"] for person in answer.json()["items"]]
