"""The alerts that the emergency service raises itself: what they are called, how bad they are, what to do first."""

import hashlib

from msgspec import Struct

from emergency.model import Place

OVERDUE = "rescue-overdue"
UNANSWERED = "call-unanswered"
DAMAGED = "call-record-damaged"


class OwnRule(Struct, frozen=True):
    """What stands beside an own alert. A protected one is told however much is silenced; ``severity`` as of alerts."""

    title_zh: str
    title_en: str
    next_step_zh: str
    next_step_en: str
    severity: str = "critical"
    protected: bool = True


OWN_RULES: dict[str, OwnRule] = {
    OVERDUE: OwnRule(
        "救援超时",
        "Rescue overdue",
        "立即联系救援人员，同时拨打 96333 或 119",
        "Reach the rescuers now, and call 96333 or 119 as well",
    ),
    UNANSWERED: OwnRule(
        "紧急呼叫无人接听",
        "Emergency call unanswered",
        "立即回拨呼叫人，并派人前往",
        "Ring the caller back now and send somebody",
    ),
    DAMAGED: OwnRule(
        "紧急呼叫记录损坏",
        "Record of an emergency call damaged",
        "可能仍有人等待救援：立即联系该地点核实，并派人前往",
        "Somebody may still be waiting: reach the place now and send somebody",
    ),
}


def own_rule(rule: str) -> OwnRule:
    """Return what stands beside ``rule``; one that is not listed goes by its own name and counts as the worst."""
    return OWN_RULES.get(rule) or OwnRule(rule, rule, "", "")


def device_about(place: Place) -> str:
    """Return the path of what an own alert about a call at ``place`` is about: its lift, or a part of Anju.

    One alert of a rule fires at a time about a device: so calls that may be open at once have different ones.
    """
    return place.lift or f"{place.community}/system/{place.point or _part_of(place)}"


def _part_of(place: Place) -> str:
    apart = hashlib.blake2b(place.apart.encode(), digest_size=6).hexdigest() if place.apart else ""
    return "-".join(filter(None, ("emergency-calls", apart)))
