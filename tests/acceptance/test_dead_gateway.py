"""A gateway dies with 200 devices behind it: people are told once, of the gateway and of all that hangs on it."""

import asyncio
from collections import Counter
from pathlib import Path

from alerts.dispatch.model import Purpose
from alerts.inventory import DeviceFacts
from core.clock import SystemClock
from core.devices import DeviceKey
from storage.records import RecordsDatabase, RegistryAdapter, upgrade
from tests.acceptance import outcome
from tests.acceptance.call_centre import call_centre
from tests.acceptance.gateway_storm import GATEWAY, GatewayStorm, behind
from tests.acceptance.running import Anju, wait_until
from tests.integration.webhook_receiver import SECRET
from tests.servers.plugin import MakeMosquitto

DEVICES = 200
RULES = Path(__file__).with_name("storm_rules.yaml")
# The group waits until what hangs on the gateway has fallen silent as well, as the built-in plan does with a minute.
PLAN = """\
version: 1
receivers: [{{name: duty, webhook: {{url: "{url}", secret: "${{STORM_SECRET}}"}}}}]
policies: [{{name: duty, steps: [{{after: 0s, notify: [receiver:duty]}}]}}]
routes: [{{policy: duty, group_by: [community, gateway], group_wait: 8s, group_interval: 1m}}]
inhibitions:
  - source: [{{label: rule, value: gateway-offline}}]
    target: [{{label: rule, value: elevator-offline}}]
    equal: [gateway]
    grace: 5s
"""


async def _tell_facts(var: Path, devices: list[DeviceKey]) -> None:
    """Say of every device that it hangs on the gateway."""
    var.mkdir()
    url = f"sqlite+aiosqlite:///{var / 'records.sqlite'}"
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    for device in devices:
        facts = DeviceFacts(gateway=GATEWAY.device)
        await RegistryAdapter(database).put_facts(device, facts, "li", SystemClock().now())
    await database.close()


def test_a_dead_gateway_with_200_devices_is_told_once(tmp_path: Path, make_mosquitto: MakeMosquitto) -> None:
    broker, var, lifts = make_mosquitto(save_every_change=False), tmp_path / "var", behind(DEVICES)
    asyncio.run(_tell_facts(var, lifts))
    with call_centre() as receiver:
        plan = tmp_path / "plan.yaml"
        plan.write_text(PLAN.format(url=receiver.url))
        settings = {
            "ANJU_MQTT__PORT": broker.port,
            "ANJU_BROKER__EMBEDDED": "none",
            "ANJU_RULES__BUILTIN": "false",
            "ANJU_RULES__FILES": f'["{RULES}"]',
            "ANJU_NOTIFY__PLAN": plan,
            "STORM_SECRET": SECRET,
        }
        with Anju("ingest", var, settings) as ingest, Anju("alerts", var, settings) as alerts:
            ingest.wait_ready()
            alerts.wait_ready()
            records = outcome.Records(var)
            with GatewayStorm(broker.port, lifts) as storm:
                wait_until(lambda: outcome.last_position(var) >= DEVICES + 1, lambda: f"births\n{ingest.tail()}")
                storm.drop()
            wait_until(lambda: len(records.firing()) == DEVICES + 1, lambda: f"{records.firing()}\n{alerts.tail()}")
            wait_until(lambda: len(receiver.requests) > 0, lambda: f"nobody was told\n{alerts.tail()}")
            wait_until(lambda: _reasons(records)["inhibited"] == DEVICES, lambda: f"{_reasons(records)}")
            assert alerts.stop() == 0
        _assert_told_once(records, [request.document for request in receiver.requests])


def _reasons(records: outcome.Records) -> Counter[str]:
    """Why people are not told, by code, over all steps."""
    return Counter(step.reason_code for step in records.transitions() if step.kind == "suppressed")


def _assert_told_once(records: outcome.Records, told: list[dict[str, object]]) -> None:
    (entry,) = records.outbox()
    assert entry.intent.purpose is Purpose.FIRING
    assert (entry.intent.count, [alert.device for alert in entry.intent.alerts]) == (1, [GATEWAY])
    assert len(entry.intent.alerts[0].hanging) == DEVICES
    (document,) = told
    assert document["id"] == entry.intent.id
