"""From lift events to fault episodes: what began and what ended, for the history."""

from alerts.model import FaultCleared, FaultRaised, Severity
from core.faults import meaning_of
from core.observations import Observation
from core.wire.payloads import ElevatorEvent, ElevatorEventType


def fault_of(observation: Observation) -> FaultRaised | FaultCleared | None:
    """Return what ``observation`` says of a fault, ``None`` when it says nothing of one; late ones count too."""
    body = observation.body
    if not isinstance(body, ElevatorEvent) or body.source is None or body.code is None:
        return None
    code = str(body.code)
    # An episode that a clock ahead has begun in the future could not end before.
    at = min(observation.at, observation.received_at)
    if body.type is ElevatorEventType.FAULT_RAISED:
        meaning = meaning_of(body.source, code)
        return FaultRaised(
            observation.device,
            body.source,
            code,
            meaning.kind.value,
            Severity(meaning.severity.value),
            at,
            observation.late,
        )
    if body.type is ElevatorEventType.FAULT_CLEARED:
        return FaultCleared(observation.device, body.source, code, at)
    return None
