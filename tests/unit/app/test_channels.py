"""From the receivers of a plan to messengers: secrets from the environment, refusals that name the receiver."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from alerts.dispatch.plan import Plan
from alerts.dispatch.plan_loading import load_plan
from alerts.notify.apprise import AppriseMessenger
from alerts.notify.mqtt import MqttMessenger
from alerts.notify.webhook import WebhookMessenger
from app.channels import Channels
from app.settings import Settings
from core.clock import ManualClock
from core.errors import StartupError

SECRET = "a secret of more than sixteen characters"
ENVIRONMENT = {"HOOK_SECRET": SECRET, "MAIL": "mailto://li:pass@mail.example.org?to=li@example.org"}
TEXT = """\
version: 1
receivers:
  - name: centre
    webhook: {url: "http://127.0.0.1:9/hook", secret: "${HOOK_SECRET}"}
  - {name: li-mail, apprise: {url: "${MAIL}"}, language: zh}
  - {name: wall, mqtt: {topic: anju/notifications}}
policies: [{name: all, steps: [{after: 0s, notify: [receiver:centre, receiver:li-mail, receiver:wall]}]}]
routes: [{policy: all}]
"""


def plan(text: str = TEXT) -> Plan:
    return load_plan(text, "plan.yaml")


def channels(environment: Mapping[str, str] = ENVIRONMENT) -> Channels:
    return Channels(Settings(), ManualClock(datetime(2026, 3, 1, tzinfo=UTC)), environment)


def test_every_receiver_gets_the_messenger_of_its_channel() -> None:
    made = channels().of(plan())
    kinds = {name: type(channel.messenger) for name, channel in made.items()}
    assert kinds == {"centre": WebhookMessenger, "li-mail": AppriseMessenger, "wall": MqttMessenger}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, "receiver centre: environment variable HOOK_SECRET is not set", id="not set"),
        pytest.param(ENVIRONMENT | {"HOOK_SECRET": ""}, "HOOK_SECRET is not set", id="empty"),
        pytest.param(ENVIRONMENT | {"HOOK_SECRET": "short"}, "receiver centre: ", id="too short a secret"),
        pytest.param(ENVIRONMENT | {"HOOK_SECRET": "\udcff" * 20}, "HOOK_SECRET: not UTF-8", id="no UTF-8"),
        pytest.param(ENVIRONMENT | {"MAIL": "nothing://known"}, "receiver li-mail: ", id="unknown service"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name_and_without_its_secret(
    environment: dict[str, str], expected: str
) -> None:
    with pytest.raises(StartupError) as raised:
        channels(environment).of(plan())
    assert expected in str(raised.value)
    assert not any(value in str(raised.value) for value in environment.values() if value)


@pytest.mark.parametrize("url", ["http://xn--/", "http://[::1", "http://a:port/"])
def test_a_url_that_is_none_is_refused_by_the_name_of_its_receiver(url: str) -> None:
    with pytest.raises(StartupError, match="receiver centre: webhook"):
        channels().of(plan(TEXT.replace("http://127.0.0.1:9/hook", url)))


def test_an_unchanged_receiver_keeps_its_messenger() -> None:
    known = channels()
    before = known.of(plan())
    after = known.of(plan(TEXT.replace("anju/notifications", "anju/wall")))
    assert after["centre"].messenger is before["centre"].messenger
    assert after["li-mail"].messenger is before["li-mail"].messenger
    assert after["wall"].messenger is not before["wall"].messenger
