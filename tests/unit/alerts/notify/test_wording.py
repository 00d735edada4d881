"""What notifications say: whole messages from folders of cases, and what holds for any of them."""

from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.dispatch.model import Intent, Purpose
from alerts.model import Severity
from alerts.notify.phrases import EN, ZH, Phrases, unknown_keys
from alerts.notify.wording import SHORT_ASCII_CHARACTERS, SHORT_CHARACTERS, Language, Notice, Wording
from tests.unit.alerts.notify.intents import START, after, brief, intent, page

SHANGHAI = ZoneInfo("Asia/Shanghai")
WORDING = Wording(SHANGHAI, "https://anju.example.org/")
CASES = sorted((Path(__file__).parents[3] / "cases" / "messages").iterdir())


def written(notice: Notice) -> str:
    return f"{notice.title}\n\n{notice.body}\n\nSMS: {notice.short}\n"


@pytest.mark.parametrize("language", [Language.ZH, Language.EN])
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_message_reads_as_its_case_says(case: Path, language: Language) -> None:
    told = msgspec.json.decode((case / "intent.json").read_bytes(), type=Intent)
    expected = (case / f"{language.value}.txt").read_text(encoding="utf-8")
    assert written(WORDING.notice(told, language)) == expected


def test_there_is_a_case_for_every_purpose_and_severity() -> None:
    told = [msgspec.json.decode((case / "intent.json").read_bytes(), type=Intent) for case in CASES]
    assert {one.purpose for one in told} == set(Purpose)
    assert {one.severity for one in told} == set(Severity)


def test_both_languages_stand_below_each_other_and_the_sms_is_chinese() -> None:
    both = WORDING.notice(intent(), Language.BOTH)
    zh, en = WORDING.notice(intent(), Language.ZH), WORDING.notice(intent(), Language.EN)
    assert both.title == f"{zh.title} / {en.title}"
    assert both.body.index(zh.body) < both.body.index(en.body)
    assert both.short == zh.short


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0, "不到 1 分钟", "less than 1 min"),
        (59, "不到 1 分钟", "less than 1 min"),
        (60, "1 分钟", "1 min"),
        (3 * 3600, "3 小时", "3 h"),
        (3 * 3600 + 300, "3 小时 5 分钟", "3 h 5 min"),
        (26 * 3600 + 300, "1 天 2 小时", "1 d 2 h"),
        (48 * 3600 + 60, "2 天", "2 d"),
    ],
)
def test_how_long_is_told_in_at_most_two_units(seconds: int, zh: str, en: str) -> None:
    told = intent(at=after(seconds))
    assert f"已持续 {zh}\n" in WORDING.notice(told, Language.ZH).body
    assert f"for {en}\n" in WORDING.notice(told, Language.EN).body


def test_instants_are_those_of_the_community() -> None:
    assert "2026-08-14 15:02" in WORDING.notice(intent(), Language.ZH).body
    assert "2026-08-14 03:02" in Wording(ZoneInfo("America/New_York")).notice(intent(), Language.ZH).body


def test_without_an_address_of_its_own_it_gives_no_link() -> None:
    assert "详情" not in Wording(SHANGHAI).notice(intent(), Language.ZH).body


def test_what_is_known_in_one_language_is_said_in_the_other_too() -> None:
    told = intent(alerts=(brief(title_en="", place_en="", next_step_zh=""),))
    assert "轿厢困人" in WORDING.notice(told, Language.EN).title
    assert "处置：Talk to the passenger" in WORDING.notice(told, Language.ZH).body


def test_a_line_break_in_a_name_does_not_break_the_title() -> None:
    title = WORDING.notice(intent(alerts=(brief(title_zh="轿厢\r\nBcc: all@example.org"),)), Language.ZH).title
    assert "\n" not in title
    assert "\r" not in title


