"""E-mail and other services through Apprise, against real servers on loopback."""

import asyncio
import contextlib
import email
import email.policy
import logging
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from alerts.dispatch.model import Purpose
from alerts.notify.apprise import AppriseMessenger
from alerts.notify.wording import Language
from core.errors import PermanentError, TemporaryError
from tests.integration.webhook_receiver import Answer, Request, receiving
from tests.unit.alerts.notify.intents import brief, intent, page

SHANGHAI = ZoneInfo("Asia/Shanghai")
BASE = "https://anju.example.org"


class Mailbox:
    """What the mail server took; ``refusal`` makes it refuse the next messages."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refusals: list[str] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refusals:
            return self.refusals.pop(0)
        assert isinstance(envelope.content, bytes)
        self.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
async def mail_url(mailbox: Mailbox) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"mailto://127.0.0.1:{port}/?mode=insecure&from=anju@example.org&to=duty@example.org"
    server.close()
    await server.wait_closed()


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What Apprise says where a program's log is written, at its most talkative."""
    lines: list[str] = []
    root, ear = logging.getLogger(), logging.Handler(logging.NOTSET)
    ear.emit = lambda record: lines.append(record.getMessage()) if record.name == "apprise" else None  # type: ignore[method-assign]
    level = root.level
    root.addHandler(ear)
    root.setLevel(1)
    yield lines
    root.setLevel(level)
    root.removeHandler(ear)


@contextlib.asynccontextmanager
async def made(url: str, language: Language = Language.ZH, **options: Any) -> AsyncIterator[AppriseMessenger]:
    messenger = AppriseMessenger(url, language=language, zone=SHANGHAI, base_url=BASE, **options)
    try:
        yield messenger
    finally:
        await messenger.close()


async def test_an_e_mail_arrives_with_its_chinese_subject_and_text(mail_url: str, mailbox: Mailbox) -> None:
    async with made(mail_url) as messenger:
        assert await messenger.deliver(intent()) == "E-Mail: accepted"
    (message,) = mailbox.messages
    assert message["Subject"] == "【紧急】新告警：1号楼1号梯 轿厢困人"
    assert "duty@example.org" in message["To"]
    body = message.get_body(("html", "plain"))
    assert body is not None
    text = body.get_content()
    assert "处置：用对讲安抚乘客，通知维保单位" in text
    assert "https://anju.example.org/alerts/5f2c8a" in text


async def test_both_languages_stand_in_one_e_mail(mail_url: str, mailbox: Mailbox) -> None:
    async with made(f"{mail_url}&format=text", Language.BOTH) as messenger:
        await messenger.deliver(intent(purpose=Purpose.RESOLVED))
    (message,) = mailbox.messages
    text = message.get_content()
    assert "已恢复" in message["Subject"]
    assert "Resolved" in message["Subject"]
    assert text.index("地点：1号楼1号梯") < text.index("Where: Building 1, lift 1")


async def test_a_name_cannot_add_a_header(mail_url: str, mailbox: Mailbox) -> None:
    async with made(mail_url) as messenger:
        await messenger.deliver(intent(alerts=(brief(title_zh="困人\r\nBcc: all@example.org"),)))
    (message,) = mailbox.messages
    assert message["Bcc"] is None
    assert message["Subject"] == "【紧急】新告警：1号楼1号梯 困人 Bcc: all@example.org"


async def test_a_mail_server_that_refuses_is_worth_another_try(mail_url: str, mailbox: Mailbox) -> None:
    mailbox.refusals = ["451 try later"]
    async with made(mail_url) as messenger:
        with pytest.raises(TemporaryError, match=r"^E-Mail: "):
            await messenger.deliver(intent())
        await messenger.deliver(intent())
    assert len(mailbox.messages) == 1


async def test_a_mail_server_that_is_away_is_worth_another_try() -> None:
    async with receiving() as receiver:
        url = receiver.url
    gone = url.replace("http://", "mailto://user:geheimes-wort@").replace(
        "/hook", "/?mode=insecure&from=anju@example.org&to=a@example.org"
    )
    async with made(gone) as messenger:
        with pytest.raises(TemporaryError, match=r"^E-Mail: ") as away:
            await messenger.deliver(intent())
    assert "geheimes-wort" not in str(away.value)


def json_url(url: str) -> str:
    return url.replace("http://", "json://user:geheimes-wort@")


