"""Webhooks to a real HTTP server that takes, refuses, stalls, hangs up and comes back."""

import contextlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.notify.posting import MOST_ANSWER_BYTES
from alerts.notify.webhook import WebhookMessenger
from core.clock import ManualClock
from core.errors import PermanentError, TemporaryError
from tests.integration.webhook_receiver import SECRET, Answer, receiving
from tests.unit.alerts.notify.intents import START, intent

SHANGHAI = ZoneInfo("Asia/Shanghai")


@contextlib.asynccontextmanager
async def webhook(url: str, **options: Any) -> AsyncIterator[WebhookMessenger]:
    messenger = WebhookMessenger(url, SECRET, zone=SHANGHAI, base_url=None, clock=ManualClock(START), **options)
    try:
        yield messenger
    finally:
        await messenger.close()


async def test_it_posts_the_document_signed_and_named() -> None:
    async with receiving() as receiver, webhook(receiver.url) as messenger:
        said = await messenger.deliver(intent(7))
        (request,) = receiver.requests
    assert said == "webhook 127.0.0.1: answered 200 X"
    assert request.document["id"] == request.id == "intent-7"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["anju-timestamp"] == str(int(START.timestamp()))
    assert request.is_signed()
    assert not request.is_signed("another secret")


async def test_a_repeat_has_the_same_name_and_body() -> None:
    async with receiving() as receiver, webhook(receiver.url) as messenger:
        for _ in range(2):
            await messenger.deliver(intent())
        first, second = receiver.requests
    assert (first.id, first.body) == (second.id, second.body)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_success_is_delivered(status: int) -> None:
    async with receiving(lambda _: Answer(status)) as receiver, webhook(receiver.url) as messenger:
        assert str(status) in await messenger.deliver(intent())


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_these_answers_are_worth_another_try(status: int) -> None:
    async with receiving(lambda _: Answer(status)) as receiver, webhook(receiver.url) as messenger:
        with pytest.raises(TemporaryError, match=f"answered {status}"):
            await messenger.deliver(intent())


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410, 422])
async def test_these_are_not_and_no_redirect_is_followed(status: int) -> None:
    async with receiving() as elsewhere, receiving() as receiver, webhook(receiver.url) as messenger:
        receiver.answer = lambda _: Answer(status, {"Location": elsewhere.url})
        with pytest.raises(PermanentError, match=f"answered {status}"):
            await messenger.deliver(intent())
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (format_datetime(START + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(START - timedelta(seconds=90), usegmt=True), 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
async def test_it_says_when_the_receiver_wants_it_again(header: str, seconds: float | None) -> None:
    async with receiving(lambda _: Answer(429, {"Retry-After": header})) as receiver, webhook(receiver.url) as one:
        with pytest.raises(TemporaryError) as caught:
            await one.deliver(intent())
    assert caught.value.retry_after == seconds  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", [Answer(stall=True), Answer(cut=True)], ids=["stalls", "hangs up half-way"])
async def test_no_answer_is_worth_another_try(answer: Answer) -> None:
    async with receiving(lambda _: answer) as receiver, webhook(receiver.url, whole_seconds=0.3) as messenger:
        began = time.monotonic()
        with pytest.raises(TemporaryError, match=r"^webhook 127\.0\.0\.1: "):
            await messenger.deliver(intent())
        assert time.monotonic() - began < 5


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    body = b"x" * (MOST_ANSWER_BYTES * 40)
    async with receiving(lambda _: Answer(200, body=body)) as receiver, webhook(receiver.url) as messenger:
        assert await messenger.deliver(intent()) == "webhook 127.0.0.1: answered 200 X"


@pytest.mark.parametrize("coding", ["br", "gzip"])
async def test_an_answer_in_a_coding_that_cannot_be_read_is_an_answer(coding: str) -> None:
    coded = Answer(200, {"Content-Encoding": coding}, b"not in that coding")
    async with receiving(lambda _: coded) as receiver, webhook(receiver.url) as messenger:
        assert await messenger.deliver(intent()) == "webhook 127.0.0.1: answered 200 X"
        assert receiver.requests[0].headers["accept-encoding"] == "identity"


async def test_a_receiver_that_was_away_gets_it_when_it_is_back() -> None:
    async with receiving() as receiver, webhook(receiver.url) as messenger:
        await messenger.deliver(intent(1))
        await receiver.stop()
        with pytest.raises(TemporaryError, match="webhook 127"):
            await messenger.deliver(intent(2))
        await receiver.start()
        await messenger.deliver(intent(2))
        assert [request.id for request in receiver.requests] == ["intent-1", "intent-2"]


async def test_after_close_it_connects_anew() -> None:
    async with receiving() as receiver, webhook(receiver.url) as messenger:
        await messenger.deliver(intent(1))
        await messenger.close()
        await messenger.deliver(intent(2))
        assert len(receiver.requests) == 2


async def test_no_error_shows_the_path() -> None:
    async with (
        receiving(lambda _: Answer(404)) as receiver,
        webhook(f"{receiver.url}/geheim?token=geheim") as messenger,
    ):
        with pytest.raises(PermanentError) as refused:
            await messenger.deliver(intent())
        await receiver.stop()
        with pytest.raises(TemporaryError) as away:
            await messenger.deliver(intent())
    assert "geheim" not in f"{refused.value} {away.value}"


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/a",
        "http://127.0.0.1:8000/a",
        "http://[::1]:8000/a",
        "http://192.168.1.20/a",
        "http://10.0.0.5/a",
        "http://localhost:8000/",
        "http://property-app:8080/hook",
        "http://nas.local/hook",
    ],
)
def test_addresses_that_can_be_used(url: str) -> None:
    WebhookMessenger(url, SECRET, zone=SHANGHAI, base_url=None, clock=ManualClock(START))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://hooks.example.com/geheim", "expected https"),
        ("http://8.8.8.8/geheim", "expected https"),
        ("ftp://example.com/geheim", "expected https://HOST/PATH"),
        ("/geheim", "expected https://HOST/PATH"),
        ("https://:443/geheim", "expected https://HOST/PATH"),
        ("https://user:geheim@example.com/", "expected a secret to sign with"),
        ("http://[::1/geheim", "expected https://HOST/PATH"),
        ("https://example.com:99999/geheim", "port 99999; expected 1 to 65535"),
    ],
)
def test_addresses_that_cannot(url: str, expected: str) -> None:
    with pytest.raises(PermanentError, match=expected) as refused:
        WebhookMessenger(url, SECRET, zone=SHANGHAI, base_url=None, clock=ManualClock(START))
    assert "geheim" not in str(refused.value)


def test_a_short_secret_is_refused_and_not_shown() -> None:
    with pytest.raises(PermanentError, match="a secret of 6 characters; expected 16 or more") as refused:
        WebhookMessenger("https://example.com/", "geheim", zone=SHANGHAI, base_url=None, clock=ManualClock(START))
    assert "geheim" not in str(refused.value)