def test_the_next_step_stands_in_an_sms_where_it_fits_whole() -> None:
    assert WORDING.notice(intent(), Language.ZH).short.endswith("。用对讲安抚乘客，通知维保单位")
    longer = intent(alerts=(brief(next_step_zh="先" * 60),))
    assert "先" not in WORDING.notice(longer, Language.ZH).short


def test_a_site_may_speak_its_own_words() -> None:
    own = replace(ZH, openings=ZH.openings | {Purpose.FIRING: "有情况"})
    assert Wording(SHANGHAI, zh=own).notice(intent(), Language.ZH).title.startswith("【紧急】有情况：")


@pytest.mark.parametrize("phrases", [ZH, EN], ids=["zh", "en"])
def test_phrases_ask_only_for_what_is_filled_in(phrases: Phrases) -> None:
    assert unknown_keys(phrases) == set()
    assert phrases.openings.keys() == set(Purpose)
    assert phrases.severities.keys() == set(Severity)


def test_a_key_that_nothing_fills_is_found() -> None:
    assert unknown_keys(replace(ZH, where="在 {room}")) == {"room"}


def test_both_languages_fill_in_the_same_except_for_how_many_more() -> None:
    for field in fields(Phrases):
        zh, en = getattr(ZH, field.name), getattr(EN, field.name)
        if isinstance(zh, str) and field.name != "several":
            assert set(_keys(zh)) == set(_keys(en)), field.name


def _keys(text: str) -> list[str]:
    return [part.split("}")[0] for part in text.split("{")[1:]]


@pytest.mark.parametrize("language", Language)
def test_a_drill_says_so_in_everything_that_may_be_read_alone(language: Language) -> None:
    notice = WORDING.notice(page(drill=True), language)
    mark = "[DRILL]" if language is Language.EN else "【演练】"
    for text in (notice.title, notice.body, notice.short):
        assert text.startswith(mark)
    if language is Language.BOTH:
        assert all("[DRILL]" in text for text in (notice.title, notice.body))
    real = WORDING.notice(page(), language)
    assert not any("DRILL" in text or "演练" in text for text in (real.title, real.body, real.short))


def test_a_drill_that_says_so_itself_says_it_once() -> None:
    told = page(drill=True)
    assert told.call is not None
    words = msgspec.structs.replace(told.call.zh, title="【演练】呼叫")
    marked = msgspec.structs.replace(told, call=msgspec.structs.replace(told.call, zh=words))
    assert WORDING.notice(marked, Language.ZH).title == "【演练】呼叫"


@given(words=st.text(max_size=300), drill=st.booleans())
def test_whatever_a_page_says_its_sms_fits_into_one_and_its_title_into_one_line(words: str, drill: bool) -> None:
    for language in Language:
        notice = WORDING.notice(page(drill=drill, words=words), language)
        assert len(notice.short) <= SHORT_CHARACTERS
        assert len(notice.title.splitlines()) == 1


TEXT = st.text(max_size=90)


@given(
    title=TEXT,
    place=TEXT,
    step=TEXT,
    purpose=st.sampled_from(Purpose),
    count=st.integers(1, 5_000),
    alerts=st.integers(0, 3),
    seconds=st.integers(-10, 10**7),
)
def test_every_sms_fits_into_one_and_every_title_into_one_line(
    title: str, place: str, step: str, purpose: Purpose, count: int, alerts: int, seconds: int
) -> None:
    one = brief(title_zh=title, title_en=title, place_zh=place, place_en=place, next_step_zh=step, next_step_en=step)
    told = intent(purpose=purpose, count=count, alerts=(one,) * alerts, at=START + timedelta(seconds=seconds))
    for language in Language:
        notice = WORDING.notice(told, language)
        assert len(notice.short) <= (SHORT_ASCII_CHARACTERS if notice.short.isascii() else SHORT_CHARACTERS)
        assert len(notice.title.splitlines()) == 1
        assert notice == WORDING.notice(told, language)