async def test_what_an_http_service_answers_decides_whether_it_is_tried_again() -> None:
    async with receiving() as receiver, made(json_url(receiver.url)) as messenger:
        receiver.script = [Answer(503), Answer(429), Answer(404), Answer(200)]
        for _ in range(2):
            with pytest.raises(TemporaryError):
                await messenger.deliver(intent())
        with pytest.raises(PermanentError, match="404"):
            await messenger.deliver(intent())
        await messenger.deliver(intent())
    assert receiver.requests[-1].document["title"].startswith("【紧急】新告警：")
    assert [request.document["type"] for request in receiver.requests] == ["failure"] * 4


async def test_a_call_for_help_is_as_loud_as_can_be_and_a_drill_is_not() -> None:
    async with receiving() as receiver, made(json_url(receiver.url)) as messenger:
        await messenger.deliver(page())
        await messenger.deliver(page(drill=True))
    assert [request.document["type"] for request in receiver.requests] == ["failure", "info"]
    assert [request.document["title"] for request in receiver.requests] == ["呼叫 困人", "【演练】呼叫 困人"]


async def test_its_log_says_nothing_and_its_errors_no_secret(logged: list[str]) -> None:
    async with receiving(lambda _: Answer(503)) as receiver, made(json_url(receiver.url)) as messenger:
        with pytest.raises(TemporaryError) as failed:
            await messenger.deliver(intent())
    assert "geheimes" not in str(failed.value)
    assert logged == []


async def test_a_service_that_stalls_holds_up_no_other() -> None:
    async with (
        receiving(lambda _: Answer(stall=True)) as stalling,
        receiving() as well,
        contextlib.AsyncExitStack() as stack,
    ):
        dead = [await stack.enter_async_context(made(f"{json_url(stalling.url)}?rto=2")) for _ in range(12)]
        alive = await stack.enter_async_context(made(json_url(well.url)))
        stuck = [asyncio.create_task(one.deliver(intent())) for one in dead]
        await stalling.until(len(dead))
        await asyncio.wait_for(alive.deliver(intent()), 1.5)
        assert not any(task.done() for task in stuck)
        results = await asyncio.gather(*stuck, return_exceptions=True)
    assert all(isinstance(result, TemporaryError) for result in results)


async def test_a_call_for_help_waits_for_no_message_that_hangs() -> None:
    def answer(request: Request) -> Answer:
        return Answer(stall="新告警" in request.document["title"])

    async with receiving(answer) as receiver, made(f"{json_url(receiver.url)}?rto=2") as messenger:
        stuck = [asyncio.create_task(messenger.deliver(intent())) for _ in range(3)]
        await receiver.until(1)
        await asyncio.wait_for(messenger.deliver(page()), 1.5)
        assert not any(task.done() for task in stuck)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


@pytest.mark.parametrize(
    ("url", "per_minute"),
    [
        ("tgram://123456789:abcdefg_hijklmnop/-100200300/", 20),
        ("mailto://user:password@example.org", None),
        ("ntfys://ntfy.example.org/anju", None),
        ("schan://SCT123Tabc/", None),
        ("clickatell://apikey0123/8613800138000", None),
        ("bark://bark.example.org/device0123", None),
        ("gotifys://gotify.example.org/token0123", None),
        ("pushplus://abcdef0123456789abcdef0123456789", None),
    ],
)
def test_a_service_is_known_with_the_pace_it_takes(url: str, per_minute: int | None) -> None:
    made = AppriseMessenger(url, language=Language.ZH, zone=SHANGHAI, base_url=None)
    assert made.per_minute == per_minute


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("schan://", r"expected schan://\{token\}"),
        ("wekom://geheimes-wort", "expected a form such as wecombot://KEY"),
        ("geheimes-wort", "expected a form such as"),
        ("", "expected a form such as"),
    ],
)
def test_an_address_that_is_none_is_refused_with_what_was_expected(
    url: str, expected: str, capsys: pytest.CaptureFixture[str], logged: list[str]
) -> None:
    with pytest.raises(PermanentError, match=expected) as refused:
        AppriseMessenger(url, language=Language.ZH, zone=SHANGHAI, base_url=None)
    shown = capsys.readouterr()
    assert "geheimes" not in f"{refused.value}{shown.out}{shown.err}"
    assert logged == []


async def test_an_sms_service_gets_the_short_form() -> None:
    messenger = AppriseMessenger(
        "clickatell://apikey0123/8613800138000", language=Language.ZH, zone=SHANGHAI, base_url=BASE
    )
    title, body = messenger._text(intent())
    assert (title, len(body) <= 70) == ("", True)
