"""The signed link in a weekly test: who gets one, what it says, and that nobody else can make it."""

import base64
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.dispatch.model import Intent, Purpose
from alerts.model import Severity
from alerts.notify.confirming import ConfirmingMessenger, ConfirmLinks
from alerts.notify.document import document_of
from alerts.notify.wording import Language, Wording
from tests.unit.alerts.notify.intents import START, intent, page

SHANGHAI = ZoneInfo("Asia/Shanghai")
LINKS = ConfirmLinks(b"k" * 32, "https://anju.example.org/")


def test_of(person: str | None) -> Intent:
    return intent(purpose=Purpose.TEST, severity=Severity.INFO, alerts=(), count=0, person=person, community="")


test_of.__test__ = False  # type: ignore[attr-defined]


class Ear:
    """A messenger that remembers."""

    def __init__(self) -> None:
        self.told: list[Intent] = []
        self.closed = False

    async def deliver(self, told: Intent) -> str:
        self.told.append(told)
        return "ok"

    async def close(self) -> None:
        self.closed = True


WITHOUT_LINK = {
    "an alert": intent(person="li"),
    "a trial of a receiver": test_of(None),
    "a page of a call for a topic, or a chat that others read too": page(),
}


@pytest.mark.parametrize("told", WITHOUT_LINK.values(), ids=WITHOUT_LINK.keys())
async def test_only_the_test_of_a_person_has_a_link(told: Intent) -> None:
    ear = Ear()
    assert await ConfirmingMessenger(ear, LINKS).deliver(told) == "ok"
    assert ear.told == [told]


async def test_a_test_has_the_same_link_each_time_and_none_without_an_address() -> None:
    ear = Ear()
    messenger = ConfirmingMessenger(ear, LINKS)
    for _ in range(2):
        await messenger.deliver(test_of("li"))
    await ConfirmingMessenger(ear, ConfirmLinks(b"k" * 32, None)).deliver(test_of("li"))
    first, second, without = (told.confirm for told in ear.told)
    assert first == second
    assert first.startswith("https://anju.example.org/t/li.")
    assert without == ""
    await messenger.close()
    assert ear.closed


def test_a_link_tells_whose_test_of_which_second() -> None:
    token = LINKS.token("li-2", START + timedelta(microseconds=999_999))
    assert LINKS.read(token) == ("li-2", START)
    assert len(token) == len("li-2.") + 23


@given(st.text(max_size=40))
def test_what_we_did_not_make_is_not_read(text: str) -> None:
    assert LINKS.read(text) is None
    assert LINKS.read(f"li.{text}") is None


def test_another_key_another_person_or_another_second_is_another_link() -> None:
    token = LINKS.token("li", START)
    assert ConfirmLinks(b"x" * 32, None).read(token) is None
    assert LINKS.read(token.replace("li.", "wang.")) is None
    signed = base64.urlsafe_b64decode(token.removeprefix("li.") + "=")
    later = (int.from_bytes(signed[:5], "big") + 1).to_bytes(5, "big") + signed[5:]
    assert LINKS.read(f"li.{base64.urlsafe_b64encode(later).decode().rstrip('=')}") is None


@pytest.mark.parametrize("language", list(Language))
async def test_the_words_ask_for_it_and_an_sms_only_where_the_whole_link_fits(language: Language) -> None:
    ear = Ear()
    await ConfirmingMessenger(ear, LINKS).deliver(test_of("li"))
    link = ear.told[0].confirm
    notice = Wording(SHANGHAI).notice(ear.told[0], language)
    assert link in notice.body
    assert link in notice.short
    far = ConfirmLinks(b"k" * 32, "https://" + "a" * 150 + ".example")
    await ConfirmingMessenger(ear, far).deliver(test_of("li"))
    short = Wording(SHANGHAI).notice(ear.told[1], language).short
    assert "https" not in short
    assert short
    assert document_of(ear.told[0], SHANGHAI, None).confirm == link


async def test_the_page_of_a_call_has_a_link_by_which_its_person_answers() -> None:
    ear = Ear()
    await ConfirmingMessenger(ear, LINKS).deliver(page(person="li"))
    link = ear.told[0].confirm
    assert LINKS.read_reply(link.removeprefix("https://anju.example.org/r/")) == ("call-1", "li")
    for language, words in ((Language.ZH, "不用登录"), (Language.EN, "without signing in")):
        body = Wording(SHANGHAI).notice(ear.told[0], language).body
        assert (words in body, link in body) == (True, True)


@given(st.text(max_size=80))
def test_no_other_token_answers_to_a_call(token: str) -> None:
    assert LINKS.read_reply(token) is None
    assert ConfirmLinks(b"another" * 8, None).read_reply(LINKS.reply_token("call-1", "li")) is None
