"""Group robots: what they are sent, and that their answer is read, not only its status."""

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from alerts.notify.apprise import AppriseMessenger
from alerts.notify.robots import ROBOTS, RobotMessenger
from alerts.notify.services import service_messenger
from alerts.notify.wording import Language
from core.clock import ManualClock
from core.errors import PermanentError, TemporaryError
from tests.integration.webhook_receiver import Answer, Request, receiving
from tests.unit.alerts.notify.intents import START, brief, intent

SHANGHAI = ZoneInfo("Asia/Shanghai")
TOKEN = "693a91f6-7aaa-4bc4-97a0-0ec2sifa5aaa"
OKAY = Answer(200, body=b'{"errcode":0,"errmsg":"ok"}')


@contextlib.asynccontextmanager
async def robot(url: str, endpoint: str, language: Language = Language.ZH) -> AsyncIterator[RobotMessenger]:
    clock = ManualClock(START)
    messenger = RobotMessenger(url, language=language, zone=SHANGHAI, base_url=None, clock=clock, endpoint=endpoint)
    try:
        yield messenger
    finally:
        await messenger.close()


async def sent(url: str, language: Language = Language.ZH, **fields: Any) -> Request:
    async with receiving(lambda _: OKAY) as receiver, robot(url, f"{receiver.url}/", language) as messenger:
        await messenger.deliver(intent(**fields))
        (request,) = receiver.requests
    return request


def query(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}


async def test_wecom() -> None:
    request = await sent(f"wecombot://{TOKEN}")
    assert query(request) == {"key": TOKEN}
    assert request.document["msgtype"] == "text"
    title, where = request.document["text"]["content"].splitlines()[:2]
    assert (title, where) == ("【紧急】新告警：1号楼1号梯 轿厢困人", "地点：1号楼1号梯")


async def test_dingtalk_is_signed_where_there_is_a_secret() -> None:
    request = await sent(f"dingtalk://SECabc@{TOKEN}")
    timestamp = str(int(START.timestamp() * 1000))
    digest = hmac.new(b"SECabc", f"{timestamp}\nSECabc".encode(), hashlib.sha256).digest()
    expected = {"access_token": TOKEN, "timestamp": timestamp, "sign": base64.b64encode(digest).decode()}
    assert query(request) == expected
    assert query(await sent(f"dingtalk://{TOKEN}")) == {"access_token": TOKEN}


async def test_feishu_is_signed_where_there_is_a_secret() -> None:
    request = await sent(f"feishu://geheim@{TOKEN}")
    timestamp = str(int(START.timestamp()))
    digest = hmac.new(f"{timestamp}\ngeheim".encode(), b"", hashlib.sha256).digest()
    assert request.path.endswith(f"/{TOKEN}")
    assert request.document["msg_type"] == "text"
    assert request.document["timestamp"] == timestamp
    assert request.document["sign"] == base64.b64encode(digest).decode()
    assert "sign" not in (await sent(f"feishu://{TOKEN}")).document


@pytest.mark.parametrize("schema", ROBOTS)
async def test_a_text_is_cut_to_what_the_robot_takes(schema: str) -> None:
    long = (brief(reason_zh="因" * 20_000),)
    request = await sent(f"{schema}://{TOKEN}", Language.BOTH, alerts=long)
    content = request.document.get("text") or request.document["content"]
    text = content.get("content") or content["text"]
    most = ROBOTS[schema].most_bytes
    assert most - 6 < len(text.encode()) <= most
    assert text.endswith("因…")


@pytest.mark.parametrize(
    ("schema", "status", "said"),
    [
        ("wecombot", 200, {"errcode": 45009, "errmsg": "api freq out of limit"}),
        ("wecombot", 200, {"errcode": -1, "errmsg": "system busy"}),
        ("dingtalk", 200, {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}),
        ("dingtalk", 200, {"errcode": 410100, "errmsg": "发送速度太快而限流"}),
        ("feishu", 400, {"code": 9499, "msg": "too many request", "data": {}}),
        ("feishu", 200, {"code": 11232, "msg": "frequency limited"}),
        ("feishu", 500, {"code": 1, "msg": "?"}),
    ],
)
async def test_going_too_fast_is_a_reason_to_wait(schema: str, status: int, said: dict[str, object]) -> None:
    answer = Answer(status, body=json.dumps(said).encode())
    async with receiving(lambda _: answer) as receiver, robot(f"{schema}://{TOKEN}", f"{receiver.url}/") as messenger:
        with pytest.raises(TemporaryError) as later:
            await messenger.deliver(intent())
    assert later.value.retry_after == 60  # type: ignore[attr-defined]
    assert str(said.get("errcode", said.get("code"))) in str(later.value)


