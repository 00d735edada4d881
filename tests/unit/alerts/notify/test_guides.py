"""What the guides for receivers show works: the code that checks a signature, the addresses of services."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.notify.patience import LIFETIMES
from alerts.notify.robots import ROBOTS, RobotMessenger, is_robot
from alerts.notify.services import service_messenger
from alerts.notify.signature import sign
from alerts.notify.wording import Language
from core.clock import ManualClock
from tests.unit.alerts.notify.intents import START

GUIDES = Path(__file__).parents[4] / "docs/how-to"
SECRET = "correct horse battery staple"
BODY = '{"id":"1","words":"困人"}'.encode()


@pytest.fixture
def is_from_anju() -> Callable[..., bool]:
    (snippet,) = re.findall(
        r"```python\n(.*?)```", (GUIDES / "receive-webhooks.md").read_text(encoding="utf-8"), re.DOTALL
    )
    shown: dict[str, Any] = {}
    exec(compile(snippet, "receive-webhooks.md", "exec"), shown)
    found: Callable[..., bool] = shown["is_from_anju"]
    return found


def headers(timestamp: int, secret: str = SECRET, body: bytes = BODY) -> dict[str, str]:
    return {"Anju-Timestamp": str(timestamp), "Anju-Signature": sign(secret, timestamp, body)}


def test_it_takes_what_anju_signed(is_from_anju: Callable[..., bool]) -> None:
    assert is_from_anju(SECRET, headers(int(time.time())), BODY)


@pytest.mark.parametrize(
    ("secret", "body", "age_seconds"),
    [("another secret of mine", BODY, 0), (SECRET, BODY + b" ", 0), (SECRET, BODY, 600), (SECRET, BODY, -600)],
    ids=["another secret", "another body", "old", "from the future"],
)
def test_it_refuses_everything_else(
    is_from_anju: Callable[..., bool], secret: str, body: bytes, age_seconds: int
) -> None:
    assert not is_from_anju(SECRET, headers(int(time.time()) - age_seconds, secret, BODY), body)


def test_a_timestamp_cannot_be_renewed(is_from_anju: Callable[..., bool]) -> None:
    old = headers(int(time.time()) - 600)
    assert not is_from_anju(SECRET, old | {"Anju-Timestamp": str(int(time.time()))}, BODY)


def test_the_signature_is_that_of_the_contract() -> None:
    # Worked out with `printf '1786690946.{}' | openssl dgst -sha256 -hmac 0123456789abcdef`.
    assert (
        sign("0123456789abcdef", 1786690946, b"{}")
        == "v1=0d7f5d6ce94128a3a24de239fc31e647adeea8d4044b551b4869ff3bc7f60eb0"
    )


def test_the_guides_give_the_figures_of_the_code() -> None:
    webhooks = (GUIDES / "receive-webhooks.md").read_text(encoding="utf-8")
    channels = (GUIDES / "channels.md").read_text(encoding="utf-8")
    for purpose in LIFETIMES:
        assert purpose.value in webhooks
    for schema, robot in ROBOTS.items():
        (row,) = [line for line in channels.splitlines() if f"`{schema}://" in line]
        assert row.endswith(f"| {robot.per_minute} a minute |")
        assert robot.endpoint in row


FILLED = {
    "CHAT_ID": "-100200300",
    "FROM_PHONE": "15005550006",
    "PHONE": "8613800138000",
    "ACCOUNT_SID": "AC" + "0123456789abcdef" * 2,
    "AUTH_TOKEN": "0123456789abcdef" * 2,
    "BOT_TOKEN": "123456789:abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "DEVICE_KEY": "abcdefghijklmnopqrstuv",
    "SMTP_HOST": "smtp.example.org",
    "DOMAIN": "example.org",
    "HOST": "push.example.org",
    "PASSWORD": "geheim",
    "API_KEY": "0123456789abcdef",
    "SECRET": "SECabc",
    "TOKEN": "0123456789abcdef" * 2,
    "TOPIC": "anju",
    "USER": "anju",
    "KEY": "0123456789abcdef",
}
ADDRESSES = re.findall(r"`([a-z]+://[^`]+)`", (GUIDES / "channels.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_of_the_guide_is_one(address: str) -> None:
    for word, value in FILLED.items():
        address = address.replace(word, value)
    assert not re.search("[A-Z]{4}_", address)
    made = service_messenger(
        address, language=Language.ZH, zone=ZoneInfo("Asia/Shanghai"), base_url=None, clock=ManualClock(START)
    )
    assert isinstance(made, RobotMessenger) == is_robot(address)


def test_the_guide_shows_addresses_for_robots_mail_and_sms() -> None:
    schemas = {address.partition("://")[0] for address in ADDRESSES}
    assert schemas >= {"wecombot", "dingtalk", "feishu", "mailtos", "ntfys", "tgram", "twilio", "https"}
