"""What alerts and calls say to each other. Pure.

Steps of an alert's timeline raise a call, join one, or end a car's alarm; what people do to a call acknowledges the
alerts of the same incident, and closing the call resets those that latch.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from core.devices import DeviceKey, DeviceKind
from emergency.model import Call, CallEvent, EventKind, Source
from emergency.ports import AlertStep, CallCommit

CAR_BUTTON = "car-alarm-button"
TRAPPED = "trapped-passenger"
ALARM_RESET = "car-alarm-ended"
CALLING = frozenset({CAR_BUTTON, TRAPPED})
"""Rules whose alerts raise calls."""
RULES = CALLING | {ALARM_RESET}
SEEN_WITH = RULES | {"trapped-passenger-suspected"}
"""Rules whose alerts of the lift are of the incident of its call: whoever answers has seen the suspicion as well."""
RAISING = ("firing", "repeated")
_ASKING = {CAR_BUTTON: Source.CAR_BUTTON, TRAPPED: Source.ALERT, ALARM_RESET: None}


class Asked(Struct, frozen=True):
    """What a step of an alert asks for: help by way of ``source``, or, where that is ``None``, the end of an alarm.

    Help raises a call where none is open for the lift.
    """

    step: AlertStep
    source: Source | None

    @property
    def ref(self) -> str:
        """The name by which it is joined into a call, once."""
        return f"{self.step.alert}/{self.step.sequence}"


def asked_by(step: AlertStep) -> Asked | None:
    """Return what ``step`` asks for, if anything."""
    if step.kind not in RAISING or step.rule not in _ASKING:
        return None
    return Asked(step, _ASKING[step.rule]) if DeviceKey.from_path(step.device).kind is DeviceKind.ELEVATOR else None


def late_words(facts: Mapping[str, object], zh: str, en: str) -> str:
    """Return the words of a step that tells of what arrived late, with its instant; empty for every other step."""
    return f"{zh} / {en}" if "happened_at" in facts else ""


class Settling(Struct, frozen=True):
    """That ``actor`` has seen the alerts of a call's incident, in words; with ``closed`` that the incident is over.

    Nobody has seen what came to the call later: steps of an alert above ``heard`` have not joined it.
    """

    call: Call
    actor: str
    zh: str
    en: str
    closed: bool
    heard: int


_STEP = re.compile("[^/]+/([0-9]{1,18})")
_SETTLING = {
    EventKind.ANSWERED: ("接听了紧急呼叫", "answered"),
    EventKind.FREED: ("确认被困人员已救出，紧急呼叫", "freed everybody of"),
    EventKind.CLOSED: ("结束了紧急呼叫", "closed"),
}


def settlings(commit: CallCommit) -> list[Settling]:
    """Return what the events of ``commit`` mean to alerts, in order; a drill touches none."""
    if commit.call.drill:
        return []
    return [_settling(commit.call, event) for event in commit.events if event.kind in _SETTLING]


def _settling(call: Call, event: CallEvent) -> Settling:
    zh, en = _SETTLING[event.kind]
    return Settling(
        call=call,
        actor=event.actor,
        zh=f"{event.actor} {zh} {call.id}",
        en=f"{event.actor} {en} emergency call {call.id}",
        closed=event.kind is EventKind.CLOSED,
        heard=max((sequence_of(ref) for ref in call.joined), default=0),
    )


def sequence_of(ref: str) -> int:
    """Return the sequence of the step that joined a call as ``ref``; 0 where something else did."""
    found = _STEP.fullmatch(ref)
    return int(found[1]) if found else 0
