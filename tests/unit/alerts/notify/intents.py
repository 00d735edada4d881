"""Intents to tell people of, and instants by seconds."""

from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.dispatch.model import AlertBrief, CallPage, CallWords, Intent, OutboxEntry, OutboxStatus, Purpose
from alerts.model import Severity
from core.devices import DeviceKey, DeviceKind

START = datetime(2026, 8, 14, 7, 2, 26, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def brief(**fields: Any) -> AlertBrief:
    known: dict[str, Any] = {
        "id": "5f2c8a",
        "rule": "lift-trapped",
        "severity": Severity.CRITICAL,
        "device": DeviceKey("xingfuli", DeviceKind.ELEVATOR, "b1-l1"),
        "place_zh": "1号楼1号梯",
        "place_en": "Building 1, lift 1",
        "title_zh": "轿厢困人",
        "title_en": "Someone is trapped in the car",
        "reason_zh": "轿厢有人，门关闭，未移动，已持续 60 秒",
        "reason_en": "someone in the car, door closed, not moving, for 60 s",
        "next_step_zh": "用对讲安抚乘客，通知维保单位",
        "next_step_en": "Talk to the passenger by intercom and call the contractor",
        "fired_at": START,
    }
    return AlertBrief(**known | fields)


def intent(number: int = 1, **fields: Any) -> Intent:
    known: dict[str, Any] = {
        "id": f"intent-{number}",
        "incident": "lift-b1-l1",
        "version": 1,
        "receiver": "duty",
        "purpose": Purpose.FIRING,
        "severity": Severity.CRITICAL,
        "at": START,
        "step": 0,
        "community": "xingfuli",
        "alerts": (brief(),),
        "count": 1,
    }
    return Intent(**known | fields)


def page(number: int = 1, *, drill: bool = False, words: str = "困人", kind: str = "call", **fields: Any) -> Intent:
    """A page of call ``number``."""
    said = CallWords(f"呼叫 {words}", f"地点 {words}", f"短 {words}")
    called = CallPage(f"call-{number}", kind, drill, said, said, {"lift": "xingfuli/elevator/b1-l1", "people": 2})
    known = {"incident": f"call-{number}", "purpose": Purpose.CALL, "alerts": (), "count": 0, "call": called}
    return intent(number, **known | fields)


def entry(number: int = 1, *, attempts: int = 0, **fields: Any) -> OutboxEntry:
    return OutboxEntry(number, intent(number, **fields), OutboxStatus.WAITING, attempts, START, START)
