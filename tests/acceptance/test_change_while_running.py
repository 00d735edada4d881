"""Rules and the plan of who is told change while Anju runs; and what becomes of a broker that goes away."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import heartbeat
from core.clock import SystemClock
from core.devices import Channel, DeviceKey, DeviceKind
from core.wire import topics
from tests.acceptance import outcome
from tests.acceptance.call_centre import call_centre
from tests.acceptance.running import Anju, wait_until
from tests.integration.session_driving import publish_all
from tests.integration.webhook_receiver import SECRET, WebhookReceiver
from tests.servers.mosquitto import Mosquitto
from tests.servers.plugin import MakeMosquitto

GATES = [DeviceKey("willow-court", DeviceKind.GATE, f"gate-{number}") for number in range(1, 9)]
RULE = """\
version: 1
rules:
  - id: {name}
    kind: gate
    severity: critical
    title: {{zh: 题, en: title}}
    next_step: {{zh: 步, en: step}}
    condition: {{kind: event, types: [{event}], clears_on: [door_closed]}}
"""
PLAN = """\
version: 1
receivers:
  - {{name: first, webhook: {{url: "{url}/first", secret: "${{HOOK_SECRET}}"}}}}
  - {{name: second, webhook: {{url: "{url}/second", secret: "${{HOOK_SECRET}}"}}}}
policies: [{{name: duty, steps: [{{after: 0s, notify: [receiver:{receiver}]}}]}}]
routes: [{{policy: duty}}]
"""


@dataclass
class Site:
    """What runs: one rule file, one plan, and who is told."""

    var: Path
    rules: Path
    plan: Path
    broker: Mosquitto
    receiver: WebhookReceiver
    alerts: Anju
    seen: int = 0

    def happen(self, event: str) -> str:
        """Let ``event`` happen at the next gate, and return the gate's path."""
        gate, self.seen = GATES[self.seen], self.seen + 1
        payload = json.dumps({"at": SystemClock().now().isoformat(), "type": event}).encode()
        publish_all(self.broker.port, [(topics.build(gate, Channel.EVENT), payload)])
        return gate.path

    def tell(self, receiver: str) -> None:
        """Write the plan that tells ``receiver``."""
        self.plan.write_text(PLAN.format(url=self.receiver.url, receiver=receiver))

    def told(self, device: str) -> list[str]:
        """The paths on which people were told of ``device``."""
        return [
            request.path
            for request in self.receiver.requests
            if any(alert["device"] == device for alert in request.document["alerts"])
        ]

    def detail(self) -> str:
        return heartbeat.read(self.var, "alerts", SystemClock().now()).detail


@pytest.fixture
def site(tmp_path: Path, make_mosquitto: MakeMosquitto) -> Iterator[Site]:
    broker, var = make_mosquitto(save_every_change=False), tmp_path / "var"
    rules, plan = tmp_path / "rules.yaml", tmp_path / "plan.yaml"
    rules.write_text(RULE.format(name="forced", event="forced_open"))
    with ExitStack() as running:
        receiver = running.enter_context(call_centre())
        settings = {
            "ANJU_MQTT__PORT": broker.port,
            "ANJU_BROKER__EMBEDDED": "none",
            "ANJU_RULES__BUILTIN": "false",
            "ANJU_RULES__FILES": f'["{rules}"]',
            "ANJU_NOTIFY__PLAN": plan,
            "HOOK_SECRET": SECRET,
        }
        there = Site(var, rules, plan, broker, receiver, Anju("alerts", var, settings))
        there.tell("first")
        ingest = running.enter_context(Anju("ingest", var, settings))
        running.enter_context(there.alerts)
        ingest.wait_ready()
        there.alerts.wait_ready()
        yield there


def test_rules_and_plan_change_and_what_is_broken_changes_nothing(site: Site) -> None:
    gate = site.happen("forced_open")
    wait_until(lambda: site.told(gate) == ["/hook/first"], lambda: f"{site.receiver.requests}\n{site.alerts.tail()}")

    site.rules.write_text(RULE.format(name="tampered", event="tamper"))
    wait_until(lambda: "rules.reloaded" in site.alerts.output(), site.alerts.tail)
    gate = site.happen("tamper")
    wait_until(lambda: ("tampered", gate) in outcome.Records(site.var).firing(), site.alerts.tail)
    # The rule that is gone has taken its alert with it.
    assert all(rule == "tampered" for rule, _ in outcome.Records(site.var).firing())

    site.rules.write_text(RULE.format(name="nonsense", event="no_such_event"))
    wait_until(lambda: "rules.yaml:" in site.detail(), site.detail)
    gate = site.happen("tamper")
    wait_until(lambda: site.told(gate) == ["/hook/first"], site.alerts.tail)

    site.tell("nobody")
    wait_until(lambda: "plan.refused" in site.alerts.output(), site.alerts.tail)
    site.tell("second")
    wait_until(lambda: "plan.reloaded" in site.alerts.output(), site.alerts.tail)
    wait_until(lambda: "desk.plan_replaced" in site.alerts.output(), site.alerts.tail)
    gate = site.happen("tamper")
    wait_until(lambda: site.told(gate) == ["/hook/second"], site.alerts.tail)


def test_a_broker_that_goes_away_is_one_alert_and_over_when_it_is_back(site: Site) -> None:
    site.broker.kill()
    broker = "anju/system/broker"
    # It may be away for half a minute before anybody is told.
    wait_until(lambda: len(site.told(broker)) == 1, lambda: f"nobody was told\n{site.detail()}\n{site.alerts.tail()}")
    assert ("broker-away", broker) in outcome.Records(site.var).firing()
    site.broker.start()
    wait_until(lambda: not outcome.Records(site.var).firing(), site.alerts.tail)
    wait_until(lambda: len(site.told(broker)) == 2, lambda: f"not told that it is over\n{site.alerts.tail()}")
    purposes = [request.document["purpose"] for request in site.receiver.requests]
    assert purposes == ["firing", "resolved"]