@pytest.mark.parametrize(
    ("schema", "status", "said"),
    [
        ("wecombot", 200, {"errcode": 93000, "errmsg": f"invalid webhook url {TOKEN}"}),
        ("dingtalk", 200, {"errcode": 310000, "errmsg": "keywords not in content"}),
        ("dingtalk", 200, {"errcode": 300001, "errmsg": "token is not exist"}),
        ("feishu", 400, {"code": 9499, "msg": "Bad Request", "data": {}}),
        ("feishu", 200, {"code": 19021, "msg": "sign match fail or timestamp is not within one hour"}),
    ],
)
async def test_any_other_refusal_is_for_good_although_the_status_says_success(
    schema: str, status: int, said: dict[str, object]
) -> None:
    answer = Answer(status, body=json.dumps(said).encode())
    async with receiving(lambda _: answer) as receiver, robot(f"{schema}://{TOKEN}", f"{receiver.url}/") as messenger:
        with pytest.raises(PermanentError) as refused:
            await messenger.deliver(intent())
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("answer", [Answer(200, body=b"<html>"), Answer(200), Answer(502, body=b"bad gateway")])
async def test_what_no_robot_says_is_worth_another_try(answer: Answer) -> None:
    async with receiving(lambda _: answer) as receiver, robot(f"wecombot://{TOKEN}", receiver.url) as messenger:
        with pytest.raises(TemporaryError):
            await messenger.deliver(intent())


async def test_a_robot_that_is_away_is_worth_another_try() -> None:
    async with receiving() as receiver:
        url = receiver.url
    async with robot(f"wecombot://{TOKEN}", url) as messenger:
        with pytest.raises(TemporaryError, match=r"^WeCom robot: ClientConnectorError$"):
            await messenger.deliver(intent())


@pytest.mark.parametrize(
    ("url", "per_minute"),
    [
        (f"wecombot://{TOKEN}", 20),
        (f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={TOKEN}", 20),
        (f"dingtalk://SECabc@{TOKEN}/", 20),
        (f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}", 20),
        (f"feishu://{TOKEN}", 100),
        (f"https://open.feishu.cn/open-apis/bot/v2/hook/{TOKEN}", 100),
    ],
)
def test_addresses_of_robots_also_as_the_service_shows_them(url: str, per_minute: int) -> None:
    clock = ManualClock(START)
    made = service_messenger(url, language=Language.ZH, zone=SHANGHAI, base_url=None, clock=clock)
    assert isinstance(made, RobotMessenger)
    assert made.per_minute == per_minute


def test_all_other_addresses_are_for_apprise() -> None:
    clock = ManualClock(START)
    made = service_messenger("ntfys://ntfy.sh/anju", language=Language.ZH, zone=SHANGHAI, base_url=None, clock=clock)
    assert isinstance(made, AppriseMessenger)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wecombot://", "expected wecombot://TOKEN$"),
        ("wecombot://geheim/138", "expected wecombot://TOKEN$"),
        ("dingtalk://geheim@", "expected dingtalk://TOKEN or dingtalk://SECRET@TOKEN"),
        ("feishu://geheim wort", "expected feishu://TOKEN"),
        ("https://oapi.dingtalk.com/robot/send?access_token=geheim&x=1", "expected dingtalk://TOKEN"),
    ],
)
def test_an_address_that_is_none_is_refused_and_not_shown(url: str, expected: str) -> None:
    clock = ManualClock(START)
    with pytest.raises(PermanentError, match=expected) as refused:
        service_messenger(url, language=Language.ZH, zone=SHANGHAI, base_url=None, clock=clock)
    assert "geheim" not in str(refused.value)
