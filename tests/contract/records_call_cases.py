"""Emergency calls and what is decided of them, for the tests of the records, told in few words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from api.call_ports import CallPoints, CallReader, ControllerCodes
from emergency.model import (
    Call,
    CallEvent,
    CallState,
    EventKind,
    OwnAlert,
    Page,
    PageKind,
    Party,
    Place,
    Responsible,
    Source,
    Stamps,
    Value,
    Words,
)
from emergency.ports import AlertSteps, CallCommit, CallRecords
from emergency.tokens import PointTokens
from tests.contract.records_cases import START, after
from tests.contract.records_desk_cases import Bench

FOLLOWED_RULES = ("lift-trapped", "lift-alarm-button")
LIFT_PATH = "garden/elevator/lift-1"
TOKENS = PointTokens(b"key" * 11)
PLACE = Place("garden", LIFT_PATH, name_zh="3 号楼电梯", name_en="Lift of block 3", contractor="tonghui")


class KeptCalls(CallRecords, CallReader, Protocol):
    """All that is promised of calls, to the emergency service and to the API."""


class CallBench(Struct):
    """Every side of the emergency service's records, on one database or twin."""

    records: KeptCalls
    elsewhere: KeptCalls
    """The same records seen by another process."""
    steps: AlertSteps
    points: CallPoints
    codes: ControllerCodes
    desk: Bench


def call(call_id: str = "c1", *, lift: str = LIFT_PATH, at: datetime = START, **fields: Any) -> Call:
    """A call nobody has kept yet: version 1 of it."""
    known: dict[str, Any] = {
        "id": call_id,
        "source": Source.RESIDENT,
        "place": replace(PLACE, lift=lift),
        "stamps": Stamps(at),
        "version": 1,
        "next_at": at,
        "responsible": Responsible(Party.LADDER, at),
    }
    return Call(**known | fields)


def event(kind: EventKind = EventKind.RAISED, at: datetime = START, actor: str = "caller") -> CallEvent:
    return CallEvent(kind, at, actor, {"people": 2, "floor": "B1", "load_kilograms": 1.5, "door": None}, "救命")


def page(page_id: str, call_id: str = "c1", *, receiver: str = "duty", drill: bool = False) -> Page:
    words = Words("紧急呼叫", "地点", "短")
    facts: dict[str, Value] = {"lift": LIFT_PATH, "people": 2, "phone": None}
    return Page(page_id, call_id, 1, receiver, "li", PageKind.CALL, START, 0, "garden", drill, words, words, facts)


def raising(
    call_id: str = "c1",
    *,
    lift: str = LIFT_PATH,
    pages: Sequence[Page] = (),
    key: str = "",
    alerts: Sequence[OwnAlert] = (),
    **fields: Any,
) -> CallCommit:
    """What is stored when a call comes in."""
    return CallCommit(call(call_id, lift=lift, **fields), (event(),), tuple(pages), tuple(alerts), key)


def acting(known: Call, kind: EventKind = EventKind.ANSWERED, **fields: Any) -> CallCommit:
    """What is stored when something happens to a call, read at the version of ``known``."""
    changed = replace(known, version=known.version + 1, **fields)
    return CallCommit(changed, (event(kind, after(5), "li"),))


def closing(known: Call) -> CallCommit:
    stamps = replace(known.stamps, closed=after(9))
    return acting(known, EventKind.CLOSED, state=CallState.CLOSED, stamps=stamps, next_at=None, responsible=None)


def overdue(*, firing: bool = True, device: str = LIFT_PATH, since: datetime = START, at: float = 30) -> OwnAlert:
    return OwnAlert("rescue-overdue", device, since, after(at), firing, "超时 30 分钟", "30 min overdue")
