"""The lines of a drill for people: what happens as it happens, and at the end how long each thing took."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from emergency.figures import ANSWER_TARGET
from emergency.model import EventKind

Json = dict[str, Any]

_KINDS = {
    EventKind.RAISED: ("已发起", "raised"),
    EventKind.JOINED: ("再次求助", "asked for again"),
    EventKind.STEP_TOLD: ("已通知", "told"),
    EventKind.TO_BE_DIALLED: ("演练不拨打", "not dialled in a drill"),
    EventKind.DIALLED: ("已拨打", "dialled"),
    EventKind.ANSWERED: ("已接听", "answered"),
    EventKind.DISPATCHED: ("已派出", "dispatched"),
    EventKind.ON_THE_WAY: ("已出发", "on the way"),
    EventKind.CANNOT_COME: ("无法前往", "cannot come"),
    EventKind.HANDED_ON: ("已转交", "handed on"),
    EventKind.ON_SITE: ("已到场", "on site"),
    EventKind.NOT_ON_SITE: ("尚未到场", "not on site"),
    EventKind.FREED: ("已救出", "freed"),
    EventKind.ALARM_ENDED: ("报警已解除", "end of alarm"),
    EventKind.HALF_TIME: ("救援时限过半", "half of the time for rescue"),
    EventKind.OVERDUE: ("救援超时", "overdue"),
    EventKind.REMINDED: ("提醒关闭", "reminded"),
    EventKind.ABANDONED: ("已取消", "taken back"),
    EventKind.NOTED: ("备注", "note"),
    EventKind.CLOSED: ("已结束", "closed"),
    EventKind.DETAILS: ("求助人补充信息", "details of the caller"),
}
_MEASURED = (
    ("rang", EventKind.STEP_TOLD),
    ("answered", EventKind.ANSWERED),
    ("dispatched", EventKind.DISPATCHED),
    ("on_the_way", EventKind.ON_THE_WAY),
    ("on_site", EventKind.ON_SITE),
    ("freed", EventKind.FREED),
    ("closed", EventKind.CLOSED),
)
_WIDE = "\u1100"
"""From here on, as far as these lines go, a character is two columns wide."""


def opening(call: Json, *, new: bool) -> Iterator[str]:
    """Yield what is said when a drill begins, or was found open at this place."""
    place = call["place"]
    where = " / ".join(name for name in (place["name_zh"], place["name_en"]) if name) or place["lift"]
    begun = "演练开始 / drill begun" if new else "该处演练正在进行 / a drill is open here already"
    yield f"{begun}: {where} ({call['id']})"
    yield "  只通知值班表中的人 / of the ladder's people only rotas are told"
    yield "  Ctrl-C 停止跟踪，演练继续 / Ctrl-C stops following, the drill goes on"


def step(event: Json, raised: str) -> str:
    """Return the line of one step of the history."""
    zh, en = _KINDS[EventKind(event["kind"])]
    since = datetime.fromisoformat(event["at"]) - datetime.fromisoformat(raised)
    return f"  {_clock(since):>9}  {_padded(f'{zh} {en}', 28)}  {_said(event)}".rstrip()


def measured(call: Json) -> Iterator[str]:
    """Yield how long each thing took, beside what was wanted, and whom it did not reach."""
    stamps, wanted = call["stamps"], _wanted(call)
    over = "" if call["open"] else "，已结束 / closed"
    yield f"用时 / measured{over}:"
    for name, kind in _MEASURED:
        zh, en = _KINDS[kind]
        took = None if stamps[name] is None else _since(stamps, stamps[name])
        shown = "—" if took is None else _clock(took)
        yield f"  {_padded(f'{zh} {en}', 28)}  {shown:>9}  {_judged(took, wanted.get(name))}".rstrip()
    yield from _unreached(call)
    if call["open"]:
        yield f"演练仍在进行，请以原因“演练”结束 / still open, to be closed with the cause `drill` ({call['id']})"


def _wanted(call: Json) -> dict[str, timedelta]:
    wanted = {"answered": ANSWER_TARGET}
    if call["rescue"]["by"] is not None:
        wanted["on_site"] = _since(call["stamps"], call["rescue"]["by"])
    return wanted


def _judged(took: timedelta | None, wanted: timedelta | None) -> str:
    if wanted is None:
        return ""
    target = f"目标 / wanted {_clock(wanted)}"
    return target if took is None else f"{target} {'✓' if took <= wanted else '✗ 超时 / late'}"


def _unreached(call: Json) -> Iterator[str]:
    for page in call.get("pages", ()):
        if page["status"] != "delivered":
            who = page["person"] or page["receiver"]
            state = "未送达 / not reached" if page["status"] == "failed" else "尚未送达 / not delivered yet"
            yield f"  {who}: {state} {page['detail']}".rstrip()


def _said(event: Json) -> str:
    facts = event["facts"]
    told = facts.get("zh"), facts.get("en")
    name = " / ".join(str(each) for each in told if each) or facts.get("name") or ""
    return " ".join(str(part) for part in (name, f"({event['actor']})", event["text"]) if part)


def _since(stamps: Json, instant: str) -> timedelta:
    return datetime.fromisoformat(instant) - datetime.fromisoformat(stamps["raised"])


def _clock(lasting: timedelta) -> str:
    minutes, seconds = divmod(max(0.0, lasting.total_seconds()), 60)
    return f"{minutes:.0f}:{seconds:04.1f}"


def _padded(text: str, columns: int) -> str:
    return text + " " * max(0, columns - sum(2 if char >= _WIDE else 1 for char in text))
