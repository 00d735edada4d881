"""What need not be said any more when it is decided: reminders that a later one has overtaken."""

from datetime import datetime

from alerts.dispatch.model import Intent, Purpose, TimelineNote
from alerts.dispatch.speaking import Decision

_Occasion = tuple[str, datetime]
"""An incident, and the instant at which something was said of it."""
_Line = tuple[str, str]
"""An incident and a receiver."""


def without_superseded(decision: Decision) -> Decision:
    """Return ``decision`` without reminders after which the same receiver is told of the same incident again in it.

    That is so only where much was decided at one instant: after the desk, or its records, had been away. Who is
    reminded once a minute for hours is helped; who is reminded a hundred times at once is not.
    """
    last: dict[_Line, int] = {}
    for intent in decision.intents:
        last[intent.incident, intent.receiver] = intent.version
    kept = [each for each in decision.intents if not _overtaken(each, last)]
    if len(kept) == len(decision.intents):
        return decision
    reminded = {(each.incident, each.at) for each in kept if each.purpose is Purpose.REMINDER}
    dropped = {(each.incident, each.at) for each in decision.intents if _overtaken(each, last)} - reminded
    return Decision(kept, [note for note in decision.notes if not _tells_of(note, dropped)])


def _overtaken(intent: Intent, last: dict[_Line, int]) -> bool:
    return intent.purpose is Purpose.REMINDER and intent.version < last[intent.incident, intent.receiver]


def _tells_of(note: TimelineNote, dropped: set[_Occasion]) -> bool:
    reason = note.reason
    return reason.code == Purpose.REMINDER.value and (str(reason.facts.get("incident")), note.at) in dropped
