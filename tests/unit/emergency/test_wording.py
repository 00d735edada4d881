"""What pages of calls say: whole pages, what each situation adds, and what holds for any of them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from emergency import wording
from emergency.ladder import LadderStep
from emergency.model import Call, Caller, CallState, PageKind, Place, Responder, Source, Stamps, Value, Words
from emergency.plan import Contact, Title
from emergency.wording import SHORT_CHARACTERS, PageWording, load_words, missing_words

T0 = datetime(2026, 8, 14, 7, 2, 26, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
WORDING = PageWording(SHANGHAI, "https://anju.example.org/")
HOTLINE = Contact("hotline", Title("应急热线 96333", "Hotline 96333"), "96333")
STATION = Contact("station", Title("救援站", "Rescue station"), "0571 7")
BY_HAND = [LadderStep("station", "救援站", "Station", timedelta(seconds=60), dial=True, contacts=(HOTLINE, STATION))]
STEP = LadderStep("property", "物业值班", "Property on duty", timedelta(seconds=30), dial=False, contacts=())
LATEST: dict[str, Value] = {"floor": "B1", "door_state": "closed", "direction": "stopped", "passenger_present": True}
PLACE = Place(
    "xingfuli", "xingfuli/elevator/l3", building="3", name_zh="3 号楼电梯", name_en="lift of block 3", latest=LATEST
)


def minutes(count: float) -> datetime:
    return T0 + timedelta(minutes=count)


def call(**changes: Any) -> Call:
    known = Call("c7", Source.RESIDENT, replace(PLACE, rescue_code="330108"), Stamps(T0), rescue_by=minutes(30))
    return replace(known, **changes)


def both(call: Call, kind: PageKind = PageKind.CALL) -> tuple[Words, Words]:
    return WORDING(call, kind, STEP)


def test_a_call_reads_so_in_chinese() -> None:
    zh, _ = both(call(people=2, caller=Caller("陈女士", "138 0000 0001", "有老人"), alarm=True))
    assert zh.title == "紧急呼叫：3 号楼电梯 B1 层"
    assert zh.short == "紧急呼叫：3 号楼电梯B1层，救援码330108，2人，15:02起"
    assert zh.body.splitlines() == [
        "地点：3 号楼电梯（楼栋 3）",
        "轿厢：B1 层，门关，停止，轿厢有人",
        "人数：2",
        "救援码：330108",
        "呼叫时间：2026-08-14 15:02:26",
        "来源：住户扫码",
        "呼叫人：陈女士 138 0000 0001",
        "留言：有老人",
        "救援时限：15:32 前到场",
        "呼叫对象：物业值班",
        "处置：立即接听，安抚被困人员，问清人数和身体状况，告诉对方不要扒门；去不了请立即按“无法前往”，转给下一位",
        "详情：https://anju.example.org/desk#call=c7",
    ]


def test_a_drill_reads_so_in_english() -> None:
    _, en = both(call(drill=True, source=Source.DRILL), PageKind.OVERDUE)
    assert en.title == "[DRILL] Rescue overdue, nobody on site: lift of block 3, floor B1"
    assert en.short == "[DRILL] Rescue overdue, nobody on site: lift of block 3 fl. B1"
    assert en.body.splitlines() == [
        "[DRILL] This is a drill, nobody is trapped: follow the procedure, but do not dial 96333 or 119",
        "Where: lift of block 3 (building 3)",
        "Car: floor B1, doors closed, not moving, someone inside",
        "Rescue code: 330108",
        "Called at: 2026-08-14 15:02:26",
        "Source: drill",
        "Rescue clock: was due on site by 15:32, overdue",
        "Do first: follow the drill procedure and confirm in the system",
        "Details: https://anju.example.org/desk#call=c7",
    ]


WANG = Responder("王师傅", "139 0000 0002", minutes(12), "tonghui", on_the_way_at=minutes(3))
ANSWERED = Stamps(T0, answered=minutes(1))
COMING = replace(ANSWERED, on_the_way=minutes(3))
THERE = replace(COMING, on_site=minutes(14))

SAID: dict[str, tuple[Call, PageKind, list[str], list[str]]] = {
    "a button in the car": (
        call(source=Source.CAR_BUTTON),
        PageKind.CALL,
        ["来源：轿厢报警按钮"],
        ["呼叫人：", "人数："],
    ),
    "moving with open doors": (
        call(place=replace(PLACE, latest={"floor": 7, "door_state": "open", "direction": "up"})),
        PageKind.CALL,
        ["轿厢：7 层，门开，上行"],
        ["轿厢有人", "未检测到人", "救援码"],
    ),
    "nobody seen inside": (
        call(place=replace(PLACE, latest={"passenger_present": False})),
        PageKind.CALL,
        ["轿厢：轿厢未检测到人"],
        ["层"],
    ),
    "words of a stranger's lift": (
        call(place=replace(PLACE, latest={"door_state": "ajar", "direction": 7, "floor": True})),
        PageKind.CALL,
        [],
        ["轿厢：", "ajar", "True"],
    ),
    "an entrance": (
        call(place=Place("xingfuli", point="gate-3", name_zh="南门")),
        PageKind.CALL,
        ["地点：南门", "处置：立即接听，问清情况和位置"],
        ["轿厢", "扒门"],
    ),
    "a place without a name": (call(place=Place("xingfuli")), PageKind.CALL, ["地点：xingfuli"], []),
    "asked to go": (
        call(
            state=CallState.DISPATCHED,
            stamps=ANSWERED,
            answered_by="lan",
            responder=replace(WANG, arrives_at=None, on_the_way_at=None),
        ),
        PageKind.DISPATCH,
        ["请前往救援：3 号楼电梯", "接听：lan", "已派：王师傅 139 0000 0002", "处置：立即出发", "15:32 前到场"],
        ["预计"],
    ),
    "answered": (
        call(state=CallState.ANSWERED, stamps=ANSWERED, answered_by="lan"),
        PageKind.UPDATE,
        ["呼叫已接听：", "接听：lan", "处置：已有人接听", "15:32 前到场"],
        ["呼叫对象"],
    ),
    "on the way": (
        call(state=CallState.ON_THE_WAY, stamps=COMING, answered_by="lan", responder=WANG),
        PageKind.UPDATE,
        ["救援人员在路上：", "在路上：王师傅 139 0000 0002，预计 15:14 到达"],
        ["已派："],
    ),
    "on site": (
        call(state=CallState.ON_SITE, stamps=THERE, answered_by="lan", responder=WANG),
        PageKind.UPDATE,
        ["救援人员已到场：", "到场：15:16", "不必再前往"],
        ["救援时限"],
    ),
    "freed": (
        call(state=CallState.FREED, stamps=replace(THERE, freed=minutes(20)), responder=WANG),
        PageKind.UPDATE,
        ["人员已救出：", "救出：15:22", "查明原因前不得恢复运行"],
        ["救援时限"],
    ),
    "taken back": (
        call(state=CallState.ABANDONED, stamps=replace(ANSWERED, abandoned=minutes(2))),
        PageKind.UPDATE,
        ["呼叫人已取消，请核实：", "处置：回拨呼叫人或到现场核实"],
        ["救援时限"],
    ),
    "half time": (call(), PageKind.HALF_TIME, ["救援时间过半，无人到场：", "15:32 前到场"], ["呼叫对象"]),
    "overdue": (call(), PageKind.OVERDUE, ["救援超时，无人到场：", "应于 15:32 前到场，已超时", "96333 或 119"], []),
    "asked after it was overdue": (
        call(stamps=replace(ANSWERED, overdue=minutes(30))),
        PageKind.CALL,
        ["应于 15:32 前到场，已超时"],
        [],
    ),
    "an overdue drill": (call(drill=True), PageKind.OVERDUE, ["不要拨打 96333 或 119"], ["同时拨打"]),
}


@pytest.mark.parametrize(("told", "kind", "says", "omits"), SAID.values(), ids=SAID)
def test_a_page_says_what_there_is_to_say(told: Call, kind: PageKind, says: list[str], omits: list[str]) -> None:
    zh, _ = both(told, kind)
    whole = f"{zh.title}\n{zh.body}"
    assert [text for text in says if text not in whole] == []
    assert [text for text in omits if text in whole] == []


def test_without_an_address_of_its_own_it_gives_no_link_and_without_a_step_no_name() -> None:
    for words in PageWording(SHANGHAI)(call(), PageKind.CALL, None):
        assert not any(text in words.body for text in ("desk#", "详情", "Details", "呼叫对象", "Asked now"))


def test_a_number_that_somebody_has_to_dial_is_named_and_is_said_not_to_be_dialled_by_anju() -> None:
    zh, en = WORDING(call(), PageKind.DIAL, STEP, BY_HAND)
    assert zh.title == "请立即拨打电话：3 号楼电梯 B1 层"
    assert "需人工拨打（系统不会自动拨打）：应急热线 96333，救援站 0571 7" in zh.body.splitlines()
    by_hand = "To be dialled by hand (the system does not dial): Hotline 96333, Rescue station 0571 7"
    assert by_hand in en.body.splitlines()
    assert zh.short == "请立即拨打电话：3 号楼电梯B1层，请拨96333，请拨0571 7，救援码330108，15:02起"
    later, _ = WORDING(call(), PageKind.HALF_TIME, STEP, BY_HAND)
    assert "需人工拨打（系统不会自动拨打）：应急热线 96333，救援站 0571 7" in later.body.splitlines()
    for over in (call(drill=True), call(state=CallState.ON_SITE)):
        assert "96333" not in WORDING(over, PageKind.UPDATE, STEP, BY_HAND)[0].body.replace("不要拨打 96333 或 119", "")


def test_a_sms_keeps_the_code_before_the_rest_and_cuts_a_long_place() -> None:
    long = replace(PLACE, name_zh="幸福里小区" * 12, rescue_code="330108")
    zh, _ = both(call(place=long, people=3, drill=True))
    assert zh.short.startswith("【演练】紧急呼叫：幸福里小区")
    assert zh.short.endswith("…B1层，救援码330108，3人，15:02起")
    assert len(zh.short) == SHORT_CHARACTERS


TEXT = st.text(max_size=90)
CALLS = st.builds(
    call,
    state=st.sampled_from(CallState),
    drill=st.booleans(),
    people=st.none() | st.integers(0, 10**6),
    source=st.sampled_from(Source),
    caller=st.builds(Caller, TEXT, TEXT, TEXT),
    answered_by=TEXT,
    responder=st.none() | st.builds(Responder, TEXT, TEXT),
    place=st.builds(
        Place,
        st.just("xingfuli"),
        st.sampled_from(["", "xingfuli/elevator/l3"]),
        name_zh=TEXT,
        name_en=TEXT,
        building=TEXT,
        rescue_code=st.sampled_from(["", "330108"]),
        latest=st.fixed_dictionaries({"floor": TEXT | st.integers() | st.none(), "door_state": TEXT}),
    ),
)


@given(told=CALLS, kind=st.sampled_from(PageKind))
def test_whatever_is_told_a_sms_fits_a_title_is_a_line_and_a_drill_is_marked(told: Call, kind: PageKind) -> None:
    for words, mark in zip(both(told, kind), ("【演练】", "[DRILL]"), strict=True):
        assert len(words.short) <= SHORT_CHARACTERS
        assert len(words.title.splitlines()) == len(words.short.splitlines()) == 1
        parts = (words.title, words.body, words.short)
        assert [text.startswith(mark) for text in parts] == [told.drill] * 3
    assert both(told, kind) == both(told, kind)


SHIPPED = load_words()
MISSING: dict[str, tuple[str, str, str | None, list[str]]] = {
    # Language, key, its word, what is missing then.
    "a word of one language": ("en", "where", None, ["where: no word in en"]),
    "the word of a state": ("zh", "update_freed", None, ["update_freed: no word in zh"]),
    "the word of a kind of page": ("en", "opening_dial", None, ["opening_dial: no word in en"]),
    "a fact": ("zh", "where", "地点", ["where: not the same braces"]),
    "nothing": ("zh", "where", "在 {place}", []),
}


@pytest.mark.parametrize(("language", "key", "word", "missing"), MISSING.values(), ids=MISSING)
def test_what_is_missing_among_the_words_is_named(
    language: str, key: str, word: str | None, missing: list[str]
) -> None:
    words = {spoken: dict(table) for spoken, table in SHIPPED.items()}
    del words[language][key]
    if word is not None:
        words[language][key] = word
    assert missing_words(words) == missing


def test_a_value_without_a_word_in_any_language_is_named() -> None:
    words = {spoken: dict(table) for spoken, table in SHIPPED.items()}
    for table in words.values():
        del table["door_open"]
    assert missing_words(words) == ["door_open: no word in zh", "door_open: no word in en"]


def test_every_word_is_used_and_every_word_that_is_used_is_there() -> None:
    source = Path(wording.__file__).read_text(encoding="utf-8")
    stems = tuple(f"{stem}_" for stem in re.findall(r'f"(\w+)_\{', source))
    literal = set(re.findall(r'"(\w+)"', source))
    assert [key for key in SHIPPED["zh"] if key not in literal and not key.startswith(stems)] == []
    assert set(re.findall(r'_say\("(\w+)"', source)) <= SHIPPED["zh"].keys()
